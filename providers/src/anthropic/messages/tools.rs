//! Tools and which of them the model calls, both ways.

use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::request::{Function, Request, Tool, ToolChoice, WebSearch};
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::{Json, Str};

use super::blocks::cache_mark;
use super::model::Generation;
use super::request_blocks::write_mark;
use super::schema;

/// Reads a tool. Those without a type of their own are the caller's; of Anthropic's, the search of the web is known elsewhere too.
pub(super) fn read<'a>(source: &mut Source<'a>) -> Result<Tool<'a>> {
    match source.ahead("type")? {
        None => function(source).map(Tool::Function),
        Some(kind) if kind.is("custom") => function(source).map(Tool::Function),
        Some(kind) if kind.raw().starts_with("web_search_") => web_search(source).map(Tool::WebSearch),
        Some(kind) => Ok(Tool::Hosted { kind, value: source.json()? }),
    }
}

fn function<'a>(source: &mut Source<'a>) -> Result<Function<'a>> {
    let mut function =
        Function { name: Str::default(), description: None, parameters: None, strict: None, cache: None };
    source.members(|source, name| {
        match name {
            "name" => function.name = source.text()?,
            "description" => function.description = source.text_or_null()?,
            "input_schema" => function.parameters = source.json_or_null()?,
            "strict" => function.strict = source.flag()?,
            "cache_control" => function.cache = cache_mark(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(function)
}

fn web_search<'a>(source: &mut Source<'a>) -> Result<WebSearch<'a>> {
    let mut search = WebSearch::default();
    source.members(|source, name| {
        match name {
            "max_uses" => search.max_uses = source.count()?,
            "allowed_domains" => search.allowed_domains = source.list(Source::text)?,
            "blocked_domains" => search.blocked_domains = source.list(Source::text)?,
            "user_location" => search.location = location(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(search)
}

/// Where the user is; Anthropic says beside it that this is not exact.
fn location(source: &mut Source<'_>) -> Result<Option<Json<'static>>> {
    if source.is_null()? {
        return Ok(None);
    }
    let (mut sink, mut read) = (Sink::default(), Ok(()));
    sink.object(|sink| read = source.members(|source, name| copy_place(sink, source, name)));
    read.map(|()| String::from_utf8(sink.into_bytes()).ok().and_then(Json::checked))
}

fn copy_place(sink: &mut Sink, source: &mut Source<'_>, name: &str) -> Result<()> {
    let place = source.json_or_null()?.filter(|_| ["city", "region", "country", "timezone"].contains(&name));
    place.iter().for_each(|place| sink.json_member(name, place));
    Ok(())
}

/// Reads which tools the model calls, and whether several at once.
pub(super) fn read_choice<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    let (mut kind, mut called) = (None, None);
    source.members(|source, name| {
        match name {
            "type" => kind = Some(source.text()?),
            "name" => called = source.text_or_null()?,
            "disable_parallel_tool_use" => request.parallel_tools = source.flag()?.map(|is_disabled| !is_disabled),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    request.tool_choice = Some(match (kind.as_ref().map(Str::raw), called) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("any"), _) => ToolChoice::Required,
        (Some("none"), _) => ToolChoice::None,
        (Some("tool"), Some(name)) => ToolChoice::Named(name),
        _ => return Err(ReadError::wrong("of type `auto`, `any`, `none`, or `tool` with a name")),
    });
    Ok(())
}

/// Whether the model has to call a tool.
pub(super) const fn is_forced(request: &Request<'_>) -> bool {
    matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. })
    )
}

/// Writes the tools and which of them the model calls.
pub(super) fn write(sink: &mut Sink, request: &Request<'_>, generation: Generation, lost: &mut Lost) {
    let tools = || request.tools.iter().filter(|tool| is_allowed(tool, request.tool_choice.as_ref()));
    let is_known = |tool: &Tool<'_>| request.from == Wire::Messages || !matches!(tool, Tool::Hosted { .. });
    lost.add_if(!tools().all(is_known), Field::HostedTool);
    if !tools().any(is_known) {
        return;
    }
    sink.key("tools").array(|sink| {
        tools().filter(|tool| is_known(tool)).for_each(|tool| write_tool(sink, tool, generation, lost));
    });
    write_choice(sink, request);
}

/// Whether the choice leaves a tool.
fn is_allowed(tool: &Tool<'_>, choice: Option<&ToolChoice<'_>>) -> bool {
    match (tool, choice) {
        (Tool::Function(function), Some(ToolChoice::Among { names, .. })) => names.contains(&function.name),
        _ => true,
    }
}

fn write_tool(sink: &mut Sink, tool: &Tool<'_>, generation: Generation, lost: &mut Lost) {
    match tool {
        Tool::Function(function) => write_function(sink, function, generation, lost),
        Tool::WebSearch(search) => write_web_search(sink, search),
        Tool::Hosted { value, .. } => sink.json(value),
    }
}

fn write_function(sink: &mut Sink, function: &Function<'_>, generation: Generation, lost: &mut Lost) {
    let is_strict = function.strict == Some(true);
    let closed = function.parameters.as_ref().filter(|_| is_strict && generation.keeps_to_schemas());
    let closed = closed.and_then(schema::closed);
    lost.add_if(is_strict && function.parameters.is_some() && closed.is_none(), Field::StrictTool);
    sink.object(|sink| {
        sink.text_member("name", &function.name);
        if let Some(description) = function.description.as_ref().filter(|text| !text.is_empty()) {
            sink.text_member("description", description);
        }
        sink.key("input_schema");
        write_schema(sink, closed.as_ref().or(function.parameters.as_ref()));
        if closed.is_some() {
            sink.flag_member("strict", true);
        }
        write_mark(sink, function.cache.as_ref());
    });
}

/// Anthropic wants the type `object` said; others do without.
fn write_schema(sink: &mut Sink, schema: Option<&Json<'_>>) {
    let schema = schema.filter(|schema| schema.is_object());
    let Some(schema) = schema else { return sink.json(&Json::read(r#"{"type":"object","properties":{}}"#)) };
    let mut source = Source::of(schema.raw());
    if matches!(source.ahead("type"), Ok(Some(_))) {
        return sink.json(schema);
    }
    sink.object(|sink| {
        sink.plain_member("type", "object");
        // What was read once can be read again.
        let _ = source.members(|source, name| {
            let value = source.json()?;
            if name != "type" {
                sink.json_member(name, &value);
            }
            Ok(())
        });
    });
}

fn write_web_search(sink: &mut Sink, search: &WebSearch<'_>) {
    sink.object(|sink| {
        sink.plain_member("type", "web_search_20250305");
        sink.plain_member("name", "web_search");
        if let Some(most) = search.max_uses {
            sink.count_member("max_uses", most);
        }
        // Either may be given, not both.
        let is_allowed = !search.allowed_domains.is_empty();
        let (name, domains) = match is_allowed {
            true => ("allowed_domains", &search.allowed_domains),
            false => ("blocked_domains", &search.blocked_domains),
        };
        if !domains.is_empty() {
            sink.key(name).array(|sink| domains.iter().for_each(|domain| sink.text(domain)));
        }
        if let Some(location) = &search.location {
            write_location(sink, location);
        }
    });
}

fn write_location(sink: &mut Sink, location: &Json<'_>) {
    sink.key("user_location").object(|sink| {
        sink.plain_member("type", "approximate");
        // What was read once can be read again.
        let _ = Source::of(location.raw()).members(|source, name| copy_place(sink, source, name));
    });
}

fn write_choice(sink: &mut Sink, request: &Request<'_>) {
    let is_single = request.parallel_tools == Some(false);
    let (kind, name) = match &request.tool_choice {
        Some(ToolChoice::Required | ToolChoice::Among { required: true, .. }) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(name)),
        Some(ToolChoice::None) => ("none", None),
        _ if is_single => ("auto", None),
        _ => return,
    };
    sink.key("tool_choice").object(|sink| {
        sink.plain_member("type", kind);
        if let Some(name) = name {
            sink.text_member("name", name);
        }
        if is_single && kind != "none" {
            sink.flag_member("disable_parallel_tool_use", true);
        }
    });
}
