//! What the vendor is sent, and what it cannot be asked.

use serde_json::{Value, json};

use super::super::support::config::{KEY, VENDOR_SECRET, vendor_secret};
use super::super::support::scene::{Scene, reply};
use super::super::support::sse::{Api, reason};
use super::super::support::stub::nobody;
use super::{asked, asked_with, assert_error_of, pairs, text};

#[tokio::test]
async fn the_vendor_is_called_as_its_own_clients_call_it() {
    for (client, vendor) in pairs() {
        let scene = Scene::start().await;
        scene.let_fake("~strict");
        for stream in [false, true] {
            let path = client.path(vendor.model(), stream);
            let joint = if path.contains('?') { '&' } else { '?' };
            let request = scene
                .post(&format!("{path}{joint}beta=true&key=x"))
                .body(client.body(vendor.model(), stream, "12345678").to_string())
                .header("openai-beta", "assistants=v2")
                .header("anthropic-beta", "future-2027-01-01")
                .header("anthropic-version", "2021-01-01")
                .header("x-stainless-lang", "python")
                .header("x-goog-api-client", "genai")
                .header("traceparent", "00-1-2-01");
            assert_eq!(reply(request).await.status, 200, "{client:?}");
            let entry = scene.entry();
            let direct = format!("{}?", vendor.path(vendor.model(), stream));
            let (path, query) = direct.split_once('?').unwrap();
            assert_eq!(entry.path, path, "{client:?} to {vendor:?}");
            assert_eq!(
                entry.query.as_deref().unwrap_or_default(),
                query.trim_end_matches('?'),
                "{client:?} to {vendor:?}"
            );
            assert_eq!(
                (entry.stream, entry.model.as_deref()),
                (stream, Some(vendor.model())),
                "{client:?} to {vendor:?}"
            );
            assert_eq!(entry.credentials.len(), 1, "{entry:?}");
            assert_eq!(entry.credential(), Some(vendor_secret(vendor.vendor()).as_str()));
            for header in ["openai-beta", "anthropic-beta", "x-stainless-lang", "x-goog-api-client"] {
                assert_eq!(entry.header(header), None, "{client:?} to {vendor:?}");
            }
            let version = (vendor == Api::Messages).then_some("2023-06-01");
            assert_eq!(entry.header("anthropic-version"), version);
            assert_eq!(entry.header("traceparent"), Some("00-1-2-01"));
            let is_known = |(_, value): &(String, String)| value.contains(KEY);
            assert!(!entry.headers.iter().any(is_known), "{:?}", entry.headers);
        }
    }
}

#[tokio::test]
async fn a_vendor_without_text_completions_or_responses_is_asked_for_chats() {
    let scene = Scene::with(|config| {
        config["providers"]["small"] = config["providers"]["openai"].clone();
        config["providers"]["small"]["custom_provider_config"] =
            json!({"base_provider_type": "openai", "allowed_requests": {"chat_completion": true}});
        let small = json!({"provider": "small", "allowed_models": ["*"]});
        config["governance"]["virtual_keys"][0]["provider_configs"].as_array_mut().unwrap().push(small);
    })
    .await;
    scene.let_fake("~strict");
    for client in [Api::Completion, Api::Responses] {
        for stream in [false, true] {
            let answer = scene.asked(client, "small/gpt-4o", stream).await;
            assert_eq!(answer.status, 200, "{client:?}: {}", answer.text());
            assert!(text(client, &answer, stream).starts_with("w0"), "{client:?}: {}", answer.text());
            assert_eq!(scene.entry().path, "/v1/chat/completions");
        }
    }
}

/// Log-probabilities are asked for, which Anthropic has not.
fn ask_logprobs(body: &mut Value) {
    body["logprobs"] = json!(true);
}

#[tokio::test]
async fn what_the_vendor_cannot_be_asked_is_refused_by_its_name() {
    let scene = Scene::start().await;
    let refused = asked_with(&scene, Api::Chat, Api::Messages, false, ask_logprobs).await;
    let body = refused.json();
    assert_eq!((refused.status, reason(&body)), (400, Some("invalid_request_error")), "{body}");
    assert_eq!(body["error"]["param"], "logprobs");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("`logprobs`") && message.contains("should_drop_params"), "{message}");
    assert_error_of(Api::Chat, &body);
    assert_eq!(refused.header("x-tollgate-attempts"), Some("anthropic=untranslatable"));
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert!(scene.fake.books().is_empty());
    let line = scene.logged(&refused).await;
    assert_eq!((&line["attempts"], &line["attempts.failed"]), (&json!(0), &json!("anthropic=untranslatable")));
    scene.until_metric("tollgate_held_body_bytes ", 0).await;
}

#[tokio::test]
async fn where_the_operator_lets_it_be_left_out_the_answer_names_it() {
    let scene = Scene::with(|config| config["client"]["compat"] = json!({"should_drop_params": true})).await;
    scene.let_fake("~strict");
    for stream in [false, true] {
        let answer = asked_with(&scene, Api::Chat, Api::Messages, stream, |body| {
            ask_logprobs(body);
            body["seed"] = json!(7);
        })
        .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let dropped = answer.header("x-tollgate-dropped-params").unwrap();
        let mut names: Vec<_> = dropped.split(',').collect();
        names.sort_unstable();
        assert_eq!(names, ["logprobs", "seed"]);
        let line = scene.logged(&answer).await;
        assert_eq!(line["params.dropped"], dropped, "{line}");
    }
}

