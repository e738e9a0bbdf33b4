//! Tokens and cost of every kind of call equal what the vendor says it used, at the prices of the list.

use serde_json::{Value, json};

use super::support::prices::{Tokens, as_usd, listed};
use super::support::scene::{Reply, Scene, reply};
use super::support::sse::Api;

const USAGES: [&str; 8] = [
    "",
    "~words=1",
    "~cached=700~words=33",
    "~cache_write=111~cache_write_1h=222~cached=333",
    "~reasoning=77",
    "~audio_in=55~audio_out=44",
    "~tool_prompt=66",
    "~cached=12345~cache_write=2345~cache_write_1h=345~reasoning=45~audio_in=567~audio_out=678~words=300",
];

/// The access log's line says what the books say, and what that costs.
async fn assert_metered(scene: &Scene, what: &str, answer: &Reply, api: Api, listed: &str) {
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    let entry = scene.entry();
    let usage = entry.usage.as_ref().unwrap_or_else(|| panic!("{what}: no usage was reported"));
    let tokens = Tokens::of(api, usage);
    let line = scene.logged(answer).await;
    assert_eq!(line["tokens.source"], "reported", "{what}: {line}");
    let counted = [&line["tokens.input"], &line["tokens.output"]];
    assert_eq!(counted, [&json!(tokens.input_total()), &json!(tokens.output_total())], "{what}: {line}\n{usage}");
    let optional = |count: u64| if count > 0 { json!(count) } else { Value::Null };
    assert_eq!(line["tokens.cache_read"], optional(tokens.cached), "{what}: {line}");
    assert_eq!(line["tokens.cache_write"], optional(tokens.write + tokens.write_1h), "{what}: {line}");
    assert_eq!(line["tokens.reasoning"], optional(tokens.reasoning), "{what}: {line}");
    assert_eq!(line["cost_usd"], as_usd(tokens.nano_dollars(listed)), "{what}: {line}\n{usage}");
}

