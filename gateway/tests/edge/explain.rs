//! `tollgate explain`: what it says is what happens.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use fastrand::Rng;
use serde_json::{Value, json};

use super::support::config::{KEY, VENDOR_SECRET, add_key, key, vendor_secret};
use super::support::process::Home;
use super::support::scene::{Reply, reply};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, rule};

/// What the command told.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Told {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let told = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        for secret in [KEY, VENDOR_SECRET, "canary"] {
            assert!(!told.out.contains(secret) && !told.err.contains(secret), "{secret}: {told:?}");
        }
        told
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

async fn run(mut command: Command) -> Told {
    Told::of(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
}

async fn explain(home: &Home, arguments: &[&str]) -> Told {
    let mut command = home.command("explain");
    command.args(arguments);
    run(command).await
}

/// Two providers that share by weight, under a rule for everybody.
fn shared() -> Setup {
    Setup::of("openai", 3)
        .rule(rule("odd", "int(model) > 3", &[("p2", 1.0)], &[]))
        .rule(rule("split", "model == 'gpt-4o'", &[("p0", 0.75), ("p1", 0.25)], &["p2"]))
        .with(|config| add_key(config, key("narrow", "sk-bf-canary-narrow", &["p2"])))
}

#[tokio::test]
async fn a_call_is_told_from_its_caller_to_its_last_target() {
    let home = Home::new(&shared().config);
    let told = explain(&home, &["--key", "vk-everything", "--model", "gpt-4o"]).await;
    assert_eq!((told.code, &*told.err), (Some(0), ""), "{told:?}");
    for line in [
        "caller    virtual key `vk-everything` (everything)",
        "asked     model `gpt-4o`, chat_completion in the openai dialect",
        "rules     `odd` (odd), of the global scope: failed: its condition cannot be evaluated for this request",
        "          `split` (split), of the global scope: matched",
        "          3. p2/gpt-4o: when those before it failed; 2 retries after up to 1 ms, then up to 5 ms",
        "             key `p2-main` (weight 1): model `gpt-4o`, at most ",
        "spread    by weight; all routes taken as well; shares are counted over 10000 plans",
    ] {
        assert!(told.out.lines().any(|told| told.starts_with(line)), "{line} is not in\n{}", told.out);
    }
    for refusal in ["refused", "dropped", "stream"] {
        assert!(!told.out.contains(&format!("\n{refusal}")), "{}", told.out);
    }
}

#[tokio::test]
async fn shares_are_those_of_the_weights() {
    let home = Home::new(&shared().config);
    let told = explain(&home, &["--key", KEY, "--model", "gpt-4o", "--json"]).await.json();
    let shares: Vec<_> = targets(&told).iter().map(|target| target["share"].as_f64().unwrap()).collect();
    assert_eq!(told["plans"], 10_000);
    assert!((shares[0] - 0.75).abs() < 0.02 && (shares[1] - 0.25).abs() < 0.02 && shares[2] == 0.0, "{shares:?}");
    let sticky = ["--key", KEY, "--model", "gpt-4o", "--json", "--header", "x-bf-session-id: one"];
    let told = explain(&home, &sticky).await.json();
    assert_eq!((&told["plans"], &told["plan"]["kept_together_by"]), (&json!(1), &json!("session")), "{told}");
    assert_eq!(targets(&told)[0]["share"], 1.0, "{told}");
}

#[tokio::test]
async fn a_refusal_says_what_a_caller_would_be_told_and_what_was_dropped() {
    let home = Home::new(&shared().config);
    let told = explain(&home, &["--key", "vk-narrow", "--model", "p0/gpt-4o-mini", "--json"]).await;
    let view = told.json();
    assert_eq!((told.code, &view["verdict"], &view["plan"]), (Some(1), &json!("refused"), &Value::Null), "{view}");
    assert_eq!((&view["refusal"]["status"], &view["refusal"]["type"]), (&json!(403), &json!("provider_blocked")));
    assert_eq!(view["request"]["provider"], "p0");
    assert_eq!(view["dropped"][0]["reason"], "provider_blocked", "{view}");
    let told = explain(&home, &["--key", "vk-narrow", "--model", "p0/gpt-4o-mini"]).await;
    assert!(told.out.contains("dropped   p0/gpt-4o-mini: not among the key's `provider_configs`"), "{}", told.out);
    assert!(told.out.contains("refused   403 provider_blocked: virtual key `narrow` may not use"), "{}", told.out);
    for (arguments, kind) in [
        (vec!["--model", "gpt-4o"], "virtual_key_required"),
        (vec!["--model", "gpt-4o", "--key", "sk-bf-canary-unknown"], "virtual_key_not_found"),
        (vec!["--model", "gpt-4o", "--key", KEY, "--header", "x-bf-vk: canary"], "invalid_request_error"),
    ] {
        let told = explain(&home, &arguments).await;
        assert_eq!((told.code, told.out.contains(kind)), (Some(1), true), "{kind}: {told:?}");
    }
}

#[tokio::test]
async fn a_request_is_read_from_standard_input_as_the_gateway_reads_it() {
    let home = Home::new(&shared().config);
    for (body, named) in [
        (json!({"model": "gpt-4o", "stream": true}).to_string(), "a stream that breaks off ends with an error"),
        ("{".to_owned(), "400 invalid_request_error: the body is not valid JSON"),
    ] {
        let mut command = home.command("explain");
        command
            .args(["--key", KEY, "--request", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
        let told = Told::of(child.wait_with_output().unwrap());
        assert!(told.out.contains(named), "{named}: {told:?}");
    }
}

#[tokio::test]
async fn what_describes_no_request_exits_2() {
    let home = Home::new(&shared().config);
    for (arguments, named) in [
        (vec!["--key", KEY], "--request FILE, or --model NAME"),
        (vec!["--model", "m", "--path", "/chat/completions"], "did you mean /v1/chat/completions?"),
        (vec!["--model", "m", "--path", "/v1/models"], "no model is called there"),
        (vec!["--model", "m", "--header", "x-a: 1", "--header", "canary"], "the 2. one is no `name: value`"),
        (vec!["--request", "/no/such/file"], "--request /no/such/file: "),
        (vec!["--request", "-", "--model", "m"], "cannot be used with"),
    ] {
        let told = explain(&home, &arguments).await;
        assert_eq!((told.code, &*told.out, told.err.contains(named)), (Some(2), "", true), "{named}: {told:?}");
    }
    home.write("{}}");
    let told = explain(&home, &["--model", "m"]).await;
    assert_eq!((told.code, told.err.contains("not JSON")), (Some(2), true), "{told:?}");
}

#[tokio::test]
async fn a_key_without_value_is_known_by_its_id() {
    let mut config = shared().config;
    config["governance"]["virtual_keys"][0].as_object_mut().unwrap().remove("value");
    let home = Home::new(&config);
    let data = home.path().join("data").display().to_string();
    let told = explain(&home, &["--key", "vk-everything", "--model", "gpt-4o", "--data", &data]).await;
    assert_eq!((told.code, told.out.contains("virtual key `vk-everything`")), (Some(0), true), "{told:?}");
}

const MODELS: [&str; 10] = [
    "gpt-4o",
    "gpt-4o",
    "gpt-4o",
    "gpt-4o-mini",
    "p0/gpt-4o",
    "p2/gpt-4o-mini",
    "house",
    "p1/house",
    "nobody/knows",
    "brand-new",
];
const EXPRESSIONS: [&str; 8] = [
    "",
    "model == 'gpt-4o'",
    "model.startsWith('gpt-')",
    "provider == 'p0'",
    "request_body.stream",
    "int(model) > 3",
    "headers['x-stage'] == 'prod'",
    "virtual_key_name == 'other'",
];

fn some<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(0..of.len())]
}

/// What a key may do with each of three providers, and how they share; now and then one is left out.
fn access(rng: &mut Rng) -> Value {
    let models = [json!(["*"]), json!(["*"]), json!(["*"]), json!(["gpt-4o", "house"])];
    let weights = [json!(1), json!(0.5), json!(2), json!(1), json!(0.25), json!(0), Value::Null];
    let one = |rng: &mut Rng, n: usize| {
        let (models, weight) = (models[rng.usize(0..4)].clone(), weights[rng.usize(0..7)].clone());
        json!({"provider": format!("p{n}"), "allowed_models": models, "weight": weight})
    };
    let mut listed = Vec::new();
    for n in 0..3 {
        if rng.u8(0..10) > 0 {
            listed.push(one(rng, n));
        }
    }
    listed.into()
}

fn credentials(rng: &mut Rng, n: usize) -> Value {
    let one = |rng: &mut Rng, m: usize| {
        let usual = || json!(["gpt-4o", "gpt-4o-mini", "house"]);
        let models = [usual(), usual(), json!(["gpt-4o"]), json!(["*"])];
        let weights = [json!(1), json!(1), json!(2), json!(1), json!(0), Value::Null];
        let mut key = json!({
            "name": format!("p{n}-{m}"), "value": vendor_secret(&format!("p{n}-{m}")),
            "models": models[rng.usize(0..4)], "weight": weights[rng.usize(0..6)],
        });
        if rng.bool() {
            key["aliases"] = json!({"house": "gpt-4o-mini"});
        }
        key
    };
    (0..rng.usize(1..3)).map(|m| one(rng, m)).collect::<Vec<_>>().into()
}

fn some_rule(rng: &mut Rng, n: usize) -> Value {
    let target = |rng: &mut Rng, weight: f64| {
        let mut target =
            json!({"provider": some(rng, &["p0", "p1", "p2", "p0", "p1", "p2", "nobody"]), "weight": weight});
        if rng.u8(0..3) == 0 {
            target["model"] = some(rng, &["gpt-4o-mini", "gpt-4o"]).into();
        }
        target
    };
    let targets = if rng.u8(0..3) == 0 { vec![target(rng, 1.0)] } else { vec![target(rng, 0.25), target(rng, 0.75)] };
    let mut rule = json!({
        "id": format!("r{n}"), "name": format!("rule {n}"), "cel_expression": some(rng, &EXPRESSIONS),
        "targets": targets, "chain_rule": rng.u8(0..4) == 0,
    });
    if rng.bool() {
        rule["fallbacks"] = json!([some(rng, &["p0", "p1/gpt-4o-mini", "nobody"])]);
    }
    rule
}

fn some_configuration(rng: &mut Rng) -> Setup {
    let mut setup = Setup::of("openai", 3).with(|config| {
        add_key(config, key("other", "sk-bf-canary-other", &["p0", "p1", "p2"]));
        add_key(config, key("off", "sk-bf-canary-off", &["p0"]));
        let keys = config["governance"]["virtual_keys"].as_array_mut().unwrap();
        for key in keys.iter_mut() {
            key["provider_configs"] = access(rng);
        }
        keys[2]["is_active"] = json!(false);
        for n in 0..3 {
            config["providers"][format!("p{n}")]["keys"] = credentials(rng, n);
        }
    });
    for n in 0..some(rng, &[0, 1, 1, 2, 3]) {
        setup = setup.rule(some_rule(rng, n));
    }
    setup
}

/// One request of random kind: the arguments of the command, and what the gateway answers.
async fn compare(rng: &mut Rng, home: &Home, targets: &Targets, what: &str) -> Option<usize> {
    let (model, stream) = (some(rng, &MODELS), rng.bool());
    let mut body = Api::Chat.body(model, stream, "12345678");
    if rng.u8(0..4) == 0 {
        body["fallbacks"] = json!([some(rng, &["p1", "p2/gpt-4o", "gpt-4o-mini"])]);
    }
    let stranger = some(rng, &["sk-bf-canary-off", "sk-bf-canary-nobody"]);
    let token = some(rng, &[KEY, KEY, KEY, KEY, "sk-bf-canary-other", "sk-bf-canary-other", stranger]);
    let plain = ("x-other", "1");
    let headers = [("x-stage", "prod"), ("x-bf-session-id", "s-1"), ("x-bf-api-key", "p1-0"), plain, plain, plain];
    let header = some(rng, &headers);
    let file = home.path().join("request.json");
    std::fs::write(&file, body.to_string()).unwrap();
    let header_text = format!("{}: {}", header.0, header.1);
    let arguments = ["--key", token, "--header", &header_text, "--json", "--request", file.to_str().unwrap()];
    let told = explain(home, &arguments).await;
    let post = targets.client.post(targets.gateway.url("/v1/chat/completions")).header(header.0, header.1);
    let answer = reply(post.bearer_auth(token).body(body.to_string())).await;
    let what = format!("{what}: {body} with {header_text}");
    assert_agrees(&what, &told, targets, &answer).await
}

/// The answer is one that was told. Gives the number of targets that might have been the first.
async fn assert_agrees(what: &str, told: &Told, running: &Targets, answer: &Reply) -> Option<usize> {
    let view = told.json();
    let what = format!("{what}\ntold: {view:#}\nanswered: {} {}", answer.status, answer.text());
    if answer.status != 200 {
        let (error, refusal) = (answer.json(), &view["refusal"]);
        assert_eq!((told.code == Some(1)) as u8 + (view["verdict"] == "varies") as u8, 1, "{what}");
        assert_eq!(refusal["status"], answer.status, "{what}");
        assert_eq!((&refusal["type"], &refusal["message"]), (&error["type"], &error["error"]["message"]), "{what}");
        return None;
    }
    assert_eq!(told.code, Some(0), "{what}");
    let line = running.logged(answer).await;
    let might_be_first: Vec<_> = targets(&view).iter().filter(|target| target["share"].as_f64() > Some(0.0)).collect();
    let is_used = |attempt: &&Value| {
        attempt["credential"] == line["credential"]
            && attempt["model"] == line["model.used"]
            && attempt["share"].as_f64() > Some(0.0)
    };
    let used = might_be_first.iter().find(|target| {
        target["provider"] == line["provider"] && target["attempts"].as_array().unwrap().iter().any(|one| is_used(&one))
    });
    assert!(used.is_some(), "{what}\nwent to: {line}");
    let matched: Vec<_> = view["ways"].as_array().unwrap().iter().map(matched).collect();
    let rules = line["rule.ids"].as_array().cloned().unwrap_or_default();
    assert!(matched.contains(&rules) || (matched.is_empty() && rules.is_empty()), "{what}\nby: {rules:?}");
    Some(might_be_first.len())
}

/// The rules that matched on one way, in order.
fn matched(way: &Value) -> Vec<Value> {
    let rules = way["rules"].as_array().unwrap().iter();
    rules.filter(|rule| rule["result"] == "matched").map(|rule| rule["id"].clone()).collect()
}

fn targets(view: &Value) -> &[Value] {
    view["plan"]["targets"].as_array().map_or(&[], |targets| targets)
}

#[tokio::test]
async fn what_is_told_is_what_happens_under_random_configurations() {
    let mut rng = Rng::with_seed(20_261_121);
    let mut seen = Vec::new();
    for n in 0..20 {
        let setup = some_configuration(&mut rng);
        let home = Home::new(&setup.config);
        let what = format!("configuration {n}: {:#}", setup.config["governance"]);
        let targets = setup.start().await;
        for _ in 0..5 {
            seen.push(compare(&mut rng, &home, &targets, &what).await);
        }
    }
    let count = |kind: Option<usize>| seen.iter().filter(|one| **one == kind).count();
    let shared = seen.iter().filter(|one| one.is_some_and(|targets| targets > 1)).count();
    let all = (count(None), count(Some(1)), shared);
    assert!(all.0 >= 10 && all.1 >= 10 && all.2 >= 5, "refused, sure, shared: {all:?}: too few to mean anything");
}

#[tokio::test]
async fn a_call_that_is_translated_is_told_to_be() {
    let home = Home::new(&shared().config);
    let told = explain(&home, &["--model", "gpt-4o", "--key", KEY, "--path", "/v1/messages"]).await;
    assert!(told.out.contains("model `gpt-4o` (translated: chat_completion in the openai dialect)"), "{}", told.out);
    let told = explain(&home, &["--model", "gpt-4o", "--key", KEY]).await;
    assert!(told.code == Some(0) && !told.out.contains("translated"), "{}", told.out);
}
