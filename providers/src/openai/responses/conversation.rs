//! The items of a conversation, read into turns (`response_input_item_param.py`): what the model says between two others' items is
//! one turn of it, calls and thoughts included.

use super::image;
use super::parts::{content, read_thoughts};
use super::proof::Proof;
use super::read_request::add;
use crate::hub::members::Members;
use crate::hub::part::{Arguments, Part, Reasoning, Role, Text, ToolCall, ToolOutput, ToolResult, Turn};
use crate::hub::request::Other;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::Str;
use crate::json::Kind;

/// The turns so far.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    turns: Vec<Turn<'a>>,
    /// Signatures of calls, with the ids of these.
    signatures: Vec<(Str<'a>, Str<'a>)>,
    /// Items that are named only: what they say is in the vendor's store.
    pub(super) references: Vec<Other<'a>>,
}

impl<'a> Conversation<'a> {
    /// Reads the `input` field. `false`: it is null.
    pub(super) fn read(&mut self, source: &mut Source<'a>) -> Result<bool> {
        match source.kind()? {
            Kind::Null => source.skip()?,
            Kind::String => {
                let part = Part::Text(Text::plain(source.text()?));
                self.begin(Role::User, vec![part]);
            }
            Kind::Array => source.elements(|source| self.item(source))?,
            _ => return source.wrong("a string or an array"),
        }
        Ok(!self.turns.is_empty() || !self.references.is_empty())
    }

    /// The turns, calls with their signatures.
    pub(super) fn finish(mut self) -> Vec<Turn<'a>> {
        for part in self.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            let Part::ToolCall(call) = part else { continue };
            let own = self.signatures.iter().find(|(id, _)| call.id.as_ref() == Some(id));
            call.signature = own.map(|(_, signature)| signature.clone());
        }
        self.turns
    }

    /// Messages and results, which may be long, are read at once; whose turn it is may come behind what is said.
    fn item(&mut self, source: &mut Source<'a>) -> Result<()> {
        let start = source.clone();
        match source.ahead_of(&["type", "role"])? {
            Some(("type", kind)) if kind.is("message") => self.message(source),
            Some(("type", kind)) if kind.is("function_call_output") => {
                self.give_back(Part::ToolResult(read_result(source)?));
                Ok(())
            }
            Some(("type", kind)) => self.other_item(&kind, &source.unread_members()?),
            Some(_) if source.ahead("type")?.is_none_or(|kind| kind.is("message")) => self.message(source),
            Some(_) => {
                *source = start;
                let members = source.unread_members()?;
                self.other_item(&members.needed_text("type")?, &members)
            }
            None => self.reference(&source.unread_members()?),
        }
    }

    fn other_item(&mut self, kind: &Str<'a>, members: &Members<'a>) -> Result<()> {
        match &*kind.plain() {
            "function_call" => self.say(Part::ToolCall(read_call(members)?)),
            "reasoning" => self.think(members)?,
            "image_generation_call" => self.draw(members, kind)?,
            // What was searched for is told, but not what was found; the answer behind it has that.
            "web_search_call" => {}
            "item_reference" => self.reference(members)?,
            other if is_from_caller(other) => {
                self.give_back(Part::Other { kind: kind.clone(), value: members.whole() })
            }
            _ => self.say(Part::Other { kind: kind.clone(), value: members.whole() }),
        }
        Ok(())
    }

    fn message(&mut self, source: &mut Source<'a>) -> Result<()> {
        let (mut role, mut said) = (None, Vec::new());
        source.members(|source, name| {
            match name {
                "role" => role = Some(read_role(source)?),
                "content" => said = content(source)?,
                _ => source.skip()?,
            }
            Ok(())
        })?;
        let role = role.ok_or_else(|| ReadError::wrong(ROLES).under("role"))?;
        match self.turns.last_mut().filter(|turn| role == Role::Assistant && is_open(turn)) {
            Some(turn) => turn.parts.extend(said),
            None => self.begin(role, said),
        }
        Ok(())
    }

    fn think(&mut self, members: &Members<'a>) -> Result<()> {
        let thoughts = read_reasoning(members)?;
        for reasoning in thoughts.parts {
            self.say(Part::Reasoning(reasoning));
        }
        self.signatures.extend(thoughts.call);
        Ok(())
    }

    fn draw(&mut self, members: &Members<'a>, kind: &Str<'a>) -> Result<()> {
        let image = image::read(members)?.map(Part::Media);
        self.say(image.unwrap_or_else(|| Part::Other { kind: kind.clone(), value: members.whole() }));
        Ok(())
    }

    fn reference(&mut self, members: &Members<'a>) -> Result<()> {
        members.needed_text("id")?;
        add(&mut self.references, "input[].item_reference", members.whole());
        Ok(())
    }

    /// The model's turn goes on.
    fn say(&mut self, part: Part<'a>) {
        match self.turns.last_mut().filter(|turn| turn.role == Role::Assistant) {
            Some(turn) => turn.parts.push(part),
            None => self.begin(Role::Assistant, vec![part]),
        }
    }

    /// What came of calls is one turn.
    fn give_back(&mut self, part: Part<'a>) {
        let is_result = |part: &Part<'_>| matches!(part, Part::ToolResult(_) | Part::Other { .. });
        match self.turns.last_mut().filter(|turn| turn.role == Role::User && turn.parts.iter().all(is_result)) {
            Some(turn) => turn.parts.push(part),
            None => self.begin(Role::User, vec![part]),
        }
    }

    fn begin(&mut self, role: Role, parts: Vec<Part<'a>>) {
        self.turns.push(Turn { role, name: None, parts });
    }
}

