//! Tools and which of them are to be called: read and written.

use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::request::{Function, Request, Tool, ToolChoice, WebSearch};
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;
use crate::openai::tool_schema;
use crate::vendor::ChatQuirks;

use super::content;

/// Reads one of `tools`.
pub(super) fn read<'a>(source: &mut Source<'a>) -> Result<Tool<'a>> {
    match source.ahead("type")? {
        Some(kind) if !kind.is("function") => Ok(Tool::Hosted { kind, value: source.json()? }),
        _ => {
            let (mut function, mut cache) = (None, None);
            source.members(|source, name| {
                match name {
                    "function" => function = Some(read_function(source)?),
                    "cache_control" => cache = content::cache_mark(source)?,
                    _ => source.skip()?,
                }
                Ok(())
            })?;
            let mut function = function.ok_or_else(|| ReadError::wrong("an object").under("function"))?;
            function.cache = function.cache.or(cache);
            Ok(Tool::Function(function))
        }
    }
}

/// Reads a function; the deprecated `functions` are just that.
pub(super) fn read_function<'a>(source: &mut Source<'a>) -> Result<Function<'a>> {
    let mut name = None;
    let (mut description, mut parameters, mut strict, mut cache) = (None, None, None, None);
    source.members(|source, member| {
        match member {
            "name" => name = Some(source.text()?),
            "description" => description = source.text_or_null()?,
            "parameters" => parameters = schema(source)?,
            "strict" => strict = source.flag()?,
            "cache_control" => cache = content::cache_mark(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let name = name.ok_or_else(|| ReadError::wrong("a string").under("name"))?;
    Ok(Function { name, description, parameters, strict, cache })
}

fn schema<'a>(source: &mut Source<'a>) -> Result<Option<Json<'a>>> {
    match source.kind()? {
        Kind::Null | Kind::Object => source.json_or_null(),
        _ => source.wrong("an object"),
    }
}

/// Reads `tool_choice`, or the deprecated `function_call`.
pub(super) fn read_choice<'a>(source: &mut Source<'a>) -> Result<Option<ToolChoice<'a>>> {
    match source.kind()? {
        Kind::Null => source.skip().map(|()| None),
        Kind::String => choice_word(&source.text()?).map(Some),
        Kind::Object => choice_object(source).map(Some),
        _ => source.wrong("a string or an object"),
    }
}

