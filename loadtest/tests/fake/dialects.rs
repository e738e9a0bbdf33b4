//! Each dialect as its vendor's clients expect it.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{chat, chat_body, exchange, get, post, provider, request};

const EIGHT_WORDS: &str = "w0 w1 w2 w3 w4 w5 w6 w7";

fn weather(tools: Value) -> Value {
    json!({"model": "m", "max_tokens": 100, "tools": tools, "messages": [{"role": "user", "content": "Weather in Paris?"}]})
}

/// The concatenation of the strings at `pointer` in every event.
fn joined(events: &[Value], pointer: &str) -> String {
    events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
}

#[tokio::test]
async fn openai_chat_is_answered_under_any_prefix() {
    let fake = provider();
    let answer = post(&fake, "/groq/openai/v1/chat/completions", chat_body("gpt-4o~cached=3~reasoning=2", false)).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["model"], "gpt-4o~cached=3~reasoning=2");
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"]["content"], EIGHT_WORDS);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let usage = &answer["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]),
        (&json!(5), &json!(10), &json!(15))
    );
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 3);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 2);
}

#[tokio::test]
async fn openai_stream_reports_usage_only_when_asked() {
    let fake = provider();
    let plain = chat(&fake, "gpt-4o", true).await;
    assert!(plain.header("content-type").unwrap().starts_with("text/event-stream"));
    let events = plain.events();
    assert_eq!(joined(&events, "/choices/0/delta/content"), EIGHT_WORDS);
    assert_eq!(events.last(), Some(&json!("[DONE]")));
    assert!(events.iter().all(|event| event.get("usage").is_none()));

    let mut body = chat_body("gpt-4o", true);
    body["stream_options"] = json!({"include_usage": true});
    let events = post(&fake, "/v1/chat/completions", body).await.events();
    let (usage_chunk, chunks) = events[..events.len() - 1].split_last().unwrap();
    assert!(chunks.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    assert_eq!(usage_chunk["choices"], json!([]));
    assert_eq!(usage_chunk["usage"]["total_tokens"], 10);
}

#[tokio::test]
async fn openai_answers_several_choices_and_bills_them_all() {
    let fake = provider();
    let mut body = chat_body("m~words=2", false);
    body["n"] = json!(3);
    let answer = post(&fake, "/v1/chat/completions", body).await.json();
    assert_eq!(answer["choices"].as_array().unwrap().len(), 3);
    assert_eq!(answer["usage"]["completion_tokens"], 6);
    assert_eq!(fake.books().last().unwrap().output_tokens, 6);
}

#[tokio::test]
async fn output_limits_cut_every_dialect() {
    let fake = provider();
    let mut body = chat_body("m~words=9~reasoning=2", false);
    body["max_tokens"] = json!(5);
    let answer = post(&fake, "/v1/chat/completions", body.clone()).await.json();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 5);
    let answer = post(&fake, "/v1/messages", body).await.json();
    assert_eq!((&answer["stop_reason"], &answer["content"][0]["text"]), (&json!("max_tokens"), &json!("w0 w1 w2")));
    let body = json!({"model": "m", "input": "hi", "max_output_tokens": 3});
    let answer = post(&fake, "/v1/responses", body).await.json();
    assert_eq!(
        (&answer["status"], &answer["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let body = json!({"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 3}});
    let answer = post(&fake, "/v1beta/models/m:generateContent", body).await.json();
    assert_eq!(answer["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(answer["usageMetadata"]["candidatesTokenCount"], 3);
}

#[tokio::test]
async fn openai_calls_the_tool_whole_and_in_pieces() {
    let fake = provider();
    let mut body = weather(json!([{"type": "function", "function": {"name": "look_out"}}]));
    let choice = post(&fake, "/v1/chat/completions", body.clone()).await.json()["choices"][0].take();
    assert_eq!(choice["finish_reason"], "tool_calls");
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "look_out");
    body["stream"] = json!(true);
    let events = post(&fake, "/v1/chat/completions", body).await.events();
    let arguments = joined(&events, "/choices/0/delta/tool_calls/0/function/arguments");
    assert_eq!(function["arguments"], arguments);
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"location": "Paris, France"}));
}

