//! The items of an answer's output, written (`response_output_item.py`). Streams build the same ones piece by piece: their last event
//! repeats them all.

use super::content::Content;
use super::image;
use super::proof::Proof;
use crate::hub::answer::Logprob;
use crate::hub::part::{Arguments, Part, Reasoning, Text, ToolCall};
use crate::hub::sink::Sink;
use crate::hub::text::Str;

/// An item.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) id: String,
    pub(super) kind: Kind<'a>,
    /// Whether the answer broke off in it.
    pub(super) is_cut: bool,
}

/// What an item is.
#[derive(Clone, Debug)]
pub(super) enum Kind<'a> {
    Message(Vec<Content<'a>>),
    /// With an id: without one it could not be answered.
    Call(ToolCall<'a>),
    Reasoning(Reasoning<'a>),
    /// Nothing but the signature of the call that has this id.
    CallProof {
        id: Str<'a>,
        signature: Str<'a>,
    },
    Image {
        mime: Str<'a>,
        base64: Str<'a>,
    },
}

/// How much of an item is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It begins: nothing but what it is known by.
    Begun,
    /// All of it.
    Done,
}

impl<'a> Kind<'a> {
    /// What the ids of such items begin with.
    const fn prefix(&self) -> &'static str {
        match self {
            Self::Message(_) => "msg",
            Self::Call(_) => "fc",
            Self::Reasoning(_) | Self::CallProof { .. } => "rs",
            Self::Image { .. } => "ig",
        }
    }
}

impl Kind<'_> {
    /// The same, owing nothing to the answer that it was read from. Only what comes in one piece is told so.
    pub(super) fn into_owned(self) -> Option<Kind<'static>> {
        Some(match self {
            Self::Reasoning(reasoning) => Kind::Reasoning(Reasoning {
                text: reasoning.text.into_owned(),
                is_summary: reasoning.is_summary,
                signature: reasoning.signature.map(Str::into_owned),
                sealed: reasoning.sealed.map(Str::into_owned),
                id: None,
            }),
            Self::Image { mime, base64 } => Kind::Image { mime: mime.into_owned(), base64: base64.into_owned() },
            _ => return None,
        })
    }
}

impl<'a> Item<'a> {
    /// The item at this place of the output. A call without an id gets one.
    pub(super) fn new(mut kind: Kind<'a>, request_id: &str, index: usize) -> Self {
        if let Kind::Call(call) = &mut kind {
            let own = || Str::of(&format!("call_{request_id}_{index}")).into_owned();
            call.id.get_or_insert_with(own);
        }
        Self { id: format!("{}_{request_id}_{index}", kind.prefix()), kind, is_cut: false }
    }

    /// Writes it.
    pub(super) fn write(&self, stage: Stage, sink: &mut Sink) {
        if let Kind::Image { mime, base64 } = &self.kind {
            return image::write(&self.id, mime, base64, sink);
        }
        sink.object(|sink| {
            sink.plain_member("id", &self.id);
            match &self.kind {
                Kind::Message(contents) => self.message(contents, stage, sink),
                Kind::Call(call) => self.call(call, stage, sink),
                Kind::Reasoning(reasoning) => self.reasoning(reasoning, stage, sink),
                Kind::CallProof { id, signature } => {
                    let proof = Proof::Call { id: id.by_ref(), signature: signature.by_ref() };
                    self.thought(&Reasoning::default(), &proof, sink);
                }
                Kind::Image { .. } => {}
            }
        });
    }

