//! The tools of a request of the Responses API, read (`tool_param.py`, `tool_choice_*_param.py`).

use super::read_request::add;
use crate::hub::members::Members;
use crate::hub::request::{Function, Other, Request, Tool, ToolChoice, WebSearch};
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;

/// The types of the web search, of all its versions.
pub(super) const WEB_SEARCHES: [&str; 4] =
    ["web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"];

/// What tells where the user is.
pub(super) const LOCATION: [&str; 4] = ["city", "region", "country", "timezone"];

/// A tool. What the neutral form has no place for goes to `others`.
pub(super) fn read<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<Tool<'a>> {
    let members = source.unread_members()?;
    let kind = members.needed_text("type")?;
    let name = kind.plain();
    if name == "function" {
        return read_function(&members, others).map(Tool::Function);
    }
    if WEB_SEARCHES.contains(&&*name) {
        return read_search(&members, others).map(Tool::WebSearch);
    }
    drop(name);
    Ok(Tool::Hosted { kind, value: members.whole() })
}

fn read_function<'a>(members: &Members<'a>, others: &mut Vec<Other<'a>>) -> Result<Function<'a>> {
    add_rest(members, &["type", "name", "description", "parameters", "strict"], others);
    Ok(Function {
        name: members.needed_text("name")?,
        description: members.text("description")?,
        parameters: members.read("parameters", object)?,
        strict: members.read("strict", Source::flag)?.flatten(),
        cache: None,
    })
}

fn read_search<'a>(members: &Members<'a>, others: &mut Vec<Other<'a>>) -> Result<WebSearch<'a>> {
    add_rest(members, &["type", "filters", "user_location"], others);
    let mut search = WebSearch { location: members.read("user_location", location)?.flatten(), ..WebSearch::default() };
    members.read("filters", |source| {
        source.members(|source, name| {
            match name {
                "allowed_domains" => search.allowed_domains = source.list(Source::text)?,
                "blocked_domains" => search.blocked_domains = source.list(Source::text)?,
                _ => source.skip()?,
            }
            Ok(())
        })
    })?;
    Ok(search)
}

/// The members of a tool that have no place, if they are not what would be without them.
fn add_rest<'a>(members: &Members<'a>, known: &[&str], others: &mut Vec<Other<'a>>) {
    for (name, value) in members.iter().filter(|(name, _)| !known.contains(&&***name)) {
        let is_usual = match &**name {
            "external_web_access" => value.is("true"),
            "search_context_size" => value.is("\"medium\""),
            "allowed_callers" => value.is("[\"direct\"]"),
            _ => value.is("false"),
        };
        if !is_usual {
            add(others, format!("tools[].{name}"), value);
        }
    }
}

/// A value that must be an object.
pub(super) fn object<'a>(source: &mut Source<'a>) -> Result<Json<'a>> {
    if source.kind()? == Kind::Object { source.json() } else { source.wrong("an object") }
}

/// A place without the word that it is an approximate one. `None`: it says nothing.
fn location<'a>(source: &mut Source<'a>) -> Result<Option<Json<'a>>> {
    let members = source.unread_members()?;
    let mut sink = Sink::default();
    let mut is_empty = true;
    sink.object(|sink| {
        for (name, value) in members.iter().filter(|(name, _)| LOCATION.contains(&&***name)) {
            sink.json_member(name, &value);
            is_empty = false;
        }
    });
    let text = String::from_utf8(sink.into_bytes()).unwrap_or_default();
    Ok(if is_empty { None } else { Json::checked(text) })
}

/// Which tools are to be called. What only the vendor's own tools know goes to the request's `others`.
pub(super) fn read_choice<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    match source.kind()? {
        Kind::Null => return source.skip(),
        Kind::String | Kind::Object => {}
        _ => return source.wrong("a string or an object"),
    }
    let raw = source.raw()?;
    request.tool_choice = match read_known_choice(&mut Source::of(raw))? {
        Some(choice) => Some(choice),
        None => {
            add(&mut request.others, "tool_choice", Json::read(raw));
            None
        }
    };
    Ok(())
}

/// `None`: a choice that is not known here.
fn read_known_choice<'a>(source: &mut Source<'a>) -> Result<Option<ToolChoice<'a>>> {
    if source.kind()? == Kind::String {
        return Ok(match &*source.text()?.plain() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Required),
            _ => None,
        });
    }
    let members = source.unread_members()?;
    Ok(match &*members.needed_text("type")?.plain() {
        "function" => Some(ToolChoice::Named(members.needed_text("name")?)),
        "allowed_tools" => {
            let required = members.text("mode")?.is_some_and(|mode| mode.is("required"));
            let names = members.read("tools", |source| source.list(allowed_name))?.unwrap_or_default();
            let names: Option<Vec<_>> = names.into_iter().collect();
            names.map(|names| ToolChoice::Among { names, required })
        }
        _ => None,
    })
}

/// The name of a tool that may be called. `None`: it is none of the caller's.
fn allowed_name<'a>(source: &mut Source<'a>) -> Result<Option<Str<'a>>> {
    let members = source.unread_members()?;
    let is_function = members.text("type")?.is_some_and(|kind| kind.is("function"));
    if is_function { members.needed_text("name").map(Some) } else { Ok(None) }
}
