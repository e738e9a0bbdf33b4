//! What vendors say, word for word: answers for a [`Stub`], whole and broken.

use serde_json::{Value, json};

use super::sse::Api;
use super::stub::Stub;
use super::targets::Setup;

/// An answer, whose connection ends with it.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}")
}

/// A document with its length.
pub(crate) fn document(status: &str, body: &str) -> String {
    answer(status, &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()), body)
}

/// A document of which some bytes are missing.
pub(crate) fn torn(status: &str, headers: &str, body: &str) -> String {
    let length = body.len() + 100;
    answer(status, &format!("content-type: application/json\r\ncontent-length: {length}\r\n{headers}"), body)
}

/// Events without a length.
pub(crate) fn stream(events: &str) -> String {
    answer("200 OK", "content-type: text/event-stream\r\n", events)
}

/// A vendor of this API's kind that answers always this, `p0`, and well-behaved ones up to `count` behind it. No retries.
pub(crate) async fn behind(api: Api, count: usize, text: String) -> (Stub, Setup) {
    let vendor = Stub::answering(move |_| text.clone()).await;
    let setup = Setup::of(api.vendor(), count).retries(0).network_of(0, "base_url", json!(vendor.url()));
    (vendor, setup)
}

/// An error as a stream's event.
pub(crate) fn error_event(api: Api, error: &Value) -> String {
    match api {
        Api::Messages => format!("event: error\ndata: {error}\n\n"),
        _ => format!("data: {error}\n\n"),
    }
}

/// An error of the server's as this API words it, with this text.
pub(crate) fn server_error(api: Api, text: &str) -> Value {
    match api {
        Api::Messages => json!({"type": "error", "error": {"type": "api_error", "message": text}}),
        Api::Gemini | Api::GeminiArray => json!({"error": {"code": 500, "message": text, "status": "INTERNAL"}}),
        _ => json!({"error": {"message": text, "type": "server_error", "param": null, "code": null}}),
    }
}

/// A word of a chat's stream.
pub(crate) fn word(text: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
    )
}

/// The event that a chat's stream begins with.
pub(crate) fn role() -> String {
    format!(
        "data: {}\n\n",
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]})
    )
}

/// The end of a chat's stream.
pub(crate) fn chat_end() -> String {
    let stop = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    format!("data: {stop}\n\ndata: [DONE]\n\n")
}

/// Events with a length that they do not come up to.
pub(crate) fn torn_stream(events: &str) -> String {
    let length = events.len() + 100;
    answer("200 OK", &format!("content-type: text/event-stream\r\ncontent-length: {length}\r\n"), events)
}

/// Two pieces of a stream with a word each, and no end.
pub(crate) fn two_pieces(api: Api) -> (String, String) {
    let gemini = |text: &str| {
        let candidate = json!({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0});
        format!("data: {}\n\n", json!({"candidates": [candidate]}))
    };
    let delta = |text: &str| {
        let data = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
        format!("event: content_block_delta\ndata: {data}\n\n")
    };
    match api {
        Api::Messages => (format!("{}{}", message_start(), delta("A ")), delta("B ")),
        Api::Gemini => (gemini("A "), gemini("B ")),
        _ => (format!("{}{}", role(), word("A ")), word("B ")),
    }
}

/// The events that a message's stream begins with.
fn message_start() -> String {
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 2, "output_tokens": 1}}});
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    format!("event: message_start\ndata: {start}\n\nevent: content_block_start\ndata: {block}\n\n")
}