#[tokio::test]
async fn every_kind_of_token_is_counted_and_priced_in_whole_answers() {
    for api in [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini] {
        let scene = Scene::start().await;
        for usage in USAGES {
            for shape in ["", "~nocontentlength~chunk_bytes=11"] {
                scene.let_fake(&format!("{usage}{shape}"));
                let answer = scene.asked(api, api.model(), false).await;
                assert_metered(&scene, &format!("{api:?} {usage}{shape}"), &answer, api, &listed(api)).await;
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_token_is_counted_and_priced_in_streams() {
    for api in Api::ALL {
        let scene = Scene::start().await;
        for usage in USAGES {
            for shape in ["", "~crlf~comments~chunk_bytes=13"] {
                scene.let_fake(&format!("{usage}{shape}"));
                let answer = scene.asked(api, api.model(), true).await;
                assert_metered(&scene, &format!("{api:?} {usage}{shape}"), &answer, api, &listed(api)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_call_beyond_a_step_of_the_price_list_is_priced_at_that_step() {
    let scene = Scene::start().await;
    for cached in [199_990, 200_000, 900_000] {
        scene.let_fake(&format!("~cached={cached}~words=50"));
        for stream in [false, true] {
            let answer = scene.asked(Api::Gemini, "gemini-2.5-pro", stream).await;
            assert_metered(&scene, &format!("{cached}"), &answer, Api::Gemini, "gemini/gemini-2.5-pro").await;
        }
    }
}

#[tokio::test]
async fn several_choices_and_tool_calls_are_counted() {
    let scene = Scene::start().await;
    for stream in [false, true] {
        let mut many = Api::Chat.body("gpt-4o", stream, "hi");
        many["n"] = json!(3);
        let answer = reply(scene.post("/v1/chat/completions").body(many.to_string())).await;
        assert_metered(&scene, "n", &answer, Api::Chat, "gpt-4o").await;
        assert_eq!(scene.entry().output_tokens, 24);

        let mut tool = Api::Chat.body("gpt-4o", stream, "the weather?");
        tool["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": {}}}]);
        let answer = reply(scene.post("/v1/chat/completions").body(tool.to_string())).await;
        assert_metered(&scene, "tool", &answer, Api::Chat, "gpt-4o").await;
        assert!(answer.text().contains("tool_calls"));

        let mut tool = Api::Messages.body("claude-sonnet-4-5", stream, "the weather?");
        tool["tools"] = json!([{"name": "weather", "input_schema": {}}]);
        let answer = reply(scene.post("/v1/messages").body(tool.to_string())).await;
        assert_metered(&scene, "tool", &answer, Api::Messages, "claude-sonnet-4-5").await;
        assert!(answer.text().contains("tool_use"));
    }
}

#[tokio::test]
async fn embeddings_are_metered_and_counting_is_free() {
    let scene = Scene::start().await;
    let body = json!({"model": "text-embedding-3-small", "input": ["some text to embed", "and some more"]});
    let answer = reply(scene.post("/v1/embeddings").body(body.to_string())).await;
    assert_metered(&scene, "embedding", &answer, Api::Chat, "text-embedding-3-small").await;

    // Gemini reports no usage for embeddings.
    let body = json!({"content": {"parts": [{"text": "x".repeat(400)}]}});
    let answer = reply(scene.post("/v1beta/models/gemini-embedding-001:embedContent").body(body.to_string())).await;
    let line = scene.logged(&answer).await;
    assert_eq!((&line["tokens.source"], &line["tokens.output"]), (&json!("estimated"), &json!(0)), "{line}");
    assert!((100..200).contains(&line["tokens.input"].as_u64().unwrap()), "{line}");

    for (path, body) in [
        ("/v1/messages/count_tokens", Api::Messages.body("claude-sonnet-4-5", false, "hi")),
        ("/v1beta/models/gemini-2.5-flash:countTokens", Api::Gemini.body("", false, "hi")),
    ] {
        let answer = reply(scene.post(path).body(body.to_string())).await;
        assert_eq!(answer.status, 200);
        let line = scene.logged(&answer).await;
        assert_eq!((line.get("cost_usd"), line.get("tokens.input")), (None, None), "{line}");
    }
}

#[tokio::test]
async fn an_explicit_zero_is_zero() {
    let scene = Scene::start().await;
    scene.let_fake("~zerousage");
    for api in Api::ALL {
        for stream in [false, true] {
            let answer = scene.asked(api, api.model(), stream).await;
            let line = scene.logged(&answer).await;
            let told = [&line["tokens.input"], &line["tokens.output"], &line["tokens.source"], &line["cost_usd"]];
            assert_eq!(
                told,
                [&json!(0), &json!(0), &json!("reported"), &json!("0.000000000")],
                "{api:?} {stream}: {line}"
            );
        }
    }
}

#[tokio::test]
async fn what_nobody_reports_is_estimated_and_not_free() {
    let scene = Scene::start().await;
    scene.let_fake("~nousage~words=100~big=8");
    for api in Api::ALL {
        for stream in [false, true] {
            let answer = scene.asked(api, api.model(), stream).await;
            let line = scene.logged(&answer).await;
            assert_eq!(line["tokens.source"], "estimated", "{api:?} {stream}: {line}");
            let output = line["tokens.output"].as_u64().unwrap();
            assert!((100..=1_000).contains(&output), "{api:?} {stream}: {line}");
            assert!(line["tokens.input"].as_u64().unwrap() >= 2, "{api:?} {stream}: {line}");
            assert_ne!(line["cost_usd"], "0.000000000", "{line}");
        }
    }
}

#[tokio::test]
async fn an_error_answer_costs_nothing() {
    let scene = Scene::start().await;
    for api in [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini] {
        for fault in ["~status=400", "~status=401", "~status=429", "~status=500", "~status=503~html"] {
            scene.let_fake(fault);
            let answer = scene.asked(api, api.model(), false).await;
            assert!(answer.status >= 400);
            let line = scene.logged(&answer).await;
            assert_eq!((line.get("cost_usd"), line.get("tokens.output")), (None, None), "{api:?} {fault}: {line}");
        }
    }
}

#[tokio::test]
async fn a_model_without_a_price_is_counted_but_has_no_cost() {
    let scene = Scene::start().await;
    let answer = scene.asked(Api::Chat, "openai/brand-new-model", false).await;
    let line = scene.logged(&answer).await;
    assert_eq!(line["tokens.output"], 8);
    assert_eq!(line.get("cost_usd"), None, "{line}");
}
