//! A request, read.

use super::names::{members, members_if_any, one_or_many, other};
use super::{config, part, tools};
use crate::hub::Wire;
use crate::hub::part::{Role, Turn};
use crate::hub::request::{Other, Request};
use crate::hub::source::{ReadError, Result, Source};

/// Reads a request of generateContent or streamGenerateContent.
pub(crate) fn read_request(body: &[u8]) -> Result<Request<'_>> {
    let mut request = Request::new(Wire::Generate);
    let mut instruction = None;
    Source::new(body)?.whole(|source| {
        members(source, |source, name| match name {
            "contents" => one_or_many(source, |source| {
                let turn = content(source, &mut request.others)?;
                request.turns.push(turn);
                Ok(())
            }),
            "systemInstruction" if source.is_null()? => Ok(()),
            "systemInstruction" => {
                instruction = Some(Turn { role: Role::System, ..content(source, &mut request.others)? });
                Ok(())
            }
            "tools" => tools::read(source, &mut request),
            "toolConfig" => tools::read_config(source, &mut request),
            "generationConfig" => config::read(source, &mut request),
            "model" | "stream" | "fallbacks" => source.skip(),
            _ => other(&mut request.others, source, "", name),
        })
    })?;
    if let Some(instruction) = instruction {
        request.turns.insert(0, instruction);
    }
    Ok(request)
}

fn content<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<Turn<'a>> {
    let mut turn = Turn { role: Role::User, name: None, parts: Vec::new() };
    members_if_any(source, |source, name| match name {
        "role" => {
            turn.role = role(source)?;
            Ok(())
        }
        "parts" => one_or_many(source, |source| {
            turn.parts.extend(part::read(source, others)?);
            Ok(())
        }),
        _ => other(others, source, "contents[].", name),
    })?;
    Ok(turn)
}

/// What tools gave back was once said by `function`.
fn role(source: &mut Source<'_>) -> Result<Role> {
    let role = source.text_or_null()?;
    Ok(match role.as_ref().map(|role| role.plain()).as_deref() {
        None | Some("" | "user" | "function" | "tool") => Role::User,
        Some("model") => Role::Assistant,
        Some("system") => Role::System,
        Some(_) => return Err(ReadError::wrong("`user` or `model`")),
    })
}
