//! The tools of a request of the Responses API, written (`tool_param.py`, `tool_choice_*_param.py`).

use super::tools::LOCATION;
use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::request::{Function, Request, Tool, ToolChoice, WebSearch};
use crate::hub::sink::Sink;
use crate::hub::source::Source;
use crate::hub::text::{Json, Str};
use crate::openai::tool_schema;

/// The schema of a tool that takes nothing.
const NO_PARAMETERS: Json<'static> =
    Json::read(r#"{"type":"object","properties":{},"required":[],"additionalProperties":false}"#);

/// What chat completions call it.
pub(super) const CONTEXT_SIZE: &str = "web_search_options.search_context_size";

/// Writes the members that have to do with tools.
pub(super) fn write(request: &Request<'_>, lost: &mut Lost, sink: &mut Sink) {
    let is_told = |tool: &&Tool<'_>| !matches!(tool, Tool::Hosted { .. }) || request.from == Wire::Responses;
    let told: Vec<_> = request.tools.iter().filter(is_told).collect();
    lost.add_if(told.len() < request.tools.len(), Field::HostedTool);
    if told.is_empty() {
        return;
    }
    sink.key("tools").array(|sink| {
        for tool in &told {
            match tool {
                Tool::Function(function) => write_function(function, request.from, lost, sink),
                Tool::WebSearch(search) => write_search(search, size_of_context(request), lost, sink),
                Tool::Hosted { value, .. } => sink.json(value),
            }
        }
    });
    write_uses(&told, lost, sink);
    if let Some(choice) = &request.tool_choice {
        sink.key("tool_choice");
        write_choice(choice, sink);
    }
    if let Some(parallel) = request.parallel_tools {
        sink.flag_member("parallel_tool_calls", parallel);
    }
}

/// Elsewhere a schema binds the model only where that is asked, here wherever nothing else is.
fn write_function(function: &Function<'_>, from: Wire, lost: &mut Lost, sink: &mut Sink) {
    lost.add_if(function.cache.is_some(), Field::CacheMark);
    sink.object(|sink| {
        sink.plain_member("type", "function");
        sink.text_member("name", &function.name);
        if let Some(description) = &function.description {
            sink.text_member("description", description);
        }
        tool_schema::write(function.parameters.as_ref().unwrap_or(&NO_PARAMETERS), sink.key("parameters"));
        sink.flag_member("strict", function.strict.unwrap_or(from == Wire::Responses));
    });
}

/// How much of what is found the model gets to see, where chat completions ask for it.
fn size_of_context<'r>(request: &'r Request<'_>) -> Option<&'r Json<'r>> {
    let size = request.others.iter().find(|other| other.name == CONTEXT_SIZE);
    size.map(|size| &size.value)
}

fn write_search(search: &WebSearch<'_>, size: Option<&Json<'_>>, lost: &mut Lost, sink: &mut Sink) {
    lost.add_if(!search.blocked_domains.is_empty(), Field::HostedTool);
    sink.object(|sink| {
        sink.plain_member("type", "web_search");
        if !search.allowed_domains.is_empty() {
            sink.key("filters").object(|sink| {
                sink.key("allowed_domains")
                    .array(|sink| search.allowed_domains.iter().for_each(|site| sink.text(site)));
            });
        }
        if let Some(size) = size {
            sink.json_member("search_context_size", size);
        }
        if let Some(location) = &search.location {
            sink.key("user_location");
            write_location(location, sink);
        }
    });
}

/// Where the user is, with the word that it is an approximate place.
fn write_location(location: &Json<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("type", "approximate");
        let Ok(members) = Source::of(location.raw()).unread_members() else { return };
        for (name, value) in members.iter().filter(|(name, _)| LOCATION.contains(&&***name)) {
            sink.json_member(name, &value);
        }
    });
}

/// The API limits the uses of all the vendor's tools together.
fn write_uses(tools: &[&Tool<'_>], lost: &mut Lost, sink: &mut Sink) {
    let mut hosted = tools.iter().filter(|tool| !matches!(tool, Tool::Function(_)));
    match (hosted.next(), hosted.next()) {
        (Some(Tool::WebSearch(WebSearch { max_uses: Some(uses), .. })), None) => {
            sink.count_member("max_tool_calls", *uses)
        }
        _ => {
            let is_limited = |tool: &&Tool<'_>| matches!(tool, Tool::WebSearch(search) if search.max_uses.is_some());
            lost.add_if(tools.iter().any(is_limited), Field::HostedTool);
        }
    }
}

fn write_choice(choice: &ToolChoice<'_>, sink: &mut Sink) {
    match choice {
        ToolChoice::Auto => sink.plain("auto"),
        ToolChoice::None => sink.plain("none"),
        ToolChoice::Required => sink.plain("required"),
        ToolChoice::Named(name) => write_named(name, sink),
        ToolChoice::Among { names, required } => sink.object(|sink| {
            sink.plain_member("type", "allowed_tools");
            sink.plain_member("mode", if *required { "required" } else { "auto" });
            sink.key("tools").array(|sink| names.iter().for_each(|name| write_named(name, sink)));
        }),
    }
}

fn write_named(name: &Str<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("type", "function");
        sink.text_member("name", name);
    });
}