const ROLES: &str = "`user`, `assistant`, `system` or `developer`";

fn read_role(source: &mut Source<'_>) -> Result<Role> {
    match &*source.text()?.plain() {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" | "developer" => Ok(Role::System),
        _ => Err(ReadError::wrong(ROLES)),
    }
}

/// Whether a message of the model belongs to its turn so far: it has thought or called, but two messages are two turns.
fn is_open(turn: &Turn<'_>) -> bool {
    let has_called = turn.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let has_said = turn.parts.iter().any(|part| matches!(part, Part::Text(_) | Part::Refusal(_)));
    turn.role == Role::Assistant && (has_called || !has_said)
}

/// Whether an item of this type comes from the caller and not from the model.
fn is_from_caller(kind: &str) -> bool {
    kind.ends_with("_output") || matches!(kind, "mcp_approval_response" | "compaction_trigger" | "additional_tools")
}

/// `response_function_tool_call_param.py`.
fn read_call<'a>(members: &Members<'a>) -> Result<ToolCall<'a>> {
    Ok(ToolCall {
        id: Some(members.needed_text("call_id")?),
        name: members.needed_text("name")?,
        arguments: Arguments::Text(members.text("arguments")?.unwrap_or_default()),
        signature: None,
        cache: None,
    })
}

/// `FunctionCallOutput` of `response_input_item_param.py`.
fn read_result<'a>(source: &mut Source<'a>) -> Result<ToolResult<'a>> {
    let (mut id, mut name, mut output) = (None, None, Vec::new());
    source.members(|source, member| {
        match member {
            "call_id" => id = source.text_or_null()?,
            "name" => name = source.text_or_null()?,
            "output" => output = content(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let id = id.ok_or_else(|| ReadError::wrong("a string").under("call_id"))?;
    Ok(ToolResult { id: Some(id), name, content: ToolOutput::Parts(output), is_error: false, cache: None })
}

/// What a reasoning item holds.
#[derive(Debug, Default)]
struct Thoughts<'a> {
    parts: Vec<Reasoning<'a>>,
    /// The id of a call and its signature.
    call: Option<(Str<'a>, Str<'a>)>,
}

/// A reasoning item of a request (`response_reasoning_item_param.py`): its sealed content is of use only where it came from.
fn read_reasoning<'a>(members: &Members<'a>) -> Result<Thoughts<'a>> {
    let mut thoughts = Thoughts { parts: read_thoughts(members)?, call: None };
    let Some(encrypted) = members.text("encrypted_content")? else { return Ok(thoughts) };
    let empty = || Reasoning { id: members.text("id").ok().flatten(), ..Reasoning::default() };
    match Proof::read(&encrypted) {
        Proof::Signature(signature) => {
            let mut last = thoughts.parts.pop().unwrap_or_else(empty);
            last.signature = Some(signature);
            thoughts.parts.push(last);
        }
        Proof::Sealed(sealed) => thoughts.parts.push(Reasoning { sealed: Some(sealed), ..empty() }),
        Proof::Call { id, signature } => thoughts.call = Some((id, signature)),
        Proof::Nothing | Proof::Own => {}
    }
    Ok(thoughts)
}
