use policy::demand::{Demand, OPEN_SEARCHES};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CHAT: Operation = Operation::ChatCompletion;

fn openai(operation: Operation, body: &Value) -> Peek {
    peek(Dialect::OpenAi, operation, body.to_string().as_bytes()).unwrap()
}

fn chat(body: &str) -> Result<Peek, PeekError> {
    peek(Dialect::OpenAi, CHAT, body.as_bytes())
}

/// The demand of a body with its text bytes left out, which the tests of text look at.
fn demand(dialect: Dialect, operation: Operation, body: &Value) -> Demand {
    let peek = peek(dialect, operation, body.to_string().as_bytes()).unwrap();
    Demand { text_bytes: 0, ..peek.demand }
}

fn length(value: &Value) -> u64 {
    value.to_string().len() as u64
}

const ONE: Demand = Demand {
    text_bytes: 0,
    images: 0,
    audio_bytes: 0,
    file_bytes: 0,
    unseen: false,
    max_output: None,
    limit_is_open: false,
    limit_is_assumed: false,
    prediction_bytes: 0,
    choices: 1,
    prompts: 1,
    searches: 0,
    tier_is_open: false,
    tier_is_named: false,
    is_fast: false,
    is_regional: false,
};

#[test]
fn a_chat_body_tells_model_stream_and_demand() {
    let messages = json!([{"role": "user", "content": "Hi \"there\"\n"}]);
    let body =
        json!({"model": "gpt-4o", "stream": true, "messages": messages, "max_tokens": 10, "n": 2, "temperature": 0.5});
    let peek = openai(CHAT, &body);
    assert_eq!((peek.model.as_deref(), peek.stream, peek.client_wants_usage), (Some("gpt-4o"), true, false));
    let expected = Demand { text_bytes: length(&messages), max_output: Some(10), choices: 2, ..ONE };
    assert_eq!(peek.demand, expected);
}

#[test]
fn what_is_not_known_counts_as_input() {
    let body = json!({"model": "m", "messages": [], "documents": ["text"], "user": "not input"});
    assert_eq!(openai(CHAT, &body).demand.text_bytes, 2 + length(&json!(["text"])));
}

#[test]
fn output_limits_are_read_where_the_operation_has_them() {
    let cases = [
        (Dialect::OpenAi, CHAT, json!({"model": "m", "max_tokens": 5, "max_completion_tokens": 7}), Some(7)),
        (Dialect::OpenAi, CHAT, json!({"model": "m", "max_tokens": 5, "max_completion_tokens": null}), Some(5)),
        (Dialect::OpenAi, CHAT, json!({"model": "m", "max_tokens": 12.0}), Some(12)),
        (Dialect::OpenAi, CHAT, json!({"model": "m", "max_output_tokens": 5}), None),
        (Dialect::OpenAi, Operation::TextCompletion, json!({"model": "m"}), Some(16)),
        (Dialect::OpenAi, Operation::TextCompletion, json!({"model": "m", "max_tokens": 0}), Some(0)),
        (
            Dialect::OpenAi,
            Operation::Responses,
            json!({"model": "m", "max_output_tokens": 9, "max_tokens": 1}),
            Some(9),
        ),
        (Dialect::OpenAi, Operation::Responses, json!({"model": "m", "max_tokens": 1}), None),
        (Dialect::OpenAi, Operation::Embedding, json!({"model": "m", "input": "x"}), Some(0)),
        (Dialect::Anthropic, CHAT, json!({"model": "m", "max_tokens": 1024}), Some(1024)),
        (Dialect::Anthropic, Operation::CountTokens, json!({"model": "m"}), Some(0)),
        (Dialect::Gemini, CHAT, json!({"generationConfig": {"maxOutputTokens": 8}}), Some(8)),
        (Dialect::Gemini, CHAT, json!({"generation_config": {"max_output_tokens": 8}}), Some(8)),
        (Dialect::Gemini, CHAT, json!({"maxOutputTokens": 8}), None),
        (Dialect::Gemini, Operation::Embedding, json!({"content": {}}), Some(0)),
    ];
    for (dialect, operation, body, expected) in cases {
        assert_eq!(demand(dialect, operation, &body).max_output, expected, "{body}");
    }
}

