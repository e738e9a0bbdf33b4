//! The parts of a stream in the order in which they begin: the first one is told, those behind it wait until it has ended.

use std::collections::VecDeque;

use crate::hub::answer::Logprob;
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::members::Members;
use crate::hub::part::{Citation, Media, MediaSource, Part, Reasoning};
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;

/// Which part of which item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    output: u64,
    part: Within,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Content(u64),
    Summary(u64),
    Call,
    /// A part that an item's end tells.
    Whole(u64),
}

impl Key {
    pub(super) fn output(event: &Members<'_>) -> Result<u64> {
        index(event, "output_index")
    }

    pub(super) fn content(event: &Members<'_>) -> Result<Self> {
        Ok(Self { output: Self::output(event)?, part: Within::Content(index(event, "content_index")?) })
    }

    pub(super) fn summary(event: &Members<'_>) -> Result<Self> {
        Ok(Self { output: Self::output(event)?, part: Within::Summary(index(event, "summary_index")?) })
    }

    pub(super) fn call(event: &Members<'_>) -> Result<Self> {
        Ok(Self { output: Self::output(event)?, part: Within::Call })
    }

    pub(super) const fn whole(output: u64, number: u64) -> Self {
        Self { output, part: Within::Whole(number) }
    }
}

/// Some who copy the API leave out what is 0.
fn index(event: &Members<'_>, name: &str) -> Result<u64> {
    Ok(event.read(name, Source::count)?.flatten().unwrap_or_default())
}

/// A piece of a part.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    Text(Str<'a>),
    Citation(Citation<'a>),
    Logprobs(Vec<Logprob<'a>>),
}

impl<'a> Piece<'a> {
    fn delta(self, at: At) -> Delta<'a> {
        match self {
            Self::Text(text) => Delta::Text { at, text },
            Self::Citation(citation) => Delta::Citation { at, citation },
            Self::Logprobs(logprobs) => Delta::Logprobs { at, logprobs },
        }
    }

    fn into_owned(self) -> Piece<'static> {
        match self {
            Self::Text(text) => Piece::Text(text.into_owned()),
            Self::Citation(citation) => Piece::Citation(citation.into_owned()),
            Self::Logprobs(logprobs) => Piece::Logprobs(logprobs.into_iter().map(Logprob::into_owned).collect()),
        }
    }
}

/// The parts that are not whole.
#[derive(Debug, Default)]
pub(super) struct Queue {
    parts: VecDeque<Live>,
    /// The items that something was told of.
    items: Vec<u64>,
    /// How many parts have begun to be told.
    count: u32,
}

#[derive(Debug)]
struct Live {
    key: Key,
    /// Whether it is told: the first one is.
    opened: Option<Opened<'static>>,
    waiting: Vec<Piece<'static>>,
    has_text: bool,
    is_closed: bool,
}

type Each<'e> = dyn FnMut(Delta<'_>) + 'e;

impl Queue {
    /// Whether something was told of an item.
    pub(super) fn has(&self, output: u64) -> bool {
        self.items.contains(&output)
    }

    /// Whether a part that is not whole has words.
    pub(super) fn has_text(&self, key: Key) -> bool {
        self.find(key).is_none_or(|live| live.has_text)
    }

    /// A part begins, if it has not yet; those before it in the same item have ended.
    pub(super) fn open(&mut self, key: Key, opened: Opened<'_>, each: &mut Each<'_>) {
        if self.find(key).is_some() {
            return;
        }
        self.close_all(key.output, each);
        if !self.has(key.output) {
            self.items.push(key.output);
        }
        let mut live = Live { key, opened: None, waiting: Vec::new(), has_text: false, is_closed: false };
        if self.parts.is_empty() {
            let at = self.next();
            each(Delta::Open { at, part: opened });
        } else {
            live.opened = Some(owned(opened));
        }
        self.parts.push_back(live);
    }

    /// More of a part; nothing where it is whole or never began.
    pub(super) fn tell(&mut self, key: Key, piece: Piece<'_>, each: &mut Each<'_>) {
        let at = self.at();
        let is_first = self.parts.front().is_some_and(|live| live.key == key);
        let Some(live) = self.parts.iter_mut().find(|live| live.key == key && !live.is_closed) else { return };
        live.has_text |= matches!(&piece, Piece::Text(text) if !text.is_empty());
        if is_first {
            each(piece.delta(at));
        } else {
            live.waiting.push(piece.into_owned());
        }
    }

    /// A part is whole.
    pub(super) fn close(&mut self, key: Key, each: &mut Each<'_>) {
        self.close_those(|live| live.key == key, each);
    }

    /// All parts of an item are whole.
    pub(super) fn close_all(&mut self, output: u64, each: &mut Each<'_>) {
        self.close_those(|live| live.key.output == output, each);
    }

    /// All parts are whole.
    pub(super) fn finish(&mut self, each: &mut Each<'_>) {
        self.close_those(|_| true, each);
    }

    fn close_those(&mut self, are_meant: impl Fn(&Live) -> bool, each: &mut Each<'_>) {
        self.parts.iter_mut().filter(|live| are_meant(live)).for_each(|live| live.is_closed = true);
        while self.parts.pop_front_if(|live| live.is_closed).is_some() {
            each(Delta::Close { at: self.at() });
            self.tell_first(each);
        }
    }

    /// The next part is told, with what has come of it.
    fn tell_first(&mut self, each: &mut Each<'_>) {
        if self.parts.is_empty() {
            return;
        }
        let at = self.next();
        let Some(live) = self.parts.front_mut() else { return };
        live.opened.take().into_iter().for_each(|part| each(Delta::Open { at, part }));
        live.waiting.drain(..).for_each(|piece| each(piece.delta(at)));
    }

    fn find(&self, key: Key) -> Option<&Live> {
        self.parts.iter().find(|live| live.key == key && !live.is_closed)
    }

    const fn next(&mut self) -> At {
        self.count += 1;
        self.at()
    }

    /// The part that is told.
    const fn at(&self) -> At {
        At { candidate: 0, part: self.count.saturating_sub(1) }
    }
}

fn owned(opened: Opened<'_>) -> Opened<'static> {
    match opened {
        Opened::Text => Opened::Text,
        Opened::Refusal => Opened::Refusal,
        Opened::ToolCall { id, name } => Opened::ToolCall { id: id.map(Str::into_owned), name: name.into_owned() },
        Opened::Reasoning { id, is_summary } => Opened::Reasoning { id: id.map(Str::into_owned), is_summary },
        Opened::Whole(part) => Opened::Whole(owned_whole(part)),
    }
}

/// Of what comes in one piece.
pub(super) fn owned_whole(part: Part<'_>) -> Part<'static> {
    match part {
        Part::Reasoning(reasoning) => Part::Reasoning(Reasoning {
            text: reasoning.text.into_owned(),
            is_summary: reasoning.is_summary,
            signature: reasoning.signature.map(Str::into_owned),
            sealed: reasoning.sealed.map(Str::into_owned),
            id: reasoning.id.map(Str::into_owned),
        }),
        Part::Media(Media { kind, source: MediaSource::Inline { mime, base64 }, .. }) => Part::Media(Media {
            kind,
            source: MediaSource::Inline { mime: mime.into_owned(), base64: base64.into_owned() },
            detail: None,
            name: None,
            cache: None,
        }),
        Part::Other { kind, value } => Part::Other { kind: kind.into_owned(), value: value.into_owned() },
        // Nothing else comes so.
        _ => Part::Text(crate::hub::part::Text::default()),
    }
}
