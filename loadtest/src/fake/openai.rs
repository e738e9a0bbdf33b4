//! OpenAI's chat and text completions, in JSON and as a stream. The Responses API is in `responses`, embeddings in `embed`.

use serde_json::{Map, Value, json};

use super::catalog::CREATED;
use super::script::{Ask, Script, Tokens, asks_for_weather};
use super::wire::{Answer, Event, Framing, Part, put};

/// Answers `/chat/completions`.
pub(super) fn chat(ask: &Ask<'_>) -> Answer {
    let body = ask.body;
    let limit = body["max_completion_tokens"].as_u64().or_else(|| body["max_tokens"].as_u64());
    let tool = tool_name(body).filter(|_| asks_for_weather(&body["messages"]));
    let script = Script::new(ask, limit, choices(body), tool);
    if ask.stream { chat_stream(ask, &script) } else { chat_whole(ask, &script) }
}

/// Answers `/completions`.
pub(super) fn completion(ask: &Ask<'_>) -> Answer {
    let script = Script::new(ask, ask.body["max_tokens"].as_u64(), choices(ask.body), None);
    if ask.stream { completion_stream(ask, &script) } else { completion_whole(ask, &script) }
}

/// An error body. `type` and `code` follow OpenAI's table of error codes.
pub(super) fn error(status: u16, message: &str) -> Value {
    let (kind, code) = match status {
        400 => ("invalid_request_error", None),
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("invalid_request_error", Some("unsupported_country_region_territory")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        _ => ("server_error", None),
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn chat_whole(ask: &Ask<'_>, script: &Script) -> Answer {
    let mut message = match &script.tool {
        Some(tool) => json!({
            "role": "assistant", "content": null, "refusal": null, "annotations": [],
            "tool_calls": [{
                "id": call_id(ask), "type": "function",
                "function": {"name": tool.name, "arguments": tool.arguments_text()},
            }],
        }),
        None => json!({"role": "assistant", "content": script.text(), "refusal": null, "annotations": []}),
    };
    if !script.thoughts.is_empty() {
        // Not OpenAI's own: DeepSeek, xAI, vLLM and others of the dialect show their reasoning so.
        put(&mut message, "reasoning_content", json!(script.thought()));
    }
    let choices: Vec<Value> = (0..script.choices)
        .map(|n| json!({"index": n, "message": message, "logprobs": null, "finish_reason": finish_reason(script)}))
        .collect();
    let mut answer = head(ask, "chatcmpl", "chat.completion");
    answer.insert("choices".into(), choices.into());
    whole(answer, script)
}

fn chat_stream(ask: &Ask<'_>, script: &Script) -> Answer {
    let mut stream = Chunks::new(ask, "chatcmpl", "chat.completion.chunk");
    for choice in 0..script.choices {
        let first = if script.tool.is_some() { Value::Null } else { json!("") };
        stream.delta(choice, json!({"role": "assistant", "content": first, "refusal": null}), 0);
        for piece in &script.thoughts {
            stream.delta(choice, json!({"reasoning_content": piece}), 1);
        }
        for piece in &script.pieces {
            stream.delta(choice, json!({"content": piece}), 1);
        }
        if let Some(tool) = &script.tool {
            let function = json!({"name": tool.name, "arguments": ""});
            let call = json!({"index": 0, "id": call_id(ask), "type": "function", "function": function});
            stream.delta(choice, json!({"tool_calls": [call]}), 0);
            for piece in tool.arguments {
                stream.delta(choice, json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), 1);
            }
        }
        let end = json!({"index": choice, "delta": {}, "logprobs": null, "finish_reason": finish_reason(script)});
        stream.finish(end);
    }
    stream.end(script)
}

fn completion_whole(ask: &Ask<'_>, script: &Script) -> Answer {
    let choices: Vec<Value> = (0..script.choices)
        .map(|n| json!({"text": script.text(), "index": n, "logprobs": null, "finish_reason": finish_reason(script)}))
        .collect();
    let mut answer = head(ask, "cmpl", "text_completion");
    answer.insert("choices".into(), choices.into());
    whole(answer, script)
}

fn completion_stream(ask: &Ask<'_>, script: &Script) -> Answer {
    let mut stream = Chunks::new(ask, "cmpl", "text_completion");
    for choice in 0..script.choices {
        for piece in &script.pieces {
            stream.chunk(json!([{"text": piece, "index": choice, "logprobs": null, "finish_reason": null}]), 1);
        }
        let end = json!({"text": "", "index": choice, "logprobs": null, "finish_reason": finish_reason(script)});
        stream.finish(end);
    }
    stream.end(script)
}

/// The chunks of one stream so far.
struct Chunks {
    head: Map<String, Value>,
    include_usage: bool,
    events: Vec<Event>,
}

impl Chunks {
    fn new(ask: &Ask<'_>, id: &str, object: &str) -> Self {
        let include_usage = ask.body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
        Self { head: head(ask, id, object), include_usage, events: Vec::new() }
    }

    fn delta(&mut self, choice: u64, delta: Value, tokens: u64) {
        self.chunk(json!([{"index": choice, "delta": delta, "logprobs": null, "finish_reason": null}]), tokens);
    }

    fn chunk(&mut self, choices: Value, tokens: u64) {
        let event = self.event(choices);
        self.events.push(event.with_tokens(tokens));
    }

    /// The chunk that says why a choice ends.
    fn finish(&mut self, choice: Value) {
        let event = self.event(json!([choice]));
        self.events.push(event.with_part(Part::Finish));
    }

    fn event(&self, choices: Value) -> Event {
        let mut chunk = self.head.clone();
        chunk.insert("choices".into(), choices);
        if self.include_usage {
            chunk.insert("usage".into(), Value::Null);
        }
        Event::data(&chunk.into())
    }

    fn end(mut self, script: &Script) -> Answer {
        let usage = script.reported().filter(|_| self.include_usage).map(usage);
        if let Some(usage) = &usage {
            self.head.insert("choices".into(), json!([]));
            self.head.insert("usage".into(), usage.clone());
            self.events.push(Event::data(&self.head.into()));
        }
        self.events.push(Event::raw("[DONE]").with_part(Part::End));
        Answer::stream(self.events, Framing::Sse, usage)
    }
}

fn head(ask: &Ask<'_>, id: &str, object: &str) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("id".into(), format!("{id}-fake{:010}", ask.seq).into());
    head.insert("object".into(), object.into());
    head.insert("created".into(), CREATED.into());
    head.insert("model".into(), ask.model.into());
    head.insert("service_tier".into(), "default".into());
    head.insert("system_fingerprint".into(), "fp_fake000000".into());
    head
}

fn whole(mut answer: Map<String, Value>, script: &Script) -> Answer {
    let usage = script.reported().map(usage);
    if let Some(usage) = &usage {
        answer.insert("usage".into(), usage.clone());
    }
    Answer::whole(answer.into(), script.spoken_tokens(), usage)
}

/// Input tokens as OpenAI counts them: those read from or written to a cache, and audio, are parts of the total.
pub(super) fn input_total(tokens: Tokens) -> u64 {
    tokens.text_in + tokens.cached + tokens.cache_writes() + tokens.audio_in
}

fn usage(tokens: Tokens) -> Value {
    let input = input_total(tokens);
    json!({
        "prompt_tokens": input,
        "completion_tokens": tokens.output(),
        "total_tokens": input + tokens.output(),
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.cache_writes(),
            "audio_tokens": tokens.audio_in,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": tokens.audio_out,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

fn finish_reason(script: &Script) -> &'static str {
    match script {
        Script { tool: Some(_), .. } => "tool_calls",
        Script { truncated: true, .. } => "length",
        _ => "stop",
    }
}

fn tool_name(body: &Value) -> Option<String> {
    let name = body.pointer("/tools/0/function/name")?.as_str()?;
    (body["tool_choice"] != "none").then(|| name.to_owned())
}

fn call_id(ask: &Ask<'_>) -> String {
    format!("call_fake{:010}", ask.seq)
}

/// OpenAI's own bound on `n`.
fn choices(body: &Value) -> u64 {
    body["n"].as_u64().unwrap_or(1).clamp(1, 128)
}