#[tokio::test]
async fn a_target_of_the_clients_own_format_takes_what_another_cannot_be_asked() {
    let scene = Scene::start().await;
    let answer = asked_with(&scene, Api::Chat, Api::Messages, false, |body| {
        ask_logprobs(body);
        body["fallbacks"] = json!(["openai/gpt-4o"]);
    })
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-tollgate-provider"), Some("openai"));
    assert_eq!(answer.header("x-tollgate-attempts"), Some("anthropic=untranslatable"));
    assert_eq!(scene.entry().body.unwrap()["logprobs"], true);
}

#[tokio::test]
async fn what_a_target_would_take_that_is_left_alone_at_present_may_be_asked_again() {
    let nobody = nobody().await;
    let scene = Scene::with(|config| {
        config["providers"]["openai"]["network_config"]["base_url"] = json!(nobody);
        config["providers"]["openai"]["network_config"]["max_retries"] = json!(0);
    })
    .await;
    for call in 0..8 {
        let refused = asked_with(&scene, Api::Chat, Api::Chat, false, |body| {
            ask_logprobs(body);
            body["fallbacks"] = json!([format!("anthropic/{}", Api::Messages.model())]);
        })
        .await;
        let what = format!("call {call}: {}", refused.text());
        assert!(refused.status >= 500, "{what}");
        assert_eq!(reason(&refused.json()), Some("upstream_unreachable"), "{what}");
        assert_ne!(refused.header("x-should-retry"), Some("false"), "{what}");
        assert!(refused.header("x-tollgate-attempts").unwrap().ends_with("anthropic=untranslatable"), "{what}");
    }
    assert!(scene.fake.books().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_where_it_would_have_to_be() {
    let scene = Scene::start().await;
    let broken = |body: &mut Value| body["messages"] = json!([{"role": "user", "content": 7}]);
    for (client, vendor) in [(Api::Chat, Api::Messages), (Api::Messages, Api::Chat)] {
        let refused = asked_with(&scene, client, vendor, false, broken).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert_error_of(client, &refused.json());
        assert!(refused.text().contains("messages["), "{}", refused.text());
    }
    assert!(scene.fake.books().is_empty());
    let direct = asked_with(&scene, Api::Chat, Api::Chat, false, broken).await;
    assert_eq!(scene.fake.books().len(), 1, "the vendor judges what is its own: {}", direct.text());
}

/// A tool that is called in this API's way, and must be.
fn with_tool(client: Api, body: &mut Value) {
    let schema = json!({"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]});
    let (tool, choice) = match client {
        Api::Chat => (
            json!({"type": "function", "function": {"name": "weather", "parameters": schema}}),
            json!({"type": "function", "function": {"name": "weather"}}),
        ),
        Api::Responses => (
            json!({"type": "function", "name": "weather", "parameters": schema, "strict": false}),
            json!({"type": "function", "name": "weather"}),
        ),
        Api::Gemini | Api::GeminiArray => (
            json!({"functionDeclarations": [{"name": "weather", "parametersJsonSchema": schema}]}),
            json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}}),
        ),
        _ => (json!({"name": "weather", "input_schema": schema}), json!({"type": "tool", "name": "weather"})),
    };
    let is_gemini = client.vendor() == "gemini";
    body["tools"] = json!([tool]);
    body[if is_gemini { "toolConfig" } else { "tool_choice" }] = choice;
    let question = "What is the weather in Paris?";
    match client {
        Api::Responses => body["input"] = json!(question),
        _ if is_gemini => body["contents"] = json!([{"role": "user", "parts": [{"text": question}]}]),
        _ => body["messages"] = json!([{"role": "user", "content": question}]),
    }
}

#[tokio::test]
async fn tools_are_called_across_formats() {
    for (client, vendor) in pairs().filter(|(client, _)| *client != Api::Completion) {
        let scene = Scene::start().await;
        scene.let_fake("~strict");
        for stream in [false, true] {
            let answer = asked_with(&scene, client, vendor, stream, |body| with_tool(client, body)).await;
            let told = answer.text();
            assert_eq!(answer.status, 200, "{client:?} to {vendor:?}: {told}");
            assert!(told.contains("weather") && !told.contains("w0"), "{client:?} to {vendor:?}: {told}");
            // In pieces, or as the text of an object, or as an object.
            assert!(told.contains("Paris, "), "{client:?} to {vendor:?}: {told}");
            let stop = match client {
                Api::Chat => "tool_calls",
                Api::Responses => "function_call",
                Api::Gemini | Api::GeminiArray => "functionCall",
                _ => "tool_use",
            };
            assert!(told.contains(stop), "{client:?} to {vendor:?}: {told}");
        }
    }
}

#[tokio::test]
async fn no_credential_of_a_vendor_is_told() {
    for (client, vendor) in pairs() {
        let scene = Scene::start().await;
        for stream in [false, true] {
            let answer = asked(&scene, client, vendor, stream).await;
            assert!(!answer.text().contains(VENDOR_SECRET) && !format!("{:?}", answer.headers).contains(VENDOR_SECRET));
        }
        assert!(!scene.gateway.output().contains(VENDOR_SECRET));
    }
}
