//! Whole streams as vendors write them, in pieces and with names as a test wants them.

use policy::request::{Dialect, Operation};

use crate::resume::Transcript;

/// The streams that can be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Completion,
    Anthropic,
    Responses,
    Gemini,
}

pub(super) const ALL: [Kind; 5] = [Kind::Chat, Kind::Completion, Kind::Anthropic, Kind::Responses, Kind::Gemini];

/// The text as a JSON string; `ascii`: with an escape for every character that is not.
pub(super) fn quote(text: &str, ascii: bool) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    if !ascii {
        return quoted;
    }
    let mut units = [0; 2];
    let escape = |unit: &u16| format!("\\u{unit:04x}");
    quoted
        .chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut units).iter().map(escape).collect() })
        .collect()
}

impl Kind {
    pub(super) const fn names(self) -> (Dialect, Operation) {
        match self {
            Self::Chat => (Dialect::OpenAi, Operation::ChatCompletion),
            Self::Completion => (Dialect::OpenAi, Operation::TextCompletion),
            Self::Responses => (Dialect::OpenAi, Operation::Responses),
            Self::Anthropic => (Dialect::Anthropic, Operation::ChatCompletion),
            Self::Gemini => (Dialect::Gemini, Operation::ChatCompletion),
        }
    }

    pub(super) fn transcript(self) -> Transcript {
        let (dialect, operation) = self.names();
        Transcript::new(dialect, operation, false)
    }

    /// The events of a whole stream of this vendor, with its text in these pieces.
    pub(super) fn events(self, who: &str, pieces: &[&str], ascii: bool) -> Vec<String> {
        let quoted: Vec<String> = pieces.iter().map(|piece| quote(piece, ascii)).collect();
        let whole = quote(&pieces.concat(), ascii);
        match self {
            Self::Chat => chat(who, &quoted),
            Self::Completion => completion(who, &quoted),
            Self::Anthropic => anthropic(who, &quoted),
            Self::Responses => responses(who, &quoted, &whole),
            Self::Gemini => gemini(who, &quoted),
        }
    }

    pub(super) fn stream(self, who: &str, pieces: &[&str]) -> String {
        self.events(who, pieces, false).concat()
    }
}

fn chat(who: &str, pieces: &[String]) -> Vec<String> {
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"{who}\",\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":\"m-{who}\",\
             \"system_fingerprint\":\"fp-{who}\",\"choices\":[{choices}],\"usage\":{usage}}}\n\n",
            who.len(),
        )
    };
    let choice = |delta: &str, finish: &str| {
        format!("{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}")
    };
    let mut events = vec![chunk(&choice("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}", "null"), "null")];
    events.extend(pieces.iter().map(|piece| chunk(&choice(&format!("{{\"content\":{piece}}}"), "null"), "null")));
    events.push(chunk(&choice("{}", "\"stop\""), "null"));
    events.push(chunk("", &format!("{{\"prompt_tokens\":5,\"completion_tokens\":{}}}", pieces.len())));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn completion(who: &str, pieces: &[String]) -> Vec<String> {
    let chunk = |text: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"{who}\",\"object\":\"text_completion\",\"created\":{},\"model\":\"m-{who}\",\
             \"choices\":[{{\"text\":{text},\"index\":0,\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n",
            who.len(),
        )
    };
    let mut events: Vec<String> = pieces.iter().map(|piece| chunk(piece, "null")).collect();
    events.push(chunk("\"\"", "\"stop\""));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// An event whose type is also its name.
fn named(kind: &str, rest: &str) -> String {
    let comma = if rest.is_empty() { "" } else { "," };
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{comma}{rest}}}\n\n")
}

fn anthropic(who: &str, pieces: &[String]) -> Vec<String> {
    let message = format!(
        "\"message\":{{\"id\":\"{who}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-{who}\",\"content\":[],\
         \"stop_reason\":null,\"stop_sequence\":null,\"usage\":{{\"input_tokens\":25,\"output_tokens\":1}}}}"
    );
    let mut events = vec![
        named("message_start", &message),
        named("content_block_start", "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}"),
        named("ping", ""),
    ];
    let delta = |piece| format!("\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{piece}}}");
    events.extend(pieces.iter().map(|piece| named("content_block_delta", &delta(piece))));
    events.push(named("content_block_stop", "\"index\":0"));
    let end = "\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}";
    events.push(named("message_delta", end));
    events.push(named("message_stop", ""));
    events
}

fn responses(who: &str, pieces: &[String], whole: &str) -> Vec<String> {
    let mut sequence = 0;
    let mut event = |kind: &str, rest: &str| {
        sequence += 1;
        named(kind, &format!("\"sequence_number\":{},{rest}", sequence - 1))
    };
    let response = |status: &str, output: &str| {
        format!(
            "\"response\":{{\"id\":\"{who}\",\"object\":\"response\",\"created_at\":{},\"model\":\"m-{who}\",\
             \"status\":\"{status}\",\"output\":[{output}],\"usage\":null}}",
            who.len(),
        )
    };
    let item = |status: &str, content: &str| {
        format!(
            "{{\"type\":\"message\",\"id\":\"msg-{who}\",\"status\":\"{status}\",\"role\":\"assistant\",\"content\":[{content}]}}"
        )
    };
    let part = |text: &str| format!("{{\"type\":\"output_text\",\"text\":{text},\"annotations\":[],\"logprobs\":[]}}");
    let place = format!("\"item_id\":\"msg-{who}\",\"output_index\":0,\"content_index\":0");
    let mut events = vec![
        event("response.created", &response("in_progress", "")),
        event("response.in_progress", &response("in_progress", "")),
        event("response.output_item.added", &format!("\"output_index\":0,\"item\":{}", item("in_progress", ""))),
        event("response.content_part.added", &format!("{place},\"part\":{}", part("\"\""))),
    ];
    for piece in pieces {
        events.push(event("response.output_text.delta", &format!("{place},\"delta\":{piece},\"logprobs\":[]")));
    }
    events.push(event("response.output_text.done", &format!("{place},\"text\":{whole},\"logprobs\":[]")));
    events.push(event("response.content_part.done", &format!("{place},\"part\":{}", part(whole))));
    let done = item("completed", &part(whole));
    events.push(event("response.output_item.done", &format!("\"output_index\":0,\"item\":{done}")));
    events.push(event("response.completed", &response("completed", &done)));
    events
}

fn gemini(who: &str, pieces: &[String]) -> Vec<String> {
    let chunk = |text: &str, finish: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":{text}}}],\"role\":\"model\"}}{finish},\"index\":0}}],\
             \"usageMetadata\":{{\"promptTokenCount\":11}},\"modelVersion\":\"m-{who}\",\"responseId\":\"{who}\"}}\r\n\r\n"
        )
    };
    let mut events: Vec<String> = pieces.iter().map(|piece| chunk(piece, "")).collect();
    events.push(chunk("\"\"", ",\"finishReason\":\"STOP\""));
    events
}
