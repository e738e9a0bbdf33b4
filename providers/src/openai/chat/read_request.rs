//! Requests (`openai/types/chat/completion_create_params.py` of the SDK 3.52.0), the deprecated `functions` among them, and the
//! fields by which those who copy the API are told how to think.

use std::borrow::Cow;

use super::message::Message;
use super::tool;
use crate::hub::Wire;
use crate::hub::part::{Part, Role, ToolOutput, ToolResult, Turn};
use crate::hub::request::{Format, Other, Request, Thinking, Tool};
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;

/// Reads a request.
pub(crate) fn read_request(body: &[u8]) -> Result<Request<'_>> {
    Source::new(body)?.whole(|source| {
        let mut request = Request::new(Wire::Chat);
        let mut has_messages = false;
        source.members(|source, name| {
            has_messages |= name == "messages";
            field(&mut request, source, name)
        })?;
        if has_messages { Ok(request) } else { Err(ReadError::wrong("an array").under("messages")) }
    })
}

fn field<'a>(request: &mut Request<'a>, source: &mut Source<'a>, name: &str) -> Result<()> {
    match name {
        "model" | "stream" | "fallbacks" => source.skip()?,
        "stream_options" => stream_options(request, source)?,
        "messages" => messages(request, source)?,
        "tools" => request.tools.extend(source.list(tool::read)?),
        "functions" => {
            let functions = source.list(tool::read_function)?;
            request.tools.extend(functions.into_iter().map(Tool::Function));
        }
        "tool_choice" => request.tool_choice = tool::read_choice(source)?,
        "function_call" => request.tool_choice = tool::read_choice(source)?.or(request.tool_choice.take()),
        "parallel_tool_calls" => request.parallel_tools = source.flag()?,
        "web_search_options" => web_search(request, source)?,
        "response_format" => request.format = format(source)?,
        "reasoning_effort" => {
            let effort = source.text_or_null()?;
            if effort.is_some() {
                request.thinking.get_or_insert_default().effort = effort;
            }
        }
        "reasoning" if source.kind()? == Kind::Object => reasoning(request, source)?,
        "thinking" if source.kind()? == Kind::Object => thinking(request, source)?,
        "max_completion_tokens" => request.max_output = source.count()?.or(request.max_output),
        "max_tokens" => request.max_output = request.max_output.or(source.count()?),
        _ if !sampling(request, source, name)? => other(request, source, name)?,
        _ => {}
    }
    Ok(())
}

/// How the tokens are chosen, and what the answer looks like.
fn sampling<'a>(request: &mut Request<'a>, source: &mut Source<'a>, name: &str) -> Result<bool> {
    match name {
        "temperature" => request.temperature = source.number()?,
        "top_p" => request.top_p = source.number()?,
        "top_k" => request.top_k = source.number()?,
        "frequency_penalty" => request.frequency_penalty = source.number()?,
        "presence_penalty" => request.presence_penalty = source.number()?,
        "seed" => request.seed = source.number()?,
        "n" => request.choices = source.count()?,
        "stop" => request.stop = stop(source)?,
        "logprobs" => request.logprobs = source.flag()?,
        "top_logprobs" => request.top_logprobs = source.count()?,
        "user" => request.user = source.text_or_null()?,
        "verbosity" => request.verbosity = source.text_or_null()?,
        "modalities" => {
            request.modalities = source.list(Source::text)?;
            request.modalities.retain(|modality| !modality.is("text"));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn other<'a>(request: &mut Request<'a>, source: &mut Source<'a>, name: &str) -> Result<()> {
    if let Some(value) = source.json_or_null()? {
        request.others.push(Other { name: Cow::Owned(name.to_owned()), value });
    }
    Ok(())
}

/// How the stream is framed; whether usage is wanted is known before.
pub(in crate::openai) fn stream_options<'a>(request: &mut Request<'a>, source: &mut Source<'a>) -> Result<()> {
    if source.is_null()? {
        return Ok(());
    }
    source.members(|source, name| match name {
        "include_usage" => source.skip(),
        _ => other(request, source, &format!("stream_options.{name}")),
    })
}

/// One text, or several.
pub(in crate::openai) fn stop<'a>(source: &mut Source<'a>) -> Result<Vec<Str<'a>>> {
    match source.kind()? {
        Kind::String => Ok(vec![source.text()?]),
        Kind::Null | Kind::Array => source.list(Source::text),
        _ => source.wrong("a string or an array of strings"),
    }
}

fn web_search<'a>(request: &mut Request<'a>, source: &mut Source<'a>) -> Result<()> {
    if source.is_null()? {
        return Ok(());
    }
    let (search, size) = tool::read_search(source)?;
    request.tools.push(Tool::WebSearch(search));
    if let Some(value) = size {
        request.others.push(Other { name: Cow::Borrowed(tool::SEARCH_SIZE[0]), value });
    }
    Ok(())
}