    fn message(&self, contents: &[Content<'_>], stage: Stage, sink: &mut Sink) {
        sink.plain_member("type", "message");
        sink.plain_member("status", self.status(stage));
        sink.plain_member("role", "assistant");
        sink.key("content").array(|sink| {
            for content in contents.iter().filter(|_| stage == Stage::Done) {
                content.write(stage, sink);
            }
        });
    }

    fn call(&self, call: &ToolCall<'_>, stage: Stage, sink: &mut Sink) {
        sink.plain_member("type", "function_call");
        sink.plain_member("status", self.status(stage));
        sink.text_member("call_id", call.id.as_ref().unwrap_or(&Str::default()));
        sink.text_member("name", &call.name);
        match stage {
            Stage::Begun => sink.plain_member("arguments", ""),
            Stage::Done => sink.text_member("arguments", &arguments(&call.arguments)),
        }
    }

    fn reasoning(&self, reasoning: &Reasoning<'_>, stage: Stage, sink: &mut Sink) {
        if stage == Stage::Begun {
            sink.plain_member("type", "reasoning");
            sink.plain_member("status", self.status(stage));
            sink.key("summary").array(|_| {});
            return;
        }
        let proof = match (&reasoning.signature, &reasoning.sealed) {
            (Some(signature), _) => Proof::Signature(signature.by_ref()),
            (None, Some(sealed)) => Proof::Sealed(sealed.by_ref()),
            (None, None) => Proof::Nothing,
        };
        self.thought(reasoning, &proof, sink);
    }

    fn thought(&self, reasoning: &Reasoning<'_>, proof: &Proof<'_>, sink: &mut Sink) {
        let has = |is_summary| !reasoning.text.is_empty() && reasoning.is_summary == is_summary;
        sink.plain_member("type", "reasoning");
        sink.plain_member("status", self.status(Stage::Done));
        sink.key("summary").array(|sink| {
            if has(true) {
                write_thought("summary_text", &reasoning.text, sink);
            }
        });
        if has(false) {
            sink.key("content").array(|sink| write_thought("reasoning_text", &reasoning.text, sink));
        }
        if let Some(encrypted) = proof.write() {
            sink.text_member("encrypted_content", &encrypted);
        }
    }

    const fn status(&self, stage: Stage) -> &'static str {
        match stage {
            Stage::Begun => "in_progress",
            Stage::Done if self.is_cut => "incomplete",
            Stage::Done => "completed",
        }
    }
}

/// A part of a reasoning item.
pub(super) fn write_thought(kind: &str, text: &Str<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("type", kind);
        sink.text_member("text", text);
    });
}

/// The text of a call's arguments. Clients read it as JSON, so that none are an empty object.
fn arguments<'s>(arguments: &'s Arguments<'_>) -> Str<'s> {
    let text = arguments.text();
    if text.is_empty() { Str::raw_of("{}") } else { text }
}

/// The output of an answer: texts and refusals that follow each other are one message, and behind a call comes its signature. Parts
/// that have no form here are left out.
pub(super) fn of_parts<'a>(parts: &'a [Part<'_>], logprobs: &'a [Logprob<'_>], request_id: &str) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    let mut logprobs = logprobs;
    for part in parts {
        if let Some(content) = content_of(part, &mut logprobs) {
            match items.last_mut() {
                Some(Item { kind: Kind::Message(contents), .. }) => contents.push(content),
                _ => items.push(Item::new(Kind::Message(vec![content]), request_id, items.len())),
            }
        }
        if let Some(kind) = kind_of(part) {
            let item = Item::new(kind, request_id, items.len());
            let proof = proof_of(&item.kind);
            items.push(item);
            items.extend(proof.map(|proof| Item::new(proof, request_id, items.len())));
        }
    }
    items
}

/// All log-probabilities are the first text's: whole answers do not say which are whose.
fn content_of<'a>(part: &'a Part<'_>, logprobs: &mut &'a [Logprob<'_>]) -> Option<Content<'a>> {
    match part {
        Part::Text(text) => {
            let text =
                Text { text: text.text.by_ref(), citations: text.citations.clone(), cache: None, signature: None };
            Some(Content::Text { text, logprobs: std::mem::take(logprobs).to_vec() })
        }
        Part::Refusal(text) => Some(Content::Refusal(text.by_ref())),
        _ => None,
    }
}

fn kind_of<'a>(part: &'a Part<'_>) -> Option<Kind<'a>> {
    match part {
        Part::ToolCall(call) => Some(Kind::Call(call.clone())),
        Part::Reasoning(reasoning) => Some(Kind::Reasoning(reasoning.clone())),
        Part::Media(media) => {
            let (mime, base64) = image::drawn(media)?;
            Some(Kind::Image { mime: mime.by_ref(), base64: base64.by_ref() })
        }
        _ => None,
    }
}

/// The item that carries a call's signature. `None`: it has none.
pub(super) fn proof_of<'a>(kind: &Kind<'a>) -> Option<Kind<'a>> {
    match kind {
        Kind::Call(ToolCall { id: Some(id), signature: Some(signature), .. }) => {
            Some(Kind::CallProof { id: id.clone(), signature: signature.clone() })
        }
        _ => None,
    }
}