#[tokio::test]
async fn openai_text_completion() {
    let fake = provider();
    let answer = post(&fake, "/v1/completions", json!({"model": "m", "prompt": "hi"})).await.json();
    assert_eq!(answer["choices"][0]["text"], EIGHT_WORDS);
    let answer = post(&fake, "/v1/completions", json!({"model": "m", "prompt": "hi", "stream": true})).await;
    assert_eq!(joined(&answer.events(), "/choices/0/text"), EIGHT_WORDS);
}

#[tokio::test]
async fn openai_responses_build_up_by_named_events() {
    let fake = provider();
    let whole = post(&fake, "/v1/responses", json!({"model": "m", "input": "12345678"})).await.json();
    assert_eq!(whole["output"][0]["content"][0]["text"], EIGHT_WORDS);
    assert_eq!(whole["usage"]["total_tokens"], 10);
    let stream = post(&fake, "/v1/responses", json!({"model": "m~words=1", "input": "hi", "stream": true})).await;
    let names = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(stream.names(), names);
    let events = stream.events();
    assert!(events.iter().enumerate().all(|(n, event)| event["sequence_number"] == n && event["type"] == names[n]));
    assert_eq!(events[8]["response"]["usage"]["output_tokens"], 1);
}

#[tokio::test]
async fn openai_responses_call_the_tool() {
    let fake = provider();
    let tools = json!([{"type": "function", "name": "look_out"}]);
    let body = json!({"model": "m", "input": "weather", "tools": tools, "stream": true});
    let events = post(&fake, "/v1/responses", body).await.events();
    let item = &events.last().unwrap()["response"]["output"][0];
    assert_eq!((&item["type"], &item["name"]), (&json!("function_call"), &json!("look_out")));
    let deltas: Vec<Value> =
        events.iter().filter(|event| event["type"] == "response.function_call_arguments.delta").cloned().collect();
    assert!(deltas.len() > 1);
    assert_eq!(item["arguments"], joined(&deltas, "/delta"));
}

#[tokio::test]
async fn embeddings_honour_encoding_and_list_inputs() {
    let fake = provider();
    let body = json!({"model": "e", "input": ["a", "b"], "dimensions": 2, "encoding_format": "float"});
    let answer = post(&fake, "/v1/embeddings", body).await.json();
    assert_eq!(answer["data"][1], json!({"object": "embedding", "index": 1, "embedding": [0.5, 0.25]}));
    let body = json!({"model": "e", "input": [1, 2, 3], "dimensions": 2, "encoding_format": "base64"});
    let answer = post(&fake, "/v1/embeddings", body).await.json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 1);
    assert_eq!(answer["data"][0]["embedding"], "AAAAPwAAgD4=");
    assert_eq!(answer["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
}

#[tokio::test]
async fn anthropic_usage_keeps_cache_tokens_apart() {
    let fake = provider();
    let model = "claude~cached=5~cache_write=6~cache_write_1h=7~reasoning=3";
    let answer = post(&fake, "/v1/messages", chat_body(model, false)).await;
    assert!(answer.header("request-id").is_some());
    let answer = answer.json();
    assert_eq!(answer["content"], json!([{"type": "text", "text": EIGHT_WORDS}]));
    let usage = &answer["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(2), &json!(11)));
    assert_eq!((&usage["cache_read_input_tokens"], &usage["cache_creation_input_tokens"]), (&json!(5), &json!(13)));
    assert_eq!(usage["cache_creation"], json!({"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 7}));
}

#[tokio::test]
async fn anthropic_streams_named_events() {
    let fake = provider();
    let stream = post(&fake, "/v1/messages", chat_body("claude~words=1", true)).await;
    let names = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(stream.names(), names);
    let events = stream.events();
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 2);
    assert_eq!(events[3]["delta"], json!({"type": "text_delta", "text": "w0"}));
    assert_eq!(events[5]["usage"]["output_tokens"], 1);
}

#[tokio::test]
async fn anthropic_calls_the_tool_and_counts_tokens() {
    let fake = provider();
    let mut body = weather(json!([{"name": "look_out", "input_schema": {"type": "object"}}]));
    let answer = post(&fake, "/v1/messages", body.clone()).await.json();
    assert_eq!(answer["stop_reason"], "tool_use");
    assert_eq!(answer["content"][0]["input"], json!({"location": "Paris, France"}));
    body["stream"] = json!(true);
    let events = post(&fake, "/v1/messages", body.clone()).await.events();
    let arguments = joined(&events, "/delta/partial_json");
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"location": "Paris, France"}));
    let answer = post(&fake, "/v1/messages/count_tokens", body).await.json();
    assert_eq!(answer, json!({"input_tokens": 5}));
}

#[tokio::test]
async fn gemini_usage_adds_up() {
    let fake = provider();
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "12345678"}]}]});
    let model = "/v1/models/g~cached=3~reasoning=4~audio_in=1~tool_prompt=5:generateContent";
    let answer = post(&fake, model, body).await.json();
    assert_eq!(answer["candidates"][0]["content"]["parts"][0]["text"], EIGHT_WORDS);
    let usage = &answer["usageMetadata"];
    assert_eq!((&usage["promptTokenCount"], &usage["cachedContentTokenCount"]), (&json!(6), &json!(3)));
    assert_eq!((&usage["candidatesTokenCount"], &usage["thoughtsTokenCount"]), (&json!(8), &json!(4)));
    assert_eq!((&usage["toolUsePromptTokenCount"], &usage["totalTokenCount"]), (&json!(5), &json!(23)));
}