#[test]
fn a_limit_of_zero_is_open_where_vendors_may_read_it_as_none() {
    let cases = [
        (Dialect::OpenAi, CHAT, json!({"model": "m", "max_tokens": 0}), true),
        (Dialect::OpenAi, CHAT, json!({"model": "m", "max_tokens": 0, "max_completion_tokens": 1}), false),
        (Dialect::OpenAi, Operation::Responses, json!({"model": "m", "max_output_tokens": 0}), true),
        (Dialect::Gemini, CHAT, json!({"generationConfig": {"maxOutputTokens": 0}}), true),
        (Dialect::OpenAi, Operation::TextCompletion, json!({"model": "m", "max_tokens": 0}), false),
        (Dialect::OpenAi, Operation::Embedding, json!({"model": "m", "input": "x"}), false),
        (Dialect::OpenAi, CHAT, json!({"model": "m"}), false),
    ];
    for (dialect, operation, body, is_open) in cases {
        assert_eq!(demand(dialect, operation, &body).limit_is_open, is_open, "{body}");
    }
}

#[test]
fn a_limit_that_only_the_api_documents_is_not_the_clients() {
    for (body, own_limit) in [
        (json!({"model": "m"}), None),
        (json!({"model": "m", "max_tokens": null}), None),
        (json!({"model": "m", "max_tokens": 16}), Some(16)),
        (json!({"model": "m", "max_tokens": 0}), Some(0)),
    ] {
        let demand = demand(Dialect::OpenAi, Operation::TextCompletion, &body);
        assert_eq!((demand.own_limit(), demand.limit_is_assumed), (own_limit, own_limit.is_none()), "{body}");
        assert_eq!(demand.max_output, own_limit.or(Some(16)), "{body}");
    }
}

#[test]
fn what_is_predicted_is_noticed() {
    let parts = json!([{"type": "text", "text": "abc"}]);
    let cases = [
        (json!({"type": "content", "content": "a".repeat(1_000)}), 1_002),
        (json!({"type": "content", "content": parts}), length(&parts)),
        (json!(null), 0),
    ];
    for (prediction, bytes) in cases {
        let body = json!({"model": "m", "prediction": prediction});
        assert_eq!(openai(CHAT, &body).demand.prediction_bytes, bytes, "{body:.100}");
    }
    let twice = r#"{"model": "m", "prediction": null, "prediction": {"content": "abc"}}"#;
    assert_eq!(chat(twice).unwrap_err(), PeekError::DuplicateField("prediction"));
}

#[test]
fn two_kinds_of_one_medium_are_neither() {
    let gemini = r#"{"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav", "mime_type": "audio/wav", "data": "AAAA"}}]}]}"#;
    assert!(peek(Dialect::Gemini, CHAT, gemini.as_bytes()).unwrap().demand.unseen);
    let openai = r#"{"model": "m", "messages": [{"content": [{"type": "input_audio", "input_audio": {"format": "flac", "format": "wav", "data": "AAAA"}}]}]}"#;
    assert!(chat(openai).unwrap().demand.unseen);
}

#[test]
fn every_answer_is_counted() {
    let cases = [
        (Dialect::OpenAi, CHAT, json!({"model": "m", "n": null}), 1),
        (Dialect::OpenAi, CHAT, json!({"model": "m", "n": 0}), 1),
        (Dialect::OpenAi, CHAT, json!({"model": "m", "n": 3, "best_of": 9}), 3),
        (Dialect::OpenAi, CHAT, json!({"model": "m", "n": 99_999_999_999_u64}), u32::MAX),
        (Dialect::OpenAi, Operation::TextCompletion, json!({"model": "m", "n": 2, "best_of": 4, "prompt": "x"}), 4),
        (Dialect::OpenAi, Operation::TextCompletion, json!({"model": "m", "n": 2, "prompt": ["x", "y", "z"]}), 6),
        (Dialect::OpenAi, Operation::TextCompletion, json!({"model": "m", "prompt": [1, 2, 3]}), 1),
        (Dialect::OpenAi, Operation::TextCompletion, json!({"model": "m", "prompt": [[1], [2, 3]]}), 2),
        (Dialect::OpenAi, Operation::TextCompletion, json!({"model": "m", "prompt": []}), 1),
        (Dialect::Gemini, CHAT, json!({"generationConfig": {"candidateCount": 4}}), 4),
        (Dialect::Gemini, CHAT, json!({"generation_config": {"candidate_count": 4}}), 4),
    ];
    for (dialect, operation, body, expected) in cases {
        assert_eq!(demand(dialect, operation, &body).choices, expected, "{body}");
    }
}

