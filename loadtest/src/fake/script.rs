//! What an answer says, whatever the dialect: its words or its tool call, how many tokens it cost, and whether the limit cut it.

use serde_json::Value;

use super::controls::{Controls, UsageReport};
use super::prefill;

/// One understood request.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// As received, controls included; echoed in the answer.
    pub(super) model: &'a str,
    pub(super) controls: &'a Controls,
    pub(super) body: &'a Value,
    pub(super) stream: bool,
    /// Gemini: whether `alt=sse` was asked for.
    pub(super) alt_sse: bool,
    /// Makes ids unique.
    pub(super) seq: u64,
    /// Tokens of the request's text, by [`text_tokens`].
    pub(super) text_tokens: u64,
    /// The assistant's text that the answer is to go on from.
    pub(super) prefill: Option<&'a str>,
}

/// Token counts of one answer. Text, cache and audio counts do not overlap, nor do words, reasoning and audio; each dialect adds
/// them up by its vendor's convention.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    pub(super) text_in: u64,
    pub(super) cached: u64,
    pub(super) cache_write: u64,
    pub(super) cache_write_1h: u64,
    pub(super) audio_in: u64,
    pub(super) tool_prompt: u64,
    pub(super) words: u64,
    pub(super) reasoning: u64,
    pub(super) audio_out: u64,
}

impl Tokens {
    /// Tokens written to a cache, however long-lived.
    pub(super) fn cache_writes(self) -> u64 {
        self.cache_write + self.cache_write_1h
    }

    /// Output as OpenAI and Anthropic count it: reasoning is part of the total.
    pub(super) fn output(self) -> u64 {
        self.words + self.reasoning + self.audio_out
    }
}

/// A tool call as an answer.
#[derive(Clone, Debug)]
pub(super) struct ToolCall {
    pub(super) name: String,
    /// The arguments' JSON in pieces, one output token each.
    pub(super) arguments: &'static [&'static str],
}

impl ToolCall {
    pub(super) fn arguments_text(&self) -> String {
        self.arguments.concat()
    }
}

const ARGUMENTS: &[&str] = &["{\"loc", "ation\": ", "\"Paris, ", "France\"", "}"];

/// What is said.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The text in pieces, one output token each; their concatenation is the text.
    pub(super) pieces: Vec<String>,
    /// What is thought before, in pieces, one output token each.
    pub(super) thoughts: Vec<String>,
    /// Said instead of the text.
    pub(super) tool: Option<ToolCall>,
    /// Whether the request's output limit cut the text.
    pub(super) truncated: bool,
    /// Answers wanted side by side (OpenAI's `n`, Gemini's `candidateCount`); each says the same.
    pub(super) choices: u64,
    tokens: Tokens,
    report: UsageReport,
}

impl Script {
    /// The answer to `ask`. `limit` is its output limit, which counts reasoning as the vendors do; `tool` the tool to call, if any.
    pub(super) fn new(ask: &Ask<'_>, limit: Option<u64>, choices: u64, tool: Option<String>) -> Self {
        let controls = ask.controls;
        let limit = limit.unwrap_or(u64::MAX);
        let reasoning = controls.reasoning.max(controls.thoughts).min(limit);
        let thoughts = (0..controls.thoughts.min(limit)).map(thought).collect();
        let tool = tool.map(|name| ToolCall { name, arguments: ARGUMENTS });
        let (pieces, truncated) = match tool {
            Some(_) => (Vec::new(), false),
            None if wants_json(ask.body) => (ARGUMENTS.iter().map(ToString::to_string).collect(), false),
            None => text(ask, limit - reasoning),
        };
        let spoken = tool.as_ref().map_or(pieces.len(), |tool| tool.arguments.len());
        let tokens = Tokens {
            text_in: ask.text_tokens,
            cached: controls.cached,
            cache_write: controls.cache_write,
            cache_write_1h: controls.cache_write_1h,
            audio_in: controls.audio_in,
            tool_prompt: controls.tool_prompt,
            words: choices.saturating_mul(u64::try_from(spoken).unwrap_or(u64::MAX)),
            reasoning,
            audio_out: controls.audio_out,
        };
        Self { pieces, thoughts, tool, truncated, choices, tokens, report: controls.usage }
    }

    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }

    /// All that is thought; empty if nothing is.
    pub(super) fn thought(&self) -> String {
        self.thoughts.concat()
    }

    /// Output tokens that the answer carries as words or arguments.
    pub(super) fn spoken_tokens(&self) -> u64 {
        self.tokens.words
    }

    /// The figures to report; `None` if nothing is to be reported.
    pub(super) fn reported(&self) -> Option<Tokens> {
        match self.report {
            UsageReport::True => Some(self.tokens),
            UsageReport::Zero => Some(Tokens::default()),
            UsageReport::Missing => None,
        }
    }
}

