//! A request in Anthropic's Messages, read (`types/message_create_params.py` and, for what is in beta,
//! `types/beta/message_create_params.py` of the Python SDK).

use crate::hub::Wire;
use crate::hub::part::{Role, Turn};
use crate::hub::request::{Format, Other, Request};
use crate::hub::source::{ReadError, Result, Source};
use crate::json::Kind;

use super::blocks::Blocks;
use super::{proof, thinking, tools};

/// Reads a request.
pub(crate) fn read_request(body: &[u8]) -> Result<Request<'_>> {
    let mut request = Request::new(Wire::Messages);
    Source::new(body)?.whole(|source| source.members(|source, name| field(source, name, &mut request)))?;
    Ok(request)
}

fn field<'a>(source: &mut Source<'a>, name: &str, request: &mut Request<'a>) -> Result<()> {
    if source.is_null()? {
        return Ok(());
    }
    match name {
        // `fallbacks` is the gateway's own.
        "model" | "stream" | "fallbacks" => source.skip()?,
        "max_tokens" => request.max_output = source.count()?,
        "messages" => source.elements(|source| message(source, request))?,
        "system" => system(source, request)?,
        "tools" => request.tools = source.list(tools::read)?,
        "tool_choice" => tools::read_choice(source, request)?,
        "thinking" => thinking::read(source, request)?,
        "output_config" => source.members(|source, name| output(source, name, request))?,
        "output_format" => request.format = Some(format(source)?),
        "metadata" => source.members(|source, name| metadata(source, name, request))?,
        "temperature" => request.temperature = source.number()?,
        "top_p" => request.top_p = source.number()?,
        "top_k" => request.top_k = source.number()?,
        "context_management" => context_management(source, request)?,
        "stop_sequences" => request.stop = source.list(Source::text)?,
        _ => other(source, request, name.to_owned())?,
    }
    Ok(())
}

fn other<'a>(source: &mut Source<'a>, request: &mut Request<'a>, name: String) -> Result<()> {
    if let Some(value) = source.json_or_null()? {
        request.others.push(Other { name: name.into(), value });
    }
    Ok(())
}

/// Clients send it unasked, to have old results and thoughts left out of long conversations; only where these are to be summed up
/// does the answer differ. Which of both it is, its name tells.
fn context_management<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    let mut is_compact = false;
    let ((), value) = source.kept(|source| {
        source.members(|source, name| match name {
            "edits" if source.kind()? == Kind::Array => source.elements(|source| {
                is_compact |= source.ahead("type")?.is_some_and(|kind| kind.raw().starts_with("compact"));
                source.skip()
            }),
            _ => source.skip(),
        })
    })?;
    let name = if is_compact { "context_management" } else { "context_management.edits" };
    request.others.push(Other { name: name.into(), value });
    Ok(())
}

/// Instructions are the first turn, wherever they stand in the request.
fn system<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    let mut blocks = Blocks::default();
    blocks.content(source)?;
    request.others.append(&mut blocks.others);
    if !blocks.parts.is_empty() {
        request.turns.insert(0, Turn { role: Role::System, name: None, parts: blocks.parts });
    }
    Ok(())
}

fn message<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    let (mut role, mut blocks) = (Role::User, Blocks::default());
    source.members(|source, name| {
        match name {
            "role" => role = read_role(source)?,
            "content" => blocks.content(source)?,
            _ => other(source, request, format!("messages[].{name}"))?,
        }
        Ok(())
    })?;
    for other in blocks.others {
        if request.others.iter().all(|noted| noted.name != other.name) {
            request.others.push(other);
        }
    }
    proof::unseal(&mut blocks.parts);
    request.turns.push(Turn { role, name: None, parts: blocks.parts });
    Ok(())
}

fn read_role(source: &mut Source<'_>) -> Result<Role> {
    let role = source.text()?;
    match role.raw() {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        _ => Err(ReadError::wrong("`user`, `assistant` or `system`")),
    }
}

fn output<'a>(source: &mut Source<'a>, name: &str, request: &mut Request<'a>) -> Result<()> {
    match name {
        "effort" => {
            if let Some(effort) = source.text_or_null()? {
                request.thinking.get_or_insert_default().effort = Some(effort);
            }
        }
        "format" if source.is_null()? => {}
        "format" => request.format = Some(format(source)?),
        _ => other(source, request, format!("output_config.{name}"))?,
    }
    Ok(())
}

fn format<'a>(source: &mut Source<'a>) -> Result<Format<'a>> {
    let mut schema = None;
    source.members(|source, name| {
        match name {
            "schema" => schema = source.json_or_null()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    match schema {
        Some(schema) => Ok(Format::Schema { name: None, description: None, schema, strict: Some(true) }),
        None => Err(ReadError::wrong("an object with a `schema`")),
    }
}

fn metadata<'a>(source: &mut Source<'a>, name: &str, request: &mut Request<'a>) -> Result<()> {
    match name {
        "user_id" => request.user = source.text_or_null()?,
        _ => other(source, request, format!("metadata.{name}"))?,
    }
    Ok(())
}
