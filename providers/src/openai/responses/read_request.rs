//! A request of the Responses API, read (`response_create_params.py`). Its items are read in `conversation`, its tools in `tools`.

use std::borrow::Cow;

use super::conversation::Conversation;
use super::tools;
use crate::hub::Wire;
use crate::hub::part::{Part, Role, Text, Turn};
use crate::hub::request::{Format, Other, Request, Thinking, Tool};
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::{Json, Str};

/// What the items of a conversation are not told without.
const STORED: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// Reads a request.
pub(crate) fn read_request(body: &[u8]) -> Result<Request<'_>> {
    let mut reading = Reading {
        request: Request::new(Wire::Responses),
        conversation: Conversation::default(),
        instructions: None,
        has_input: false,
        tool_calls: None,
    };
    Source::new(body)?.whole(|source| source.members(|source, name| reading.field(source, name)))?;
    reading.finish()
}

struct Reading<'a> {
    request: Request<'a>,
    conversation: Conversation<'a>,
    instructions: Option<Str<'a>>,
    has_input: bool,
    /// How often the vendor's own tools may be called.
    tool_calls: Option<Json<'a>>,
}

impl<'a> Reading<'a> {
    fn field(&mut self, source: &mut Source<'a>, name: &str) -> Result<()> {
        let request = &mut self.request;
        match name {
            "model" | "stream" | "fallbacks" => source.skip()?,
            "input" => self.has_input = self.conversation.read(source)?,
            "instructions" => self.instructions = source.text_or_null()?,
            "max_output_tokens" => request.max_output = source.count()?,
            "temperature" => request.temperature = source.number()?,
            "top_p" => request.top_p = source.number()?,
            "top_logprobs" => request.top_logprobs = source.count()?.filter(|others| *others > 0),
            "parallel_tool_calls" => request.parallel_tools = source.flag()?,
            "user" => request.user = source.text_or_null()?,
            "tools" => request.tools = read_tools(source, &mut request.others)?,
            "tool_choice" => tools::read_choice(source, request)?,
            "max_tool_calls" => self.tool_calls = source.number()?,
            "reasoning" => request.thinking = read_thinking(source, &mut request.others)?,
            "text" => self.text(source)?,
            "include" => self.include(source)?,
            "stream_options" => self.stream_options(source)?,
            _ => self.other(source, name)?,
        }
        Ok(())
    }

    fn text(&mut self, source: &mut Source<'a>) -> Result<()> {
        if source.is_null()? {
            return Ok(());
        }
        let request = &mut self.request;
        source.members(|source, name| {
            match name {
                "format" => request.format = read_format(source, &mut request.others)?,
                // The middle one is what there is without a word.
                "verbosity" => request.verbosity = source.text_or_null()?.filter(|word| !word.is("medium")),
                _ => add_other(&mut request.others, format!("text.{name}"), source)?,
            }
            Ok(())
        })
    }

    fn include(&mut self, source: &mut Source<'a>) -> Result<()> {
        let whole = source.raw()?;
        for item in Source::of(whole).list(Source::text)? {
            match &*item.plain() {
                "message.output_text.logprobs" => self.request.logprobs = Some(true),
                // It is always there, if there is any.
                "reasoning.encrypted_content" => {}
                _ => add(&mut self.request.others, "include", Json::read(whole)),
            }
        }
        Ok(())
    }

    fn stream_options(&mut self, source: &mut Source<'a>) -> Result<()> {
        if source.is_null()? {
            return Ok(());
        }
        source.members(|source, name| match name {
            "include_usage" => source.skip(),
            _ => add_other(&mut self.request.others, format!("stream_options.{name}"), source),
        })
    }

    /// A field that has no place in the neutral form, if it is not what would be without it.
    fn other(&mut self, source: &mut Source<'a>, name: &str) -> Result<()> {
        let value = source.json()?;
        let is_default = match name {
            "background" | "store" => value.is("false"),
            "truncation" => value.is("\"disabled\""),
            _ => ["null", "{}", "[]"].into_iter().any(|empty| value.is(empty)),
        };
        if !is_default && !value.is("null") {
            self.request.others.push(Other { name: Cow::Owned(name.to_owned()), value });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Request<'a>> {
        let mut request = self.request;
        let is_stored = request.others.iter().any(|other| STORED.contains(&&*other.name));
        if !self.has_input && !is_stored {
            return Err(ReadError::wrong("a string or an array").under("input"));
        }
        if request.top_logprobs.is_some() {
            request.logprobs = Some(true);
        }
        let has_hosted = request.tools.iter().any(|tool| !matches!(tool, Tool::Function(_)));
        if let Some(value) = self.tool_calls.filter(|_| has_hosted) {
            add(&mut request.others, "max_tool_calls", value);
        }
        request.others.append(&mut self.conversation.references);
        let instructions = self.instructions.filter(|text| !text.is_empty());
        let system = instructions.map(|text| Turn {
            role: Role::System,
            name: None,
            parts: vec![Part::Text(Text::plain(text))],
        });
        request.turns = system.into_iter().chain(self.conversation.finish()).collect();
        Ok(request)
    }
}

/// Notes a field once.
pub(super) fn add<'a>(others: &mut Vec<Other<'a>>, name: impl Into<Cow<'a, str>>, value: Json<'a>) {
    let name = name.into();
    if others.iter().all(|other| other.name != name) {
        others.push(Other { name, value });
    }
}

fn add_other<'a>(others: &mut Vec<Other<'a>>, name: String, source: &mut Source<'a>) -> Result<()> {
    if let Some(value) = source.json_or_null()? {
        add(others, name, value);
    }
    Ok(())
}

fn read_tools<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<Vec<Tool<'a>>> {
    source.list(|source| tools::read(source, others))
}

/// `shared_params/reasoning.py`.
fn read_thinking<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<Option<Thinking<'a>>> {
    if source.is_null()? {
        return Ok(None);
    }
    let mut thinking = Thinking::default();
    source.members(|source, name| {
        match name {
            "effort" => thinking.effort = source.text_or_null()?,
            "summary" | "generate_summary" => {
                thinking.is_shown = source.text_or_null()?.map(|_| true).or(thinking.is_shown);
            }
            _ => {
                let value = source.json()?;
                if !["null", "\"auto\"", "\"standard\""].into_iter().any(|usual| value.is(usual)) {
                    add(others, format!("reasoning.{name}"), value);
                }
            }
        }
        Ok(())
    })?;
    Ok(Some(thinking).filter(|thinking| *thinking != Thinking::default()))
}

/// `response_format_text_config_param.py`.
fn read_format<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<Option<Format<'a>>> {
    if source.is_null()? {
        return Ok(None);
    }
    let members = source.unread_members()?;
    Ok(match &*members.needed_text("type")?.plain() {
        "text" => None,
        "json_object" => Some(Format::Json),
        "json_schema" => Some(Format::Schema {
            name: members.text("name")?,
            description: members.text("description")?,
            schema: members
                .read("schema", tools::object)?
                .ok_or_else(|| ReadError::wrong("an object").under("schema"))?,
            strict: members.read("strict", Source::flag)?.flatten(),
        }),
        _ => {
            add(others, "text.format", members.whole());
            None
        }
    })
}
