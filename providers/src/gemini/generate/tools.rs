//! Tools, read and written. A tool of Gemini's is an object with a member for each thing that it is; all functions may be in one.

use super::names::{members, members_if_any, one_or_many, other, word};
use super::schema;
use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::request::{Function, Other, Request, Tool, ToolChoice, WebSearch};
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;

/// Reads `tools`.
pub(super) fn read<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    one_or_many(source, |source| members(source, |source, name| tool(source, name, request)))
}

fn tool<'a>(source: &mut Source<'a>, name: &str, request: &mut Request<'a>) -> Result<()> {
    if source.is_null()? {
        return Ok(());
    }
    match name {
        "functionDeclarations" => one_or_many(source, |source| {
            let function = function(source, &mut request.others)?;
            request.tools.push(Tool::Function(function));
            Ok(())
        }),
        "googleSearch" => {
            let search = google_search(source, &mut request.others)?;
            request.tools.push(Tool::WebSearch(search));
            Ok(())
        }
        // The older form; when to search is the model's own affair by now.
        "googleSearchRetrieval" => {
            request.tools.push(Tool::WebSearch(WebSearch::default()));
            source.skip()
        }
        _ => {
            let kind = Str::of(name).into_owned();
            request.tools.push(Tool::Hosted { kind, value: source.json()? });
            Ok(())
        }
    }
}

fn function<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<Function<'a>> {
    let (mut name, mut description, mut own, mut json) = (Str::default(), None, None, None);
    members(source, |source, member| {
        match member {
            "name" => name = source.text()?,
            "description" => description = source.text_or_null()?,
            "parameters" => own = schema::read(source)?,
            "parametersJsonSchema" => json = source.json_or_null()?,
            "behavior" if matches!(source.clone().text_or_null(), Ok(None)) => source.skip()?,
            "behavior" => {
                let behavior = source.json()?;
                if !behavior.raw().eq_ignore_ascii_case("\"BLOCKING\"") && !behavior.is("\"UNSPECIFIED\"") {
                    let name = "tools[].functionDeclarations[].behavior".into();
                    others.push(Other { name, value: behavior });
                }
            }
            _ => other(others, source, "tools[].functionDeclarations[].", member)?,
        }
        Ok(())
    })?;
    Ok(Function { name, description, parameters: json.or(own), strict: None, cache: None })
}

fn google_search<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<WebSearch<'a>> {
    let mut search = WebSearch::default();
    members(source, |source, name| match name {
        "excludeDomains" => {
            search.blocked_domains = source.list(Source::text)?;
            Ok(())
        }
        // To search the web, and nothing else, is what it does by itself.
        "searchTypes" => members_if_any(source, |source, kind| match kind {
            "webSearch" => source.skip(),
            _ => {
                let value = source.json_or_null()?;
                let name = format!("tools[].googleSearch.searchTypes.{kind}").into();
                others.extend(value.map(|value| Other { name, value }));
                Ok(())
            }
        }),
        _ => other(others, source, "tools[].googleSearch.", name),
    })?;
    Ok(search)
}

/// Reads `toolConfig`.
pub(super) fn read_config<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    members_if_any(source, |source, name| match name {
        "functionCallingConfig" => {
            request.tool_choice = calling(source, &mut request.others)?;
            Ok(())
        }
        _ => other(&mut request.others, source, "toolConfig.", name),
    })
}

fn calling<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<Option<ToolChoice<'a>>> {
    let (mut mode, mut names) = (None, Vec::new());
    members_if_any(source, |source, name| {
        match name {
            "mode" => mode = word(source)?,
            "allowedFunctionNames" => one_or_many(source, |source| {
                names.push(source.text()?);
                Ok(())
            })?,
            _ => other(others, source, "toolConfig.functionCallingConfig.", name)?,
        }
        Ok(())
    })?;
    let required = mode.as_deref() == Some("ANY");
    Ok(match (mode.as_deref(), names.len()) {
        (Some("NONE"), _) => Some(ToolChoice::None),
        (Some("ANY"), 0) => Some(ToolChoice::Required),
        (Some("ANY"), 1) => names.pop().map(ToolChoice::Named),
        (_, 1..) => Some(ToolChoice::Among { names, required }),
        (Some("AUTO" | "VALIDATED"), 0) => Some(ToolChoice::Auto),
        _ => None,
    })
}