#[test]
fn media_are_no_text() {
    let data = "A".repeat(4_000);
    let url = format!("data:image/png;base64,{data}");
    let pdf = format!("data:application/pdf;base64,{data}");
    let image = Demand { images: 1, ..ONE };
    let audio = Demand { audio_bytes: 3_000, ..ONE };
    let file = Demand { file_bytes: 3_000, ..ONE };
    let [any_audio, any_file] = [audio, file].map(|demand| Demand { unseen: true, ..demand });
    let text = format!("data:text/csv;charset=utf-8;base64,{data}");
    let openai = |part: Value| json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
    let responses = |item: Value| json!({"model": "m", "input": [item]});
    let input = |part: Value| responses(json!({"role": "user", "content": [part]}));
    let anthropic = |block: Value| json!({"model": "m", "messages": [{"role": "user", "content": [block]}]});
    let base64 = |kind: &str| json!({"type": "base64", "media_type": kind, "data": data});
    let gemini = |part: Value| json!({"contents": [{"parts": [part]}]});
    let blob = |kind: &str| json!({"mimeType": kind, "data": data});
    let chat = (Dialect::OpenAi, CHAT);
    let response = (Dialect::OpenAi, Operation::Responses);
    let messages = (Dialect::Anthropic, CHAT);
    let generate = (Dialect::Gemini, CHAT);
    let cases = [
        (chat, openai(json!({"type": "image_url", "image_url": {"url": url, "detail": "high"}})), image),
        (chat, openai(json!({"type": "image_url", "image_url": {"url": pdf}})), any_file),
        (chat, openai(json!({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})), audio),
        (chat, openai(json!({"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}})), audio),
        (chat, openai(json!({"type": "input_audio", "input_audio": {"data": data, "format": "flac"}})), any_audio),
        (chat, openai(json!({"type": "file", "file": {"file_data": pdf, "filename": "a.pdf"}})), any_file),
        (chat, openai(json!({"type": "file", "file": {"file_data": data}})), any_file),
        (chat, openai(json!({"type": "file", "file": {"file_data": text}})), file),
        (response, input(json!({"type": "input_image", "image_url": url})), image),
        (response, input(json!({"type": "input_file", "file_data": pdf})), any_file),
        (response, input(json!({"type": "input_audio", "input_audio": {"data": data}})), any_audio),
        (response, responses(json!({"type": "image_generation_call", "id": "ig", "result": data})), image),
        (
            response,
            responses(
                json!({"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": url}}),
            ),
            image,
        ),
        (
            response,
            responses(json!({"type": "function_call_output", "output": [{"type": "input_image", "image_url": url}]})),
            image,
        ),
        (messages, anthropic(json!({"type": "image", "source": base64("image/png")})), image),
        (messages, anthropic(json!({"source": base64("application/pdf"), "type": "document"})), any_file),
        (
            messages,
            anthropic(json!({"type": "tool_result", "content": [{"type": "image", "source": base64("image/png")}]})),
            image,
        ),
        (generate, gemini(json!({"inlineData": blob("image/png")})), image),
        (generate, gemini(json!({"inline_data": {"mime_type": "audio/mp3", "data": data}})), audio),
        (generate, gemini(json!({"inlineData": blob("audio/WAV; rate=8000")})), audio),
        (generate, gemini(json!({"inlineData": blob("audio/flac")})), any_audio),
        (generate, gemini(json!({"inlineData": blob("audio/ogg")})), any_audio),
        (generate, gemini(json!({"inlineData": blob("application/pdf")})), any_file),
        (generate, gemini(json!({"inlineData": {"data": data}})), any_file),
        (generate, gemini(json!({"inlineData": blob("text/markdown")})), file),
        (generate, gemini(json!({"inlineData": blob("application/json")})), file),
        (generate, gemini(json!({"functionResponse": {"parts": [{"inlineData": blob("image/png")}]}})), image),
    ];
    for ((dialect, operation), body, expected) in cases {
        let text = body.to_string();
        let peek = peek(dialect, operation, text.as_bytes()).unwrap();
        assert!(peek.demand.text_bytes < 300, "{} bytes of text in {:.200}", peek.demand.text_bytes, text);
        assert_eq!(Demand { text_bytes: 0, ..peek.demand }, expected, "{text:.200}");
    }
}

#[test]
fn an_image_elsewhere_is_an_image() {
    let url = "https://example.com/a.png";
    let cases = [
        (Dialect::OpenAi, json!({"type": "image_url", "image_url": {"url": url}})),
        (Dialect::Anthropic, json!({"type": "image", "source": {"type": "url", "url": url}})),
        (Dialect::Anthropic, json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}})),
    ];
    for (dialect, part) in cases {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
        assert_eq!(demand(dialect, CHAT, &body), Demand { images: 1, ..ONE }, "{body}");
    }
}

