//! Google's Gemini API: `generateContent`, its stream, and `countTokens`. Embeddings are in `embed`.

use serde_json::{Value, json};

use super::script::{Ask, Script, Tokens, asks_for_weather};
use super::wire::{Answer, Event, Framing, put};

/// Answers `:generateContent` and `:streamGenerateContent`.
pub(super) fn generate(ask: &Ask<'_>) -> Answer {
    let body = ask.body;
    let config = body.get("generationConfig").unwrap_or(&body["generation_config"]);
    let limit = config["maxOutputTokens"].as_u64().or_else(|| config["max_output_tokens"].as_u64());
    let choices = config["candidateCount"].as_u64().unwrap_or(1).clamp(1, 8);
    let tool = tool_name(body).filter(|_| asks_for_weather(&body["contents"]));
    let script = Script::new(ask, limit, choices, tool);
    if ask.stream { stream(ask, &script) } else { whole(ask, &script) }
}

/// Answers `:countTokens`.
pub(super) fn count_tokens(ask: &Ask<'_>) -> Answer {
    let count = super::script::text_tokens(ask.body.get("generateContentRequest").unwrap_or(ask.body));
    let answer = json!({"totalTokens": count, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}]});
    Answer::whole(answer, 0, None)
}

/// An error body, which is also the last element of a stream that breaks off.
pub(super) fn error(status: u16, message: &str) -> Value {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    json!({"error": {"code": status, "message": message, "status": name}})
}

fn whole(ask: &Ask<'_>, script: &Script) -> Answer {
    let part = match &script.tool {
        Some(_) => function_call(script),
        None => json!({"text": script.text()}),
    };
    let thought = (!script.thoughts.is_empty()).then(|| json!({"text": script.thought(), "thought": true}));
    let parts: Vec<Value> = thought.into_iter().chain([part]).collect();
    let candidates: Vec<Value> =
        (0..script.choices).map(|n| candidate(n, parts.clone(), Some(finish_reason(script)))).collect();
    let usage = script.reported().map(usage);
    let answer = envelope(ask, candidates.into(), usage.as_ref());
    Answer::whole(answer, script.spoken_tokens(), usage)
}

/// One word of every candidate per event; the last event carries the finish reason. Usage grows from event to event.
fn stream(ask: &Ask<'_>, script: &Script) -> Answer {
    let thoughts = script.thoughts.iter().map(|text| json!({"text": text, "thought": true}));
    let texts = script.pieces.iter().map(|text| json!({"text": text}));
    let mut parts: Vec<(Option<Value>, u64)> = thoughts.chain(texts).map(|part| (Some(part), script.choices)).collect();
    if let Some(tool) = &script.tool {
        let tokens = u64::try_from(tool.arguments.len()).unwrap_or(u64::MAX);
        parts.push((Some(function_call(script)), tokens.saturating_mul(script.choices)));
    }
    if parts.is_empty() {
        parts.push((None, 0));
    }
    let last = parts.len() - 1;
    let mut said = 0;
    let mut events = Vec::with_capacity(parts.len());
    for (n, (part, tokens)) in parts.into_iter().enumerate() {
        said += tokens;
        let finish = (n == last && !ask.controls.faults.no_finish).then(|| finish_reason(script));
        let candidates: Vec<Value> =
            (0..script.choices).map(|c| candidate(c, part.iter().cloned().collect(), finish)).collect();
        let usage = script.reported().map(|total| usage(Tokens { words: said.min(total.words), ..total }));
        events.push(Event::data(&envelope(ask, candidates.into(), usage.as_ref())).with_tokens(tokens));
    }
    Answer::stream(events, framing(ask), script.reported().map(usage))
}

/// How a stream is framed.
pub(super) fn framing(ask: &Ask<'_>) -> Framing {
    if ask.alt_sse { Framing::Sse } else { Framing::Array }
}

fn envelope(ask: &Ask<'_>, candidates: Value, usage: Option<&Value>) -> Value {
    let mut answer = json!({
        "candidates": candidates,
        "modelVersion": ask.model,
        "responseId": format!("fake{:010}", ask.seq),
    });
    if let Some(usage) = usage {
        put(&mut answer, "usageMetadata", usage.clone());
    }
    answer
}

fn candidate(index: u64, parts: Vec<Value>, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": index});
    if let Some(finish) = finish {
        put(&mut candidate, "finishReason", json!(finish));
    }
    candidate
}

fn function_call(script: &Script) -> Value {
    let Some(tool) = &script.tool else { return Value::Null };
    let args: Value = serde_json::from_str(&tool.arguments_text()).unwrap_or_default();
    json!({"functionCall": {"name": tool.name, "args": args}})
}

/// `promptTokenCount` includes cached tokens, `candidatesTokenCount` excludes thoughts, the total has both
/// and the tool results besides. Counts of nothing are
/// left out, as protobuf's JSON does, except the three that are always there.
fn usage(tokens: Tokens) -> Value {
    let prompt = tokens.text_in + tokens.cached + tokens.audio_in;
    let candidates = tokens.words + tokens.audio_out;
    let mut usage = json!({
        "promptTokenCount": prompt,
        "candidatesTokenCount": candidates,
        "totalTokenCount": prompt + candidates + tokens.reasoning + tokens.tool_prompt,
        "promptTokensDetails": modalities(tokens.text_in + tokens.cached, tokens.audio_in),
    });
    if tokens.cached > 0 {
        put(&mut usage, "cachedContentTokenCount", json!(tokens.cached));
        put(&mut usage, "cacheTokensDetails", modalities(tokens.cached, 0));
    }
    if tokens.reasoning > 0 {
        put(&mut usage, "thoughtsTokenCount", json!(tokens.reasoning));
    }
    if tokens.tool_prompt > 0 {
        put(&mut usage, "toolUsePromptTokenCount", json!(tokens.tool_prompt));
        put(&mut usage, "toolUsePromptTokensDetails", modalities(tokens.tool_prompt, 0));
    }
    if tokens.audio_out > 0 {
        put(&mut usage, "candidatesTokensDetails", modalities(tokens.words, tokens.audio_out));
    }
    usage
}

fn modalities(text: u64, audio: u64) -> Value {
    let mut list = vec![json!({"modality": "TEXT", "tokenCount": text})];
    if audio > 0 {
        list.push(json!({"modality": "AUDIO", "tokenCount": audio}));
    }
    list.into()
}

fn finish_reason(script: &Script) -> &'static str {
    if script.truncated { "MAX_TOKENS" } else { "STOP" }
}

fn tool_name(body: &Value) -> Option<String> {
    let tool = body["tools"].get(0)?;
    let functions = tool.get("functionDeclarations").or_else(|| tool.get("function_declarations"))?;
    let mode = body.pointer("/toolConfig/functionCallingConfig/mode").and_then(Value::as_str);
    let name = functions.get(0)?["name"].as_str()?;
    (mode != Some("NONE")).then(|| name.to_owned())
}