fn choice_word(word: &Str<'_>) -> Result<ToolChoice<'static>> {
    match word.raw() {
        "none" => Ok(ToolChoice::None),
        "auto" => Ok(ToolChoice::Auto),
        // Mistral's word is `any`.
        "required" | "any" => Ok(ToolChoice::Required),
        _ => Err(ReadError::wrong("`none`, `auto`, `required` or an object")),
    }
}

fn choice_object<'a>(source: &mut Source<'a>) -> Result<ToolChoice<'a>> {
    let (mut named, mut among) = (None, None);
    source.members(|source, name| {
        match name {
            "function" | "custom" => named = name_in(source)?,
            // Of the deprecated `function_call`.
            "name" => named = source.text_or_null()?,
            "allowed_tools" => among = Some(allowed(source)?),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    match (named, among) {
        (Some(name), _) => Ok(ToolChoice::Named(name)),
        (None, Some(among)) => Ok(among),
        (None, None) => Err(ReadError::wrong("an object that names a function or `allowed_tools`")),
    }
}

fn name_in<'a>(source: &mut Source<'a>) -> Result<Option<Str<'a>>> {
    let mut found = None;
    source.members(|source, name| {
        match name {
            "name" => found = Some(source.text()?),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(found)
}

fn allowed<'a>(source: &mut Source<'a>) -> Result<ToolChoice<'a>> {
    let (mut names, mut required) = (Vec::new(), false);
    source.members(|source, name| {
        match name {
            "mode" => required = source.text()?.is("required"),
            "tools" => source.elements(|source| {
                source.members(|source, name| {
                    match name {
                        "function" | "custom" => names.extend(name_in(source)?),
                        _ => source.skip()?,
                    }
                    Ok(())
                })
            })?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(ToolChoice::Among { names, required })
}

/// Reads `web_search_options`; the second is how much of what is found the model gets to see.
pub(super) fn read_search<'a>(source: &mut Source<'a>) -> Result<(WebSearch<'a>, Option<Json<'a>>)> {
    let (mut search, mut size) = (WebSearch::default(), None);
    source.members(|source, name| {
        match name {
            "search_context_size" => size = source.json_or_null()?.filter(|size| !size.is("\"medium\"")),
            "user_location" => search.location = location(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok((search, size))
}

fn location<'a>(source: &mut Source<'a>) -> Result<Option<Json<'a>>> {
    let mut location = None;
    if source.is_null()? {
        return Ok(None);
    }
    source.members(|source, name| {
        match name {
            "approximate" => location = source.json_or_null()?.filter(Json::is_object),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(location)
}

/// Writes the tools and which of them to call.
pub(super) fn write(request: &Request<'_>, quirks: &ChatQuirks, lost: &mut Lost, sink: &mut Sink) {
    // Where some of the tools cannot be allowed, the others are left out.
    let only = match &request.tool_choice {
        Some(ToolChoice::Among { names, .. }) if !quirks.has_own_fields => Some(names),
        _ => None,
    };
    let is_written = |tool: &&Tool<'_>| match tool {
        Tool::Function(function) => only.is_none_or(|names| names.contains(&function.name)),
        Tool::Hosted { .. } => request.from == Wire::Chat,
        Tool::WebSearch(_) => false,
    };
    if request.tools.iter().any(|tool| is_written(&tool)) {
        sink.key("tools").array(|sink| {
            request.tools.iter().filter(is_written).for_each(|tool| write_tool(tool, quirks, lost, sink));
        });
        write_choice(request.tool_choice.as_ref(), only.is_some(), sink);
        if request.parallel_tools == Some(false) {
            let is_known = !quirks.unknown.contains(&"parallel_tool_calls");
            lost.add_if(!is_known, Field::ParallelTools);
            if is_known {
                sink.flag_member("parallel_tool_calls", false);
            }
        }
    }
    for tool in &request.tools {
        match tool {
            Tool::WebSearch(search) if quirks.has_own_fields => write_search(search, request, lost, sink),
            Tool::Hosted { .. } if request.from == Wire::Chat => {}
            Tool::WebSearch(_) | Tool::Hosted { .. } => lost.add(Field::HostedTool),
            Tool::Function(_) => {}
        }
    }
}

fn write_tool(tool: &Tool<'_>, quirks: &ChatQuirks, lost: &mut Lost, sink: &mut Sink) {
    match tool {
        Tool::Function(function) => {
            let has_strict = !quirks.unknown.contains(&"tools[].function.strict");
            lost.add_if(function.strict == Some(true) && !has_strict, Field::StrictTool);
            lost.add_if(function.cache.is_some() && !quirks.has_cache_control, Field::CacheMark);
            sink.object(|sink| {
                sink.plain_member("type", "function");
                sink.key("function").object(|sink| write_function(function, has_strict, sink));
                if let Some(mark) = function.cache.as_ref().filter(|_| quirks.has_cache_control) {
                    content::write_mark(mark, sink);
                }
            });
        }
        Tool::Hosted { value, .. } => sink.json(value),
        Tool::WebSearch(_) => {}
    }
}

fn write_function(function: &Function<'_>, has_strict: bool, sink: &mut Sink) {
    sink.text_member("name", &function.name);
    if let Some(description) = &function.description {
        sink.text_member("description", description);
    }
    match &function.parameters {
        Some(parameters) => tool_schema::write(parameters, sink.key("parameters")),
        None => sink.json_member("parameters", &Json::read(r#"{"type":"object","properties":{}}"#)),
    }
    if function.strict == Some(true) && has_strict {
        sink.flag_member("strict", true);
    }
}

/// `is_narrowed`: only those tools are there that may be called.
fn write_choice(choice: Option<&ToolChoice<'_>>, is_narrowed: bool, sink: &mut Sink) {
    let function = |name: &Str<'_>, sink: &mut Sink| {
        sink.object(|sink| {
            sink.plain_member("type", "function");
            sink.key("function").object(|sink| sink.text_member("name", name));
        });
    };
    match choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => sink.plain_member("tool_choice", "none"),
        Some(ToolChoice::Among { required: false, .. }) if is_narrowed => {}
        Some(ToolChoice::Among { .. }) if is_narrowed => sink.plain_member("tool_choice", "required"),
        Some(ToolChoice::Required) => sink.plain_member("tool_choice", "required"),
        Some(ToolChoice::Named(name)) => function(name, sink.key("tool_choice")),
        Some(ToolChoice::Among { names, required }) => sink.key("tool_choice").object(|sink| {
            sink.plain_member("type", "allowed_tools");
            sink.key("allowed_tools").object(|sink| {
                sink.plain_member("mode", if *required { "required" } else { "auto" });
                sink.key("tools").array(|sink| names.iter().for_each(|name| function(name, sink)));
            });
        }),
    }
}

/// How often and on which sites cannot be said.
fn write_search(search: &WebSearch<'_>, request: &Request<'_>, lost: &mut Lost, sink: &mut Sink) {
    let has_limits =
        search.max_uses.is_some() || !search.allowed_domains.is_empty() || !search.blocked_domains.is_empty();
    lost.add_if(has_limits, Field::HostedTool);
    let size = request.others.iter().find(|other| SEARCH_SIZE.contains(&&*other.name)).map(|other| &other.value);
    sink.key("web_search_options").object(|sink| {
        if let Some(size) = size {
            sink.json_member("search_context_size", size);
        }
        if let Some(location) = &search.location {
            sink.key("user_location").object(|sink| {
                sink.plain_member("type", "approximate");
                sink.json_member("approximate", location);
            });
        }
    });
}

/// How much of what is found the model gets to see, as this format's reader and that of Responses call it.
pub(super) const SEARCH_SIZE: [&str; 2] = ["web_search_options.search_context_size", "tools[].search_context_size"];