#[test]
fn text_cannot_be_passed_off_as_media() {
    let data = "A".repeat(4_000);
    let cases = [
        // Where no medium can stand, and where the vendor reads text.
        (
            Dialect::OpenAi,
            json!({"model": "m", "tools": [{"type": "function", "image_url": format!("data:image/png;base64,{data}")}]}),
        ),
        (
            Dialect::OpenAi,
            json!({"model": "m", "messages": [{"role": "user", "content": format!("data:image/png;base64,{data}")}]}),
        ),
        (
            Dialect::OpenAi,
            json!({"model": "m", "messages": [{"role": "user", "image_url": format!("data:image/png;base64,{data}")}]}),
        ),
        (
            Dialect::Anthropic,
            json!({"model": "m", "messages": [{"content": [{"type": "text", "text": "x", "source": {"type": "base64", "data": data}}]}]}),
        ),
        (
            Dialect::Anthropic,
            json!({"model": "m", "messages": [{"content": [{"type": "document", "source": {"type": "text", "data": data}}]}]}),
        ),
        (Dialect::Gemini, json!({"contents": [{"parts": [{"text": data}]}]})),
    ];
    for (dialect, body) in cases {
        let text = body.to_string();
        assert!(peek(dialect, CHAT, text.as_bytes()).unwrap().demand.text_bytes >= 4_000, "{text:.200}");
    }
}

