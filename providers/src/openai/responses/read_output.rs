//! What answers and streams have in common: the `response` object and the items of its output, read (`response.py`,
//! `response_output_item.py`). What is not known is passed over.

use policy::usage::Usage;

use super::image;
use super::parts::{read_part, read_thoughts};
use super::proof;
use crate::hub::answer::{Head, Logprob, Stop};
use crate::hub::members::Members;
use crate::hub::part::{Arguments, Part, Reasoning, ToolCall};
use crate::hub::source::{Result, Source};
use crate::hub::stranger::MARK;
use crate::hub::text::Json;
use crate::openai::usage;

/// What a `response` object says besides its output.
#[derive(Debug)]
pub(super) struct Report<'a> {
    members: Members<'a>,
}

impl<'a> Report<'a> {
    pub(super) const fn new(members: Members<'a>) -> Self {
        Self { members }
    }

    pub(super) fn head(&self) -> Result<Head<'a>> {
        let created = self.members.read("created_at", Source::number)?.flatten();
        let seconds = |number: Json<'_>| number.raw().split('.').next()?.parse().ok();
        Ok(Head {
            id: self.members.text("id")?,
            model: self.members.text("model")?,
            created: created.and_then(seconds),
        })
    }

    /// What was used; what the vendor's own tools used is told beside it.
    pub(super) fn usage(&self) -> Option<Usage> {
        let mut usage = usage::read(self.members.json("usage")?.raw().as_bytes())?.usage;
        if let Some(tools) = self.members.json("tool_usage") {
            usage::add_tools(&mut usage, tools.raw().as_bytes());
        }
        let tier = self.members.json("service_tier");
        usage.tier = tier.and_then(|tier| usage::tier(tier.raw().as_bytes())).unwrap_or(usage.tier);
        Some(usage)
    }

    /// The error of an answer that failed.
    pub(super) fn error(&self) -> Option<Json<'a>> {
        self.members.json("error")
    }

    pub(super) fn is_failed(&self) -> Result<bool> {
        Ok(self.members.text("status")?.is_some_and(|status| status.is("failed") || status.is("cancelled")))
    }

    /// Why it ended.
    pub(super) fn stop(&self, says: Says) -> Result<Stop<'static>> {
        let status = self.members.text("status")?;
        if status.is_some_and(|status| status.is("incomplete")) {
            let details = self.members.read("incomplete_details", Source::unread_members)?;
            let reason = details.unwrap_or_default().text("reason")?;
            let is_filter = reason.is_some_and(|reason| reason.is("content_filter"));
            return Ok(if is_filter { Stop::Filter } else { Stop::Length });
        }
        Ok(match says {
            Says { calls: true, .. } => Stop::Tools,
            Says { refuses: true, .. } => Stop::Refusal,
            _ => Stop::End,
        })
    }

    /// Reads the items of the output one by one.
    pub(super) fn items(&self, mut each: impl FnMut(&Members<'a>) -> Result<()>) -> Result<()> {
        self.members.read("output", |source| source.elements(|source| each(&source.unread_members()?)))?;
        Ok(())
    }
}

/// What there is among the parts of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Says {
    calls: bool,
    refuses: bool,
}

impl Says {
    pub(super) fn note(&mut self, part: &Part<'_>) {
        match part {
            Part::ToolCall(_) => self.calls = true,
            Part::Other { kind, .. } => self.calls |= kind.is("custom_tool_call"),
            Part::Refusal(_) => self.refuses = true,
            _ => {}
        }
    }

    pub(super) const fn note_call(&mut self) {
        self.calls = true;
    }

    pub(super) const fn note_refusal(&mut self) {
        self.refuses = true;
    }
}

/// The parts that an item is, each with its log-probabilities.
pub(super) fn read_item<'a>(item: &Members<'a>) -> Result<Vec<(Part<'a>, Vec<Logprob<'a>>)>> {
    let alone = |part| vec![(part, Vec::new())];
    let Some(kind) = item.text("type")? else { return Ok(Vec::new()) };
    let parts = match &*kind.plain() {
        "message" => item.read("content", |source| source.list(read_content))?.unwrap_or_default(),
        "function_call" => alone(Part::ToolCall(read_call(item)?)),
        "reasoning" => {
            let thoughts = read_thoughts(item)?.into_iter().chain(read_sealed(item)?);
            thoughts.map(|thought| (Part::Reasoning(thought), Vec::new())).collect()
        }
        "image_generation_call" => {
            image::read(item)?.into_iter().map(|image| (Part::Media(image), Vec::new())).collect()
        }
        _ => alone(Part::Other { kind: kind.clone(), value: item.whole() }),
    };
    Ok(parts)
}

/// A call. Some who copy the API have only the item's own id.
pub(super) fn read_call<'a>(item: &Members<'a>) -> Result<ToolCall<'a>> {
    let id = item.text("call_id")?.or(item.text("id")?);
    let arguments = Arguments::Text(item.text("arguments")?.unwrap_or_default());
    Ok(ToolCall { id, name: item.needed_text("name")?, arguments, signature: None, cache: None })
}

/// A thought as the vendor sealed it, behind its summaries. A bare mark is another gateway's, and seals nothing.
pub(super) fn read_sealed<'a>(item: &Members<'a>) -> Result<Option<Reasoning<'a>>> {
    let id = item.text("id")?;
    let sealed = item.text("encrypted_content")?.filter(|sealed| !sealed.is_empty() && !sealed.is(MARK));
    let sealed = sealed.map(|sealed| proof::bound(sealed, id.as_ref()));
    Ok(sealed.map(|sealed| Reasoning { sealed: Some(sealed), id, ..Reasoning::default() }))
}

fn read_content<'a>(source: &mut Source<'a>) -> Result<(Part<'a>, Vec<Logprob<'a>>)> {
    let members = source.unread_members()?;
    Ok((read_part(&members)?, read_logprobs(&members, "logprobs")?))
}

/// How likely tokens were.
pub(super) fn read_logprobs<'a>(members: &Members<'a>, name: &str) -> Result<Vec<Logprob<'a>>> {
    let logprobs = members.read(name, |source| source.list(|source| read_logprob(&source.unread_members()?)))?;
    Ok(logprobs.unwrap_or_default())
}

fn read_logprob<'a>(members: &Members<'a>) -> Result<Logprob<'a>> {
    Ok(Logprob {
        token: members.text("token")?.unwrap_or_default(),
        logprob: members.json("logprob").unwrap_or(Json::read("0")),
        bytes: members.json("bytes"),
        top: read_logprobs(members, "top_logprobs")?,
    })
}
