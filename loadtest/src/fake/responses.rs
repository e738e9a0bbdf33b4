//! OpenAI's Responses API: one JSON object, or named events that build it up.

use serde_json::{Value, json};

use super::catalog::CREATED;
use super::openai::input_total;
use super::script::{Ask, Script, Tokens, asks_for_weather};
use super::wire::{Answer, Event, Framing, Part, put};

/// Answers `/responses`.
pub(super) fn answer(ask: &Ask<'_>) -> Answer {
    let body = ask.body;
    let tool = body["tools"].get(0).and_then(|tool| tool["name"].as_str());
    let tool = tool.filter(|_| body["tool_choice"] != "none" && asks_for_weather(&body["input"])).map(str::to_owned);
    let script = Script::new(ask, body["max_output_tokens"].as_u64(), 1, tool);
    let usage = script.reported().map(usage);
    if ask.stream {
        let events = Stream::new(ask, &script).events(usage.as_ref());
        return Answer::stream(events, Framing::Sse, usage);
    }
    let item = item(ask, &script, &script.text(), "completed");
    let response = response(ask, final_status(&script), json!([item]), usage.as_ref());
    Answer::whole(response, script.spoken_tokens(), usage)
}

/// Answers `/responses/input_tokens`.
pub(super) fn count_tokens(ask: &Ask<'_>) -> Answer {
    Answer::whole(json!({"object": "response.input_tokens", "input_tokens": ask.text_tokens}), 0, None)
}

/// The `error` event that breaks a stream off.
pub(super) fn error_event(code: &Value, message: &Value) -> Event {
    let data = json!({"type": "error", "code": code, "message": message, "param": null, "sequence_number": 0});
    Event::named("error", &data)
}

/// The events of one stream so far; numbered, as the API does.
struct Stream<'a> {
    ask: &'a Ask<'a>,
    script: &'a Script,
    events: Vec<Event>,
}

impl<'a> Stream<'a> {
    fn new(ask: &'a Ask<'a>, script: &'a Script) -> Self {
        Self { ask, script, events: Vec::new() }
    }

    fn events(mut self, usage: Option<&Value>) -> Vec<Event> {
        let (ask, script) = (self.ask, self.script);
        let opened = response(ask, "in_progress", json!([]), None);
        self.push("response.created", json!({"response": opened}), 0);
        self.push("response.in_progress", json!({"response": opened}), 0);
        let added = item(ask, script, "", "in_progress");
        self.push("response.output_item.added", json!({"output_index": 0, "item": added}), 0);
        match script.tool {
            Some(_) => self.arguments(),
            None => self.text(),
        }
        let done = item(ask, script, &script.text(), "completed");
        self.push("response.output_item.done", json!({"output_index": 0, "item": done}), 0);
        let status = final_status(script);
        let last = if status == "completed" { "response.completed" } else { "response.incomplete" };
        self.push(last, json!({"response": response(ask, status, json!([done]), usage)}), 0);
        let last = self.events.pop().map(|event| event.with_part(Part::FinishAndEnd));
        self.events.extend(last);
        self.events
    }

    fn text(&mut self) {
        let (id, script) = (item_id(self.ask, self.script), self.script);
        let place = |mut fields: Value| {
            put(&mut fields, "item_id", json!(id));
            put(&mut fields, "output_index", json!(0));
            put(&mut fields, "content_index", json!(0));
            fields
        };
        self.push("response.content_part.added", place(json!({"part": part("")})), 0);
        for piece in &script.pieces {
            self.push("response.output_text.delta", place(json!({"delta": piece, "logprobs": []})), 1);
        }
        self.push("response.output_text.done", place(json!({"text": script.text(), "logprobs": []})), 0);
        self.push("response.content_part.done", place(json!({"part": part(&script.text())})), 0);
    }

    fn arguments(&mut self) {
        let (id, script) = (item_id(self.ask, self.script), self.script);
        let Some(tool) = &script.tool else { return };
        for piece in tool.arguments {
            let delta = json!({"item_id": id, "output_index": 0, "delta": piece});
            self.push("response.function_call_arguments.delta", delta, 1);
        }
        let done = json!({"item_id": id, "output_index": 0, "name": tool.name, "arguments": tool.arguments_text()});
        self.push("response.function_call_arguments.done", done, 0);
    }

    fn push(&mut self, name: &'static str, mut fields: Value, tokens: u64) {
        put(&mut fields, "type", json!(name));
        put(&mut fields, "sequence_number", json!(self.events.len()));
        self.events.push(Event::named(name, &fields).with_tokens(tokens));
    }
}

fn response(ask: &Ask<'_>, status: &str, output: Value, usage: Option<&Value>) -> Value {
    let body = ask.body;
    let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
    json!({
        "id": format!("resp_fake{:010}", ask.seq),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": incomplete,
        "instructions": body["instructions"],
        "max_output_tokens": body["max_output_tokens"],
        "metadata": {},
        "model": ask.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": "default",
        "store": body["store"].as_bool().unwrap_or(true),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": body["tools"].as_array().cloned().unwrap_or_default(),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "user": null,
    })
}

fn item(ask: &Ask<'_>, script: &Script, text: &str, status: &str) -> Value {
    let is_done = status == "completed";
    let id = item_id(ask, script);
    let Some(tool) = &script.tool else {
        let content = if is_done { json!([part(text)]) } else { json!([]) };
        let status = if is_done { final_status(script) } else { status };
        return json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content});
    };
    let arguments = if is_done { tool.arguments_text() } else { String::new() };
    let call_id = format!("call_fake{:010}", ask.seq);
    json!({"id": id, "type": "function_call", "status": status, "call_id": call_id, "name": tool.name, "arguments": arguments})
}

fn item_id(ask: &Ask<'_>, script: &Script) -> String {
    let kind = if script.tool.is_some() { "fc" } else { "msg" };
    format!("{kind}_fake{:010}", ask.seq)
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn final_status(script: &Script) -> &'static str {
    if script.truncated { "incomplete" } else { "completed" }
}

fn usage(tokens: Tokens) -> Value {
    let input = input_total(tokens);
    json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.cache_writes(),
            "cache_write_tokens_details": {
                "ttl_30m_tokens": tokens.cache_write,
                "ttl_12h_tokens": tokens.cache_write_1h,
            },
        },
        "output_tokens": tokens.output(),
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": input + tokens.output(),
    })
}
