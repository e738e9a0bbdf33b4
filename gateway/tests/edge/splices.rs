//! Same-dialect calls arrive byte for byte as they were sent, but for the documented splices.

use serde_json::json;

use super::support::scene::{Scene, reply};
use super::support::sha256;
use super::support::sse::Api;

/// What is sent to a path arrives as these bytes.
async fn assert_arrives(scene: &Scene, path: &str, sent: &str, arrives: &str) {
    let reply = reply(scene.post(path).body(sent.to_owned())).await;
    let entry = scene.entry();
    assert_eq!(
        entry.body_sha256,
        sha256(arrives.as_bytes()),
        "{sent}\nshould have arrived as\n{arrives}\nnot as\n{:?}",
        entry.body
    );
    assert_eq!(reply.status, 200, "{sent}: {}", reply.text());
}

async fn scene() -> Scene {
    Scene::with(|config| {
        for (vendor, model) in
            [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("gemini", "gemini-2.5-flash")]
        {
            config["providers"][vendor]["keys"][0]["aliases"] = json!({"house \"model\"": model, "house": model});
        }
    })
    .await
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn bodies_without_a_splice_are_identical() {
    let scene = scene().await;
    let odd = "\r\n\t{ \"x\" : [1.0e+5, -0, 1E300, 0.1000, null, true],\n\"messages\":[{\"role\":\"user\",\"content\":\
               \"\\u00e9\\ud83e\\udd80\\/ \\\"model\\\": é🦀\"}] , \"\":{\"model\":\"inner\",\"stream\":true},\
               \"metadata\":{\"fallbacks\":\"[mine]\"}, \"stream\" :false,\"model\": \"MODEL\" } \n";
    for (path, model) in [
        (CHAT, "gpt-4o"),
        ("/v1/completions", "gpt-3.5-turbo-instruct"),
        ("/v1/embeddings", "text-embedding-3-small"),
        ("/v1/responses", "gpt-4o"),
        ("/v1/messages", "claude-sonnet-4-5"),
        ("/v1/messages/count_tokens", "claude-sonnet-4-5"),
        // The escaped name is the same name, and stays as it is written.
        (CHAT, "gpt\\u002d4o"),
    ] {
        let body = odd.replace("MODEL", model);
        assert_arrives(&scene, path, &body, &body).await;
    }
    let gemini = "{\"contents\" : [ ] ,\n \"generationConfig\":{ },\"x\":1e2}";
    for action in ["generateContent", "streamGenerateContent", "countTokens"] {
        assert_arrives(&scene, &format!("/v1beta/models/gemini-2.5-flash:{action}"), gemini, gemini).await;
    }
}

#[tokio::test]
async fn a_prefixed_or_aliased_model_is_the_only_change() {
    let scene = scene().await;
    for (path, vendor, model) in [
        (CHAT, "openai", "gpt-4o"),
        ("/v1/responses", "openai", "gpt-4o"),
        ("/v1/embeddings", "openai", "text-embedding-3-small"),
        ("/v1/messages", "anthropic", "claude-sonnet-4-5"),
    ] {
        let body = |name: &str| format!("{{ \"a\":[ ],\"model\" :{name} , \"messages\":[ ],\"input\":\"x\"}}");
        let sent = body(&format!("\"{vendor}/{model}\""));
        assert_arrives(&scene, path, &sent, &body(&format!("\"{model}\""))).await;
    }
    let body = |name: &str| format!("{{\"messages\":[],\"model\": {name}}}");
    // All three vendors have the alias, so one is named.
    for alias in ["\"openai/house\"", "\"openai/house \\\"model\\\"\"", "\"openai/h\\u006fuse\""] {
        assert_arrives(&scene, CHAT, &body(alias), &body("\"gpt-4o\"")).await;
    }
    let gemini = "{\"contents\":[]}";
    for path in ["/v1beta/models/gemini%2Fhouse:generateContent", "/models/gemini%2Fhouse:generateContent"] {
        assert_arrives(&scene, path, gemini, gemini).await;
        assert_eq!(scene.entry().path, "/v1beta/models/gemini-2.5-flash:generateContent");
    }
}

#[tokio::test]
async fn fallbacks_are_taken_out_with_their_comma() {
    let scene = scene().await;
    let rest = "\"model\":\"gpt-4o\",\"messages\":[]";
    let fallbacks = "\"fallbacks\" : [\"openai/gpt-4o-mini\"]";
    for (sent, arrives) in [
        (format!("{{{fallbacks},{rest}}}"), format!("{{{rest}}}")),
        (format!("{{{rest},{fallbacks}}}"), format!("{{{rest}}}")),
        (format!("{{\"a\":1,{fallbacks},{rest}}}"), format!("{{\"a\":1,{rest}}}")),
    ] {
        assert_arrives(&scene, CHAT, &sent, &arrives).await;
    }
}

#[tokio::test]
async fn openai_streams_ask_for_usage_and_change_nothing_else() {
    let scene = scene().await;
    let asks = "\"stream_options\":{\"include_usage\":true}";
    for (path, model) in [(CHAT, "gpt-4o"), ("/v1/completions", "gpt-3.5-turbo-instruct")] {
        let rest = format!("\"model\":\"{model}\", \"stream\":true,\"messages\":[ ],\"prompt\":\"x\"");
        let cases = [
            (format!("{{{rest}}}"), format!("{{{asks},{rest}}}")),
            (format!("{{{rest},{asks}}}"), format!("{{{rest},{asks}}}")),
            (
                format!("{{{rest},\"stream_options\":{{ \"include_usage\" : false }}}}"),
                format!("{{{rest},\"stream_options\":{{ \"include_usage\" : true }}}}"),
            ),
            (
                format!("{{{rest},\"stream_options\":{{\"include_obfuscation\":false}}}}"),
                format!("{{{rest},\"stream_options\":{{\"include_usage\":true,\"include_obfuscation\":false}}}}"),
            ),
            (format!("{{{rest},\"stream_options\":null}}"), format!("{{{rest},{asks}}}")),
        ];
        for (sent, arrives) in cases {
            assert_arrives(&scene, path, &sent, &arrives).await;
        }
    }
    let responses = "{\"model\":\"gpt-4o\",\"stream\":true,\"input\":\"x\"}";
    assert_arrives(&scene, "/v1/responses", responses, responses).await;
    let messages = Api::Messages.body("claude-sonnet-4-5", true, "x").to_string();
    assert_arrives(&scene, "/v1/messages", &messages, &messages).await;
}