#[test]
fn what_cannot_be_seen_is_noticed() {
    let content = |part: Value| json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
    let chat = [
        json!({"model": "m", "web_search_options": {"search_context_size": "low"}}),
        json!({"model": "m", "web_search_options": {}}),
        json!({"model": "m", "tools": [{"type": "web_search"}]}),
        json!({"model": "m", "messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}),
        content(json!({"type": "file", "file": {"file_id": "file-1"}})),
        content(json!({"type": "video_url", "video_url": {"url": "https://example.com/v.mp4"}})),
    ];
    let responses = [
        json!({"model": "m", "previous_response_id": "resp_1"}),
        json!({"model": "m", "conversation": {"id": "conv_1"}}),
        json!({"model": "m", "prompt": {"id": "pmpt_1"}}),
        json!({"model": "m", "tools": [{"type": "function"}, {"type": "file_search"}]}),
        json!({"model": "m", "tools": [{"type": "mcp"}]}),
        json!({"model": "m", "tools": [{"type": "computer_use_preview"}]}),
        json!({"model": "m", "input": [{"id": "msg_1"}]}),
        json!({"model": "m", "input": [{"type": "item_reference", "id": "msg_1"}]}),
        json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x"}]}]}),
    ];
    let anthropic = [
        json!({"model": "m", "tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        json!({"model": "m", "tools": [{"type": "computer_20250124"}]}),
        json!({"model": "m", "mcp_servers": [{"url": "https://x"}]}),
        json!({"model": "m", "container": "c_1"}),
        json!({"model": "m", "context_management": {"edits": [{"type": "compact_20260112"}]}}),
        content(json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}})),
        content(json!({"type": "container_upload", "file_id": "file_1"})),
    ];
    let gemini = [
        json!({"cachedContent": "cachedContents/1"}),
        json!({"cached_content": "cachedContents/1"}),
        json!({"tools": [{"googleSearch": {}}]}),
        json!({"tools": {"google_search": {}}}),
        json!({"tools": [{"functionDeclarations": []}, {"codeExecution": {}}]}),
        json!({"tools": [{"url_context": {}}]}),
        json!({"contents": [{"parts": [{"fileData": {"fileUri": "https://x"}}]}]}),
        json!({"contents": {"parts": {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}}}),
    ];
    let all = [
        (Dialect::OpenAi, CHAT, chat.as_slice()),
        (Dialect::OpenAi, Operation::Responses, &responses),
        (Dialect::Anthropic, CHAT, &anthropic),
        (Dialect::Gemini, CHAT, &gemini),
    ];
    for (dialect, operation, bodies) in all {
        for body in bodies {
            assert!(demand(dialect, operation, body).unseen, "{body}");
        }
    }
}

#[test]
fn searches_are_bounded_by_the_request_or_by_default() {
    let chat = [
        (json!({"web_search_options": {}}), OPEN_SEARCHES),
        (json!({"web_search_options": {"search_context_size": "low"}}), OPEN_SEARCHES),
        (json!({"web_search_options": null}), 0),
        (json!({"tools": [{"type": "function", "function": {"name": "web_search"}}]}), 0),
        (json!({"tools": [{"type": "web_search"}], "max_tool_calls": 3}), OPEN_SEARCHES),
    ];
    let responses = [
        (json!({"tools": [{"type": "web_search"}]}), OPEN_SEARCHES),
        (json!({"tools": [{"type": "web_search_preview_2025_03_11"}, {"type": "file_search"}]}), OPEN_SEARCHES),
        (json!({"tools": [{"type": "web_search"}, {"type": "web_search_preview"}]}), 2 * OPEN_SEARCHES),
        (json!({"tools": [{"type": "web_search"}], "max_tool_calls": 3}), 3),
        (json!({"max_tool_calls": 25, "tools": [{"type": "web_search"}]}), 25),
        (json!({"tools": [{"type": "web_search"}], "max_tool_calls": null}), OPEN_SEARCHES),
        (json!({"tools": [{"type": "file_search"}], "max_tool_calls": 3}), 0),
    ];
    let anthropic = [
        (json!({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]}), 5),
        (json!({"tools": [{"max_uses": 25, "type": "web_search_20260209"}]}), 25),
        (json!({"tools": [{"type": "web_search_20250305", "max_uses": null}]}), OPEN_SEARCHES),
        (json!({"tools": [{"type": "web_search_20250305", "max_uses": "5"}]}), OPEN_SEARCHES),
        (
            json!({"tools": [{"type": "web_search_20250305"}, {"type": "web_search_20250305", "max_uses": 2}]}),
            OPEN_SEARCHES + 2,
        ),
        (json!({"tools": [{"type": "web_fetch_20250910", "max_uses": 5}, {"name": "web_search"}]}), 0),
    ];
    let gemini = [
        (json!({"tools": [{"google_search": {}}]}), OPEN_SEARCHES),
        (json!({"tools": {"googleSearch": {}}}), OPEN_SEARCHES),
        (json!({"tools": [{"googleSearchRetrieval": {}}]}), OPEN_SEARCHES),
        (json!({"tools": [{"functionDeclarations": [{"name": "googleSearch"}]}, {"urlContext": {}}]}), 0),
    ];
    let all = [
        (Dialect::OpenAi, CHAT, chat.as_slice()),
        (Dialect::OpenAi, Operation::Responses, &responses),
        (Dialect::Anthropic, CHAT, &anthropic),
        (Dialect::Gemini, CHAT, &gemini),
    ];
    for (dialect, operation, bodies) in all {
        for (body, expected) in bodies {
            let mut body = body.clone();
            body["model"] = json!("m");
            let demand = demand(dialect, operation, &body);
            assert_eq!(demand.searches, *expected, "{body}");
            assert!(demand.unseen || demand.searches == 0, "what is found is read: {body}");
        }
    }
}

#[test]
fn two_bounds_of_one_search_are_refused() {
    let body = r#"{"model": "m", "tools": [{"type": "web_search_20250305", "max_uses": 1, "max_uses": 99}]}"#;
    let error = peek(Dialect::Anthropic, CHAT, body.as_bytes()).unwrap_err();
    assert_eq!(error, PeekError::DuplicateField("tools.max_uses"));
    let body = r#"{"model": "m", "tools": [{"type": "web_search"}], "max_tool_calls": 1, "max_tool_calls": 99}"#;
    let error = peek(Dialect::OpenAi, Operation::Responses, body.as_bytes()).unwrap_err();
    assert_eq!(error, PeekError::DuplicateField("max_tool_calls"));
}