fn format<'a>(source: &mut Source<'a>) -> Result<Option<Format<'a>>> {
    if source.is_null()? {
        return Ok(None);
    }
    let (mut kind, mut schema) = (None, None);
    source.members(|source, name| {
        match name {
            "type" => kind = Some(source.text()?),
            "json_schema" => schema = Some(json_schema(source)?),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    match (kind.as_ref().map(Str::raw), schema) {
        (Some("text"), _) => Ok(None),
        (Some("json_object"), _) => Ok(Some(Format::Json)),
        (Some("json_schema"), Some(schema)) => Ok(Some(schema)),
        (Some("json_schema"), None) => Err(ReadError::wrong("an object").under("json_schema")),
        _ => Err(ReadError::wrong("`text`, `json_object` or `json_schema`").under("type")),
    }
}

fn json_schema<'a>(source: &mut Source<'a>) -> Result<Format<'a>> {
    let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
    source.members(|source, member| {
        match member {
            "name" => name = source.text_or_null()?,
            "description" => description = source.text_or_null()?,
            "schema" => schema = source.json_or_null()?,
            "strict" => strict = source.flag()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let schema = schema.unwrap_or_else(|| Json::read(r#"{"type":"object"}"#));
    Ok(Format::Schema { name, description, schema, strict })
}

/// OpenRouter's (<https://openrouter.ai/docs/use-cases/reasoning-tokens>, 2026-11).
fn reasoning<'a>(request: &mut Request<'a>, source: &mut Source<'a>) -> Result<()> {
    let mut thinking = request.thinking.take().unwrap_or_default();
    source.members(|source, name| {
        match name {
            "effort" => thinking.effort = source.text_or_null()?.or(thinking.effort.take()),
            "max_tokens" => thinking.budget = source.count()?,
            "exclude" => thinking.is_shown = source.flag()?.map(|is_hidden| !is_hidden),
            "enabled" => enable(&mut thinking, source.flag()?),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    request.thinking = Some(thinking).filter(|thinking| *thinking != Thinking::default());
    Ok(())
}

fn enable(thinking: &mut Thinking<'_>, is_enabled: Option<bool>) {
    match is_enabled {
        Some(false) => thinking.budget = Some(0),
        Some(true) => thinking.is_adaptive = thinking.effort.is_none() && thinking.budget.is_none(),
        None => {}
    }
}

/// DeepSeek's, Z.ai's and LiteLLM's, which is Anthropic's: `{"type": "enabled", "budget_tokens": …}`.
fn thinking<'a>(request: &mut Request<'a>, source: &mut Source<'a>) -> Result<()> {
    let mut thinking = request.thinking.take().unwrap_or_default();
    let mut kind = None;
    source.members(|source, name| {
        match name {
            "type" => kind = source.text_or_null()?,
            "budget_tokens" => thinking.budget = source.count()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    match kind.as_ref().map(Str::raw) {
        Some("disabled") => enable(&mut thinking, Some(false)),
        Some("enabled" | "adaptive" | "auto") => enable(&mut thinking, Some(true)),
        _ => {}
    }
    request.thinking = Some(thinking).filter(|thinking| *thinking != Thinking::default());
    Ok(())
}

fn messages<'a>(request: &mut Request<'a>, source: &mut Source<'a>) -> Result<()> {
    let (mut turns, mut has_prefix) = (Vec::new(), false);
    source.elements(|source| {
        let message = Message::read(source)?;
        has_prefix |= message.is_prefix;
        turns.push(turn(message)?);
        Ok(())
    })?;
    request.turns = turns;
    if has_prefix {
        request.others.push(Other { name: Cow::Borrowed("messages[].prefix"), value: Json::read("true") });
    }
    Ok(())
}

fn turn(mut message: Message<'_>) -> Result<Turn<'_>> {
    let role = match message.role.as_ref().map(Str::raw) {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system" | "developer") => Role::System,
        Some("tool" | "function") => return Ok(result(message)),
        _ => return Err(ReadError::wrong("`system`, `developer`, `user`, `assistant` or `tool`").under("role")),
    };
    let name = message.name.take();
    Ok(Turn { role, name, parts: message.into_parts() })
}

/// What a tool gave back.
fn result(message: Message<'_>) -> Turn<'_> {
    let Message { name, tool_call_id: id, content, cache, .. } = message;
    let result = ToolResult { id, name, content: ToolOutput::Parts(content), is_error: false, cache };
    Turn { role: Role::User, name: None, parts: vec![Part::ToolResult(result)] }
}