/// Writes `tools` and `toolConfig`.
pub(super) fn write(request: &Request<'_>, lost: &mut Lost, sink: &mut Sink) {
    let is_own = request.from == Wire::Generate;
    let has_functions = request.tools.iter().any(|tool| matches!(tool, Tool::Function(_)));
    let has_others = request.tools.iter().any(|tool| match tool {
        Tool::Function(_) => false,
        Tool::WebSearch(_) => true,
        Tool::Hosted { .. } => is_own,
    });
    if has_functions || has_others {
        sink.key("tools").array(|sink| {
            if has_functions {
                sink.object(|sink| write_functions(request, lost, sink));
            }
            request.tools.iter().for_each(|tool| write_hosted(tool, request.from, lost, sink));
        });
    } else {
        lost.add_if(!request.tools.is_empty(), Field::HostedTool);
    }
    lost.add_if(request.parallel_tools == Some(false), Field::ParallelTools);
    let choice = request.tool_choice.as_ref();
    // Only functions can be called for; what the vendor runs itself it runs as it likes.
    let is_met = choice.is_none_or(|choice| is_of_functions(choice, request));
    lost.add_if(!is_met, Field::ToolChoice);
    if has_functions && is_met {
        write_choice(choice, sink);
    }
}

fn is_of_functions(choice: &ToolChoice<'_>, request: &Request<'_>) -> bool {
    let mut functions = request.tools.iter().filter_map(|tool| match tool {
        Tool::Function(function) => Some(&function.name),
        _ => None,
    });
    match choice {
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Among { required: false, .. } => true,
        ToolChoice::Required | ToolChoice::Among { .. } => functions.next().is_some(),
        ToolChoice::Named(name) => functions.any(|function| function == name),
    }
}

fn write_functions(request: &Request<'_>, lost: &mut Lost, sink: &mut Sink) {
    sink.key("functionDeclarations").array(|sink| {
        for tool in &request.tools {
            let Tool::Function(function) = tool else { continue };
            lost.add_if(function.strict == Some(true), Field::StrictTool);
            lost.add_if(function.cache.is_some(), Field::CacheMark);
            sink.object(|sink| {
                sink.text_member("name", &function.name);
                if let Some(description) = &function.description {
                    sink.text_member("description", description);
                }
                if let Some(parameters) = &function.parameters {
                    sink.json_member("parametersJsonSchema", parameters);
                }
            });
        }
    });
}

/// Which sites are searched cannot be said in the Gemini API, nor how often, nor from where.
fn write_hosted(tool: &Tool<'_>, from: Wire, lost: &mut Lost, sink: &mut Sink) {
    let is_own = from == Wire::Generate;
    match tool {
        Tool::Function(_) => {}
        Tool::WebSearch(search) => {
            let has_limits =
                search.max_uses.is_some() || !search.allowed_domains.is_empty() || !search.blocked_domains.is_empty();
            lost.add_if(has_limits, Field::HostedTool);
            if search.location.is_some() {
                lost.add_other(location_name(from));
            }
            sink.object(|sink| sink.key("googleSearch").object(|_| {}));
        }
        Tool::Hosted { kind, value } if is_own => sink.object(|sink| sink.json_member(&kind.plain(), value)),
        Tool::Hosted { .. } => lost.add(Field::HostedTool),
    }
}

const fn location_name(from: Wire) -> &'static str {
    match from {
        Wire::Chat => "web_search_options.user_location",
        _ => "tools[].user_location",
    }
}

fn write_choice(choice: Option<&ToolChoice<'_>>, sink: &mut Sink) {
    let none: &[Str<'_>] = &[];
    let (mode, names) = match choice {
        None | Some(ToolChoice::Auto) => return,
        Some(ToolChoice::None) => ("NONE", none),
        Some(ToolChoice::Required) => ("ANY", none),
        Some(ToolChoice::Named(name)) => ("ANY", std::slice::from_ref(name)),
        Some(ToolChoice::Among { names, required: true }) => ("ANY", names.as_slice()),
        // The only mode in which the model may choose among some, or call none.
        Some(ToolChoice::Among { names, required: false }) => ("VALIDATED", names.as_slice()),
    };
    sink.key("toolConfig").object(|sink| {
        sink.key("functionCallingConfig").object(|sink| {
            sink.plain_member("mode", mode);
            if !names.is_empty() {
                sink.key("allowedFunctionNames").array(|sink| names.iter().for_each(|name| sink.text(name)));
            }
        });
    });
}