#[test]
fn each_input_of_a_batch_is_a_prompt() {
    let openai = [
        (json!("one"), 1),
        (json!([1, 2, 3]), 1),
        (json!(["one", "two"]), 2),
        (json!([[1, 2], [3], [4]]), 3),
        (json!([]), 1),
    ];
    for (input, prompts) in openai {
        let embedding = demand(Dialect::OpenAi, Operation::Embedding, &json!({"model": "m", "input": input}));
        assert_eq!(embedding.prompts, prompts, "{input}");
        let completion =
            demand(Dialect::OpenAi, Operation::TextCompletion, &json!({"model": "m", "prompt": input, "n": 2}));
        assert_eq!((completion.prompts, completion.choices), (prompts, 2 * prompts), "{input}");
    }
    let request = json!({"model": "models/m", "content": {"parts": [{"text": "x"}]}});
    let gemini = json!({"requests": [request, request, request]});
    assert_eq!(demand(Dialect::Gemini, Operation::Embedding, &gemini).prompts, 3);
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]});
    assert_eq!(demand(Dialect::OpenAi, CHAT, &chat).prompts, 1);
}

#[test]
fn what_is_all_there_is_seen() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let cases = [
        (
            Dialect::OpenAi,
            CHAT,
            json!({"model": "m", "tools": [{"type": "function"}, {"type": "custom"}], "web_search_options": null}),
        ),
        (
            Dialect::OpenAi,
            Operation::Responses,
            json!({"model": "m", "input": [{"role": "user", "content": "x"}, call], "previous_response_id": null}),
        ),
        (
            Dialect::Anthropic,
            CHAT,
            json!({"model": "m", "tools": [{"name": "f"}, {"type": "custom"}, {"type": "bash_20250124"}], "mcp_servers": [],
                "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
                "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "tool_result", "content": "y"}]}]}),
        ),
        (
            Dialect::Gemini,
            CHAT,
            json!({"tools": [{"function_declarations": [{"name": "f"}]}], "contents": [{"parts": [{"text": "x"}]}]}),
        ),
    ];
    for (dialect, operation, body) in cases {
        assert!(!demand(dialect, operation, &body).unseen, "{body}");
    }
}

#[test]
fn price_classes_other_than_the_standard_one_are_noticed() {
    for (tier, is_open) in [("default", false), ("auto", true), ("flex", true), ("priority", true), ("standard", false)]
    {
        let body = json!({"model": "m", "service_tier": tier});
        assert_eq!(demand(Dialect::OpenAi, CHAT, &body).tier_is_open, is_open, "{tier}");
    }
    let cases = [
        (json!({"model": "m", "service_tier": "standard_only"}), false),
        (json!({"model": "m", "service_tier": "auto"}), true),
        (json!({"model": "m", "service_tier": null}), false),
        (json!({"model": "m", "service_tier": "of tomorrow"}), true),
    ];
    for (body, is_open) in cases {
        assert_eq!(demand(Dialect::Anthropic, CHAT, &body).tier_is_open, is_open, "{body}");
    }
    for (tier, is_named) in [(json!("default"), true), (json!("flex"), true), (json!(""), false), (json!(null), false)]
    {
        let body = json!({"model": "m", "service_tier": tier});
        assert_eq!(demand(Dialect::OpenAi, CHAT, &body).tier_is_named, is_named, "{tier}");
    }
    assert!(!demand(Dialect::OpenAi, CHAT, &json!({"model": "m"})).tier_is_named);
    assert!(demand(Dialect::Gemini, CHAT, &json!({"serviceTier": "PRIORITY"})).tier_is_open);
    assert!(!demand(Dialect::Gemini, CHAT, &json!({"service_tier": "STANDARD"})).tier_is_open);
}

#[test]
fn fast_mode_and_the_choice_of_a_region_are_noticed() {
    let cases = [
        (json!({"speed": "fast"}), (true, false)),
        (json!({"speed": "of tomorrow"}), (true, false)),
        (json!({"speed": "standard", "inference_geo": "global"}), (false, false)),
        (json!({"speed": null, "inference_geo": null}), (false, false)),
        (json!({"inference_geo": "us"}), (false, true)),
        (json!({"inference_geo": "US", "speed": "fast"}), (true, true)),
    ];
    for (mut body, expected) in cases {
        body["model"] = json!("m");
        let demand = demand(Dialect::Anthropic, CHAT, &body);
        assert_eq!((demand.is_fast, demand.is_regional), expected, "{body}");
    }
    for field in ["speed", "inference_geo"] {
        let body = format!(r#"{{"model": "m", "{field}": "standard", "{field}": "fast"}}"#);
        assert_eq!(peek(Dialect::Anthropic, CHAT, body.as_bytes()).unwrap_err(), PeekError::DuplicateField(field));
    }
}

#[test]
fn fallbacks_are_read_in_each_of_their_forms() {
    let body = json!({"model": "m", "fallbacks": ["anthropic/claude", "openai", {"provider": "p", "model": "m/n"}, {"model": "x"}, {}, 1]});
    assert_eq!(openai(CHAT, &body).fallbacks.unwrap(), ["anthropic/claude", "openai", "p/m/n", "x"]);
    let none = json!({"model": "m", "fallbacks": "default"});
    assert_eq!(openai(CHAT, &none).fallbacks, None);
    assert_eq!(openai(CHAT, &json!({"model": "m"})).fallbacks, None);
    assert_eq!(openai(CHAT, &json!({"model": "m", "fallbacks": []})).fallbacks, Some(Vec::new()));
}

#[test]
fn usage_asked_for_by_the_client_is_noticed() {
    let wants = |options: Value| openai(CHAT, &json!({"model": "m", "stream_options": options})).client_wants_usage;
    assert!(wants(json!({"include_usage": true, "include_obfuscation": false})));
    assert!(!wants(json!({"include_usage": false})));
    assert!(!wants(json!({"include_usage": null})));
    assert!(!wants(json!({})) && !wants(Value::Null));
    assert!(openai(Operation::Responses, &json!({"model": "m", "background": true})).is_background);
}

#[test]
fn a_field_that_decides_stands_there_once() {
    let cases = [
        (r#"{"model":"a","model":"b"}"#, "model"),
        (r#"{"model":"a","mod\u0065l":"b"}"#, "model"),
        (r#"{"model":"a","max_tokens":1,"max_tokens":100000}"#, "max_tokens"),
        (r#"{"model":"a","messages":[],"messages":[]}"#, "messages"),
        (r#"{"model":"a","stream":false,"stream":true}"#, "stream"),
        (
            r#"{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}"#,
            "stream_options.include_usage",
        ),
    ];
    for (body, field) in cases {
        assert_eq!(chat(body).unwrap_err(), PeekError::DuplicateField(field), "{body}");
    }
    let gemini = |body: &str| peek(Dialect::Gemini, CHAT, body.as_bytes()).unwrap_err();
    let both = r#"{"generationConfig":{},"generation_config":{}}"#;
    assert_eq!(gemini(both), PeekError::DuplicateField("generationConfig"));
    let inner = r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}"#;
    assert_eq!(gemini(inner), PeekError::DuplicateField("generationConfig.maxOutputTokens"));
    // What decides nothing may stand there twice.
    assert!(chat(r#"{"model":"a","temperature":1,"temperature":2,"x":1,"x":2}"#).is_ok());
}

#[test]
fn a_field_in_the_wrong_case_is_refused() {
    for (body, field) in [
        (r#"{"model":"a","Model":"b"}"#, "model"),
        (r#"{"model":"a","MAX_TOKENS":9}"#, "max_tokens"),
        (r#"{"model":"a","meſſages":[]}"#, "messages"),
        (r#"{"model":"a","max_to\u212aens":9}"#, "max_tokens"),
    ] {
        assert_eq!(chat(body).unwrap_err(), PeekError::AlmostField(field), "{body}");
    }
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    let cases = [
        (r#"{"model":1}"#, "model"),
        (r#"{"model":"\ud800"}"#, "model"),
        (r#"{"model":"m","stream":"true"}"#, "stream"),
        (r#"{"model":"m","stream":1}"#, "stream"),
        (r#"{"model":"m","max_tokens":-1}"#, "max_tokens"),
        (r#"{"model":"m","max_tokens":1.5}"#, "max_tokens"),
        (r#"{"model":"m","max_tokens":"10"}"#, "max_tokens"),
        (r#"{"model":"m","max_tokens":1e99}"#, "max_tokens"),
        (r#"{"model":"m","n":[1]}"#, "n"),
        (r#"{"model":"m","stream_options":[]}"#, "stream_options"),
        (r#"{"model":"m","stream_options":{"include_usage":1}}"#, "stream_options.include_usage"),
        (r#"{"model":"m","service_tier":{}}"#, "service_tier"),
    ];
    for (body, name) in cases {
        match chat(body) {
            Err(PeekError::WrongType { field, .. }) => assert_eq!(field, name, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn a_model_must_be_named() {
    for body in ["{}", r#"{"model":null}"#, r#"{"model":""}"#, r#"{"messages":[]}"#] {
        assert_eq!(chat(body).unwrap_err(), PeekError::NoModel, "{body}");
    }
    assert_eq!(peek(Dialect::Gemini, CHAT, b"{}").unwrap().model, None);
}

#[test]
fn what_is_no_json_object_is_refused() {
    for body in ["[]", "1", "null", "\"{}\"", " [{\"model\":\"m\"}] "] {
        assert_eq!(chat(body).unwrap_err(), PeekError::NotAnObject, "{body}");
    }
    let bad = [
        "",
        " ",
        "{",
        "{\"model\":\"m\"",
        "{\"model\":\"m\"}}",
        "{\"model\":\"m\"} x",
        "{\"model\":\"m\",}",
        "{'model':'m'}",
        "{\"model\":\"m\",\"x\":NaN}",
        "{\"model\":\"m\",\"x\":Infinity}",
        "{\"model\":\"m\",\"x\":01}",
        "{\"x\":\"\n\",\"model\":\"m\"}",
        "{\"model\":\"m\",\"stream\":truee}",
        "[1,",
        "\u{feff}{\"model\":\"m\"}",
    ];
    for body in bad {
        assert!(matches!(chat(body), Err(PeekError::NotJson { .. })), "{body}");
    }
    let invalid = b"{\"model\":\"m\",\"x\":\"\xff\"}";
    let error = peek(Dialect::OpenAi, CHAT, invalid).unwrap_err();
    assert_eq!(error, PeekError::NotJson { offset: 18, message: "invalid UTF-8" });
    // Half a surrogate pair is allowed by the grammar (RFC 8259 §8.2), and JavaScript sends them.
    assert!(chat(r#"{"model":"m","messages":[{"role":"user","content":"\ud83d"}]}"#).is_ok());
}

#[test]
fn refusals_name_the_field() {
    let refusal = chat(r#"{"model":"m","max_tokens":-1}"#).unwrap_err().refusal();
    assert_eq!((refusal.reason, refusal.param.as_deref()), (Reason::InvalidRequest, Some("max_tokens")));
    assert_eq!(refusal.message, "the field `max_tokens` must be a whole number, not negative");
    let refusal = chat("{").unwrap_err().refusal();
    assert_eq!(refusal.message, "the body is not valid JSON: the text ends within an object or array at byte 1");
}

#[test]
fn nesting_bombs_are_refused_at_once() {
    for bomb in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{{\"model\":\"m\",\"messages\":{}", "[".repeat(100_000)),
    ] {
        assert!(matches!(chat(&bomb), Err(PeekError::NotJson { .. })));
    }
    let block = "{\"type\":\"tool_result\",\"content\":[".repeat(5_000);
    let body = format!("{{\"model\":\"m\",\"messages\":[{{\"content\":[{block}");
    assert!(matches!(peek(Dialect::Anthropic, CHAT, body.as_bytes()), Err(PeekError::NotJson { .. })));
}

#[test]
fn large_bodies_are_read_whole() {
    let body = json!({"messages": [{"role": "user", "content": "ä\\ ".repeat(2_500_000)}], "model": "m"}).to_string();
    assert!(body.len() > 10_000_000);
    let peek = chat(&body).unwrap();
    assert_eq!(peek.demand.text_bytes, body.len() as u64 - r#"{"messages":,"model":"m"}"#.len() as u64);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_of_any_input_field_is_read(
        value in any_json(),
        dialect in prop::sample::select(vec![Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini]),
        operation in prop::sample::select(Operation::ALL),
        field in prop::sample::select(vec!["messages", "input", "prompt", "tools", "system", "contents", "requests", "x"]),
    ) {
        let body = json!({"model": "m", field: value}).to_string();
        let found = peek(dialect, operation, body.as_bytes()).unwrap();
        prop_assert!(found.demand.text_bytes <= body.len() as u64);
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = peek(Dialect::OpenAi, CHAT, &body);
    }

    #[test]
    fn no_cut_of_a_body_makes_it_panic(cut in 0_usize..600) {
        let body = json!({"model": "m", "fallbacks": ["a"], "stream_options": {"include_usage": true}, "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        ], "tools": [{"type": "function"}], "n": 1}).to_string();
        let cut = cut.min(body.len() - 1);
        prop_assert!(chat(&body[..cut]).is_err());
    }
}