/// Whether the answer is to be JSON by a schema, in whatever dialect. What it gets is the arguments of a tool's call.
fn wants_json(body: &Value) -> bool {
    const SCHEMAS: [&str; 6] = [
        "/response_format/json_schema",
        "/text/format/schema",
        "/output_config/format/schema",
        "/generationConfig/responseSchema",
        "/generationConfig/responseJsonSchema",
        "/generationConfig/responseFormat/text/schema",
    ];
    SCHEMAS.iter().any(|place| body.pointer(place).is_some())
}

/// Thought number `n` with the space before it: `t0`, ` t1`, ….
fn thought(n: u64) -> String {
    if n == 0 { "t0".to_owned() } else { format!(" t{n}") }
}

/// The text in pieces, `limit` of them at most, and whether the limit cut it.
fn text(ask: &Ask<'_>, limit: u64) -> (Vec<String>, bool) {
    let controls = ask.controls;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let words = |count: usize| (0..count).map(|n| word(n, controls)).collect::<Vec<_>>();
    let rest = ask.prefill.and_then(|prefill| prefill::rest(&words(controls.words), prefill));
    match rest {
        Some(mut rest) => {
            let is_cut = limit < rest.len();
            rest.truncate(limit);
            (rest, is_cut)
        }
        None => (words(controls.words.min(limit)), limit < controls.words),
    }
}

/// Word number `n` with the space before it: `w0`, ` w1`, ` w2`, …; of another seed than 0 `v7_0`, ` v7_1`, ….
fn word(n: usize, controls: &Controls) -> String {
    const MULTI_BYTE: [&str; 4] = ["語", "🦀", "é", "👩‍👩‍👧"];
    let stem = if controls.unicode { MULTI_BYTE.get(n % MULTI_BYTE.len()).copied().unwrap_or("w") } else { "w" };
    let space = if n == 0 { "" } else { " " };
    let mut word = match controls.words_seed {
        seed if seed != 0 && n >= controls.diverge_at => format!("{space}v{seed}_{n}"),
        _ => format!("{space}{stem}{n}"),
    };
    while word.len() < controls.big {
        word.push('x');
    }
    word
}

/// Input tokens of a request body: ⌈bytes / 4⌉, where bytes is the UTF-8 length of every text in the fields that hold messages
/// (`messages`, `input`, `prompt`, `instructions`, `system`, `contents`, `content`, `requests`, `systemInstruction`). A token id
/// in an array of numbers counts as four bytes, that is as one token.
pub(super) fn text_tokens(body: &Value) -> u64 {
    const FIELDS: [&str; 10] = [
        "messages",
        "input",
        "prompt",
        "instructions",
        "system",
        "contents",
        "content",
        "requests",
        "systemInstruction",
        "system_instruction",
    ];
    FIELDS.iter().filter_map(|field| body.get(field)).map(text_bytes).sum::<u64>().div_ceil(4)
}

fn text_bytes(value: &Value) -> u64 {
    match value {
        Value::String(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
        Value::Number(_) => 4,
        Value::Array(items) => items.iter().map(text_bytes).sum(),
        Value::Object(fields) => {
            ["content", "text", "parts", "output"].iter().filter_map(|field| fields.get(*field)).map(text_bytes).sum()
        }
        Value::Null | Value::Bool(_) => 0,
    }
}

/// Whether the conversation's last message is one of the user's that asks for the weather, which is when a tool gets called. A tool
/// result as the last message never does, so an agent's loop ends.
pub(super) fn asks_for_weather(messages: &Value) -> bool {
    let last = match messages {
        Value::Array(items) => items.last().unwrap_or(&Value::Null),
        other => other,
    };
    let is_users = last.get("role").is_none_or(|role| role == "user");
    let text = last.to_string();
    let is_result = ["tool_result", "functionResponse", "function_response", "function_call_output"]
        .iter()
        .any(|mark| text.contains(mark));
    is_users && !is_result && text.to_lowercase().contains("weather")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_a_quarter_of_the_text_rounded_up() {
        let body = json!({"model": "m", "messages": [
            {"role": "system", "content": "12345"},
            {"role": "user", "content": [{"type": "text", "text": "é"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        ]});
        assert_eq!(text_tokens(&body), 2);
        assert_eq!(text_tokens(&json!({"input": [[1, 2, 3], [4]]})), 4);
        assert_eq!(text_tokens(&json!({"contents": [{"parts": [{"text": "123"}]}]})), 1);
        assert_eq!(text_tokens(&json!({})), 0);
    }

    #[test]
    fn only_a_users_last_message_calls_for_a_tool() {
        assert!(asks_for_weather(&json!("What is the Weather?")));
        assert!(asks_for_weather(&json!([{"role": "user", "content": "weather in Paris"}])));
        assert!(!asks_for_weather(
            &json!([{"role": "user", "content": "weather"}, {"role": "tool", "content": "weather: sun"}])
        ));
        assert!(!asks_for_weather(
            &json!([{"role": "user", "content": [{"type": "tool_result", "content": "weather"}]}])
        ));
        assert!(!asks_for_weather(&json!([])));
    }
}
