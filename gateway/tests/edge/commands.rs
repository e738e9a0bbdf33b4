//! The command line: what it prints and how it exits.

use std::net::TcpListener;
use std::process::Output;

use serde_json::{Value, json};

use super::support::config::{KEY, VENDOR_SECRET, config};
use super::support::process::Home;

fn base() -> Value {
    config("http://127.0.0.1:9")
}

async fn run(config: &Value, command: &str) -> (Option<i32>, String, String) {
    told(Home::new(config).run(command).await)
}

fn told(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn check_says_what_a_good_configuration_holds() {
    let (code, out, err) = run(&base(), "check").await;
    assert_eq!((code, &*err), (Some(0), ""), "{err}");
    assert!(out.contains("config.json: ok (3 providers, 1 virtual keys, "), "{out}");
}

#[tokio::test]
async fn check_names_every_mistake_at_once_and_exits_2() {
    let mut bad = base();
    bad["client"]["drain_ms"] = json!("soon");
    bad["clinet"] = json!({});
    bad["governance"]["virtual_keys"][0]["provider_configs"][0]["allowed_model"] = json!([]);
    bad["governance"]["virtual_keys"][0]["team_id"] = json!("nobody");
    bad["providers"]["openai"]["keys"][0]["value"] = json!("env.NO_SUCH_VARIABLE_HERE");
    for command in ["check", "serve"] {
        let (code, out, err) = run(&bad, command).await;
        assert_eq!((code, &*out), (Some(2), ""), "{command}: {err}");
        for named in
            ["client.drain_ms", "clinet", "did you mean `client`", "allowed_models", "team_id", "NO_SUCH_VARIABLE_HERE"]
        {
            assert!(err.contains(named), "{command}: {named} is not named: {err}");
        }
        assert!(!err.contains(KEY) && !err.contains(VENDOR_SECRET), "{err}");
    }
}

#[tokio::test]
async fn what_is_not_built_yet_is_refused_by_name() {
    let mut later = base();
    later["mcp"] = json!({"client_configs": []});
    later["guardrails_config"] = json!({"a": 1});
    later["governance"]["business_units"] = json!([{"id": "b"}]);
    later["cluster_config"] = json!({"enabled": true});
    later["providers"]["azure"] = json!({"keys": [{"name": "a", "value": "x"}]});
    for command in ["check", "serve"] {
        let (code, _, err) = run(&later, command).await;
        assert_eq!(code, Some(2), "{err}");
        for section in ["mcp", "guardrails_config", "governance.business_units", "cluster_config", "providers.azure"] {
            let line = err.lines().find(|line| line.contains(&format!(": {section}")));
            assert!(line.is_some_and(|line| line.contains("not supported yet")), "{section}: {err}");
        }
    }
}

#[tokio::test]
async fn a_warning_is_told_and_keeps_nobody_from_starting() {
    let mut odd = base();
    odd["governance"]["virtual_keys"][0]["provider_configs"][0]["provider"] = json!("not-there-yet");
    let (code, out, err) = run(&odd, "check").await;
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("ok (") && err.contains("warning") && err.contains("not-there-yet"), "{out}{err}");
}

#[tokio::test]
async fn what_is_no_configuration_at_all_exits_2() {
    let home = Home::new(&base());
    for (text, named) in
        [("", "not JSON"), ("{", "not JSON"), ("[]", "config.json"), ("{\"client\":{},\"client\":{}}", "client")]
    {
        home.write(text);
        for command in ["check", "serve"] {
            let (code, _, err) = told(home.run(command).await);
            assert_eq!(code, Some(2), "{text}: {err}");
            assert!(err.contains(named), "{text}: {err}");
        }
    }
    std::fs::remove_file(home.path().join("config.json")).unwrap();
    let (code, _, err) = told(home.run("check").await);
    assert_eq!((code, err.contains("cannot be read")), (Some(2), true), "{err}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = Home::new(&base());
    let mut command = home.command("serve");
    command.args(["--listen", &address, "--data"]).arg(home.path().join("data"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (code, _, err) = told(output);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains(&format!("cannot listen on {address}")), "{err}");
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_an_error_that_names_the_file() {
    let home = Home::new(&base());
    let junk = home.path().join("junk.pem");
    std::fs::write(&junk, "not a certificate").unwrap();
    for path in [junk.display().to_string(), "/no/such/file.pem".to_owned()] {
        let mut with_tls = base();
        with_tls["tls"] = json!({"cert": path, "key": path});
        home.write(&with_tls.to_string());
        let (code, _, err) = told(home.run("serve").await);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("tls.cert") && err.contains(&path) && !err.contains("panicked"), "{err}");
    }
}

#[tokio::test]
async fn a_command_that_is_misspelt_exits_2_and_the_version_is_told() {
    let home = Home::new(&base());
    assert_eq!(home.run("sevre").await.status.code(), Some(2));
    let mut version = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let output = version.arg("version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("tollgate {}\n", env!("CARGO_PKG_VERSION")));
}