#[tokio::test]
async fn gemini_streams_events_or_an_array() {
    let fake = provider();
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "12345678"}]}]});
    let sse = post(&fake, "/v1beta/models/g:streamGenerateContent?alt=sse", body.clone()).await;
    let events = sse.events();
    assert_eq!(joined(&events, "/candidates/0/content/parts/0/text"), EIGHT_WORDS);
    assert!(events[..7].iter().all(|event| event["candidates"][0].get("finishReason").is_none()));
    assert_eq!(events[7]["candidates"][0]["finishReason"], "STOP");
    assert_eq!(events[7]["usageMetadata"]["totalTokenCount"], 10);
    let array = post(&fake, "/v1beta/models/g:streamGenerateContent", body).await;
    assert!(array.header("content-type").unwrap().starts_with("application/json"));
    let elements = array.json();
    assert_eq!(joined(elements.as_array().unwrap(), "/candidates/0/content/parts/0/text"), EIGHT_WORDS);
}

#[tokio::test]
async fn gemini_calls_the_function_counts_and_embeds() {
    let fake = provider();
    let contents = json!([{"role": "user", "parts": [{"text": "weather?"}]}]);
    let tools = json!([{"functionDeclarations": [{"name": "look_out"}]}]);
    let body = json!({"contents": contents, "tools": tools});
    let answer = post(&fake, "/v1beta/models/g:generateContent", body).await.json();
    let call = &answer["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!(call, &json!({"name": "look_out", "args": {"location": "Paris, France"}}));
    let answer = post(&fake, "/v1beta/models/g:countTokens", json!({"contents": contents})).await.json();
    assert_eq!(answer["totalTokens"], 2);
    let content = json!({"parts": [{"text": "x"}]});
    let answer = post(&fake, "/v1beta/models/e:embedContent", json!({"content": content})).await.json();
    assert_eq!(answer["embedding"]["values"].as_array().unwrap().len(), 8);
    let requests = json!({"requests": [{"content": content}, {"content": content}]});
    let answer = post(&fake, "/v1beta/models/e:batchEmbedContents", requests).await.json();
    assert_eq!(answer["embeddings"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn models_are_listed_in_the_dialect_that_asks() {
    let fake = provider();
    assert_eq!(get(&fake, "/v1/models").await.json()["object"], "list");
    assert!(get(&fake, "/v1beta/models").await.json()["models"].is_array());
    let mut asked = request(Method::GET, "/v1/models", "");
    asked.headers_mut().insert("anthropic-version", "2026-10-21".parse().unwrap());
    assert_eq!(exchange(fake.addr(), asked).await.json()["has_more"], false);
}

#[tokio::test]
async fn what_no_vendor_takes_is_refused() {
    let fake = provider();
    assert_eq!(post(&fake, "/v1/nothing", json!({})).await.status, 404);
    assert_eq!(post(&fake, "/v1/chat/completions", json!({"messages": []})).await.status, 400);
    assert_eq!(exchange(fake.addr(), request(Method::POST, "/v1/messages", "not json")).await.status, 400);
    let typo = chat(&fake, "m~wrods=3", false).await;
    assert_eq!(typo.status, 400);
    assert!(typo.body.contains("wrods=3"));
}
