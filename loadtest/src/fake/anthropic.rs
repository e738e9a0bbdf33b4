//! Anthropic's Messages API, in JSON and as a stream of named events.

use serde_json::{Value, json};

use super::script::{Ask, Script, Tokens, asks_for_weather};
use super::wire::{Answer, Event, Framing, Part, put};

/// The vendor's proof that a thought is the model's own.
const SIGNATURE: &str = "ZmFrZS10aG91Z2h0";

/// Answers `/messages`.
pub(super) fn message(ask: &Ask<'_>) -> Answer {
    let body = ask.body;
    let tool = body["tools"].get(0).and_then(|tool| tool["name"].as_str());
    let is_wanted =
        body.pointer("/tool_choice/type").is_none_or(|choice| choice != "none") && asks_for_weather(&body["messages"]);
    let script = Script::new(ask, body["max_tokens"].as_u64(), 1, tool.filter(|_| is_wanted).map(str::to_owned));
    if ask.stream { stream(ask, &script) } else { whole(ask, &script) }
}

/// Answers `/messages/count_tokens`.
pub(super) fn count_tokens(ask: &Ask<'_>) -> Answer {
    Answer::whole(json!({"input_tokens": ask.text_tokens}), 0, None)
}

/// An error body, which is also the data of an `error` event.
pub(super) fn error(status: u16, message: &str, seq: u64) -> Value {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id(seq)})
}

/// The value of the `request-id` response header.
pub(super) fn request_id(seq: u64) -> String {
    format!("req_fake{seq:010}")
}

fn whole(ask: &Ask<'_>, script: &Script) -> Answer {
    let mut content = Vec::new();
    if !script.thoughts.is_empty() {
        content.push(json!({"type": "thinking", "thinking": script.thought(), "signature": SIGNATURE}));
    }
    content.push(match &script.tool {
        Some(tool) => {
            let input: Value = serde_json::from_str(&tool.arguments_text()).unwrap_or_default();
            json!({"type": "tool_use", "id": tool_use_id(ask), "name": tool.name, "input": input})
        }
        None => json!({"type": "text", "text": script.text()}),
    });
    let mut message = envelope(ask, content.into());
    put(&mut message, "stop_reason", json!(stop_reason(script)));
    let usage = script.reported().map(|tokens| usage(tokens, tokens.output()));
    if let Some(usage) = &usage {
        put(&mut message, "usage", usage.clone());
    }
    Answer::whole(message, script.spoken_tokens(), usage)
}

fn stream(ask: &Ask<'_>, script: &Script) -> Answer {
    let reported = script.reported();
    let mut message = envelope(ask, json!([]));
    if let Some(tokens) = reported {
        put(&mut message, "usage", usage(tokens, tokens.output().min(1)));
    }
    let mut events = vec![event("message_start", json!({"message": message}))];
    let block = match &script.tool {
        Some(tool) => json!({"type": "tool_use", "id": tool_use_id(ask), "name": tool.name, "input": {}}),
        None => json!({"type": "text", "text": ""}),
    };
    let index = usize::from(!script.thoughts.is_empty());
    if index > 0 {
        events.extend(thinking(script));
    }
    events.push(event("content_block_start", json!({"index": index, "content_block": block})));
    events.push(event("ping", json!({})));
    events.extend(script.pieces.iter().map(|text| delta(index, json!({"type": "text_delta", "text": text}))));
    let arguments = script.tool.iter().flat_map(|tool| tool.arguments);
    events.extend(arguments.map(|json| delta(index, json!({"type": "input_json_delta", "partial_json": json}))));
    events.push(event("content_block_stop", json!({"index": index})));
    let usage = reported.map(|tokens| usage(tokens, tokens.output()));
    let mut last = json!({"delta": {"stop_reason": stop_reason(script), "stop_sequence": null}});
    if let Some(usage) = &usage {
        put(&mut last, "usage", cumulative(usage));
    }
    events.push(event("message_delta", last).with_part(Part::Finish));
    events.push(event("message_stop", json!({})).with_part(Part::End));
    Answer::stream(events, Framing::Sse, usage)
}

fn event(name: &'static str, mut fields: Value) -> Event {
    put(&mut fields, "type", json!(name));
    Event::named(name, &fields)
}

fn delta(index: usize, delta: Value) -> Event {
    event("content_block_delta", json!({"index": index, "delta": delta})).with_tokens(1)
}

fn thinking(script: &Script) -> Vec<Event> {
    let block = json!({"type": "thinking", "thinking": "", "signature": ""});
    let mut events = vec![event("content_block_start", json!({"index": 0, "content_block": block}))];
    events.extend(script.thoughts.iter().map(|text| delta(0, json!({"type": "thinking_delta", "thinking": text}))));
    let signature = json!({"type": "signature_delta", "signature": SIGNATURE});
    events.push(event("content_block_delta", json!({"index": 0, "delta": signature})));
    events.push(event("content_block_stop", json!({"index": 0})));
    events
}

fn envelope(ask: &Ask<'_>, content: Value) -> Value {
    json!({
        "id": format!("msg_fake{:010}", ask.seq),
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": content,
        "stop_reason": null,
        "stop_sequence": null,
    })
}

/// Tokens read from or written to a cache are not part of `input_tokens` here.
fn usage(tokens: Tokens, output: u64) -> Value {
    let mut usage = json!({
        "input_tokens": tokens.text_in + tokens.audio_in,
        "cache_creation_input_tokens": tokens.cache_writes(),
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    });
    if tokens.reasoning > 0 {
        put(&mut usage, "output_tokens_details", json!({"thinking_tokens": tokens.reasoning}));
    }
    usage
}

/// The counts of `message_delta`, which repeats the totals without their breakdown.
fn cumulative(usage: &Value) -> Value {
    let mut cumulative = usage.clone();
    if let Some(fields) = cumulative.as_object_mut() {
        fields.remove("cache_creation");
        fields.remove("service_tier");
    }
    cumulative
}

fn stop_reason(script: &Script) -> &'static str {
    match script {
        Script { tool: Some(_), .. } => "tool_use",
        Script { truncated: true, .. } => "max_tokens",
        _ => "end_turn",
    }
}

fn tool_use_id(ask: &Ask<'_>) -> String {
    format!("toolu_fake{:010}", ask.seq)
}
