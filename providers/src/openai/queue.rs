//! The parts of a stream in the order in which they begin: the first one is told, those behind it wait until it has ended.

use std::collections::VecDeque;

use crate::hub::answer::Logprob;
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::{Citation, Media, MediaSource, Part, Reasoning};
use crate::hub::text::Str;

/// A piece of a part.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    Text(Str<'a>),
    Citation(Citation<'a>),
    Logprobs(Vec<Logprob<'a>>),
    Signature(Str<'a>),
}

impl<'a> Piece<'a> {
    fn delta(self, at: At) -> Delta<'a> {
        match self {
            Self::Text(text) => Delta::Text { at, text },
            Self::Citation(citation) => Delta::Citation { at, citation },
            Self::Logprobs(logprobs) => Delta::Logprobs { at, logprobs },
            Self::Signature(signature) => Delta::Signature { at, signature },
        }
    }

    fn into_owned(self) -> Piece<'static> {
        match self {
            Self::Text(text) => Piece::Text(text.into_owned()),
            Self::Citation(citation) => Piece::Citation(citation.into_owned()),
            Self::Logprobs(logprobs) => Piece::Logprobs(logprobs.into_iter().map(Logprob::into_owned).collect()),
            Self::Signature(signature) => Piece::Signature(signature.into_owned()),
        }
    }
}

/// The parts of a candidate that are not whole, each known by a key.
#[derive(Debug)]
pub(super) struct Queue<K> {
    candidate: u32,
    parts: VecDeque<Live<K>>,
    /// How many parts have begun to be told.
    count: u32,
}

#[derive(Debug)]
struct Live<K> {
    key: K,
    /// Whether it is told: the first one is.
    opened: Option<Opened<'static>>,
    waiting: Vec<Piece<'static>>,
    has_text: bool,
    is_closed: bool,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self::of(0)
    }
}

impl<K> Queue<K> {
    /// That of a candidate.
    pub(super) const fn of(candidate: u32) -> Self {
        Self { candidate, parts: VecDeque::new(), count: 0 }
    }
}

type Each<'e> = dyn FnMut(Delta<'_>) + 'e;

impl<K: PartialEq> Queue<K> {
    /// Whether it has a part that is not whole.
    pub(super) fn has(&self, key: &K) -> bool {
        self.find(key).is_some()
    }

    /// Whether a part that is not whole has words.
    pub(super) fn has_text(&self, key: &K) -> bool {
        self.find(key).is_none_or(|live| live.has_text)
    }

    /// A part begins.
    pub(super) fn open(&mut self, key: K, opened: Opened<'_>, each: &mut Each<'_>) {
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
    pub(super) fn tell(&mut self, key: &K, piece: Piece<'_>, each: &mut Each<'_>) {
        let at = self.at();
        let mut parts = self.parts.iter_mut().enumerate();
        let Some((place, live)) = parts.find(|(_, live)| live.key == *key && !live.is_closed) else { return };
        live.has_text |= matches!(&piece, Piece::Text(text) if !text.is_empty());
        if place == 0 {
            each(piece.delta(at));
        } else {
            live.waiting.push(piece.into_owned());
        }
    }

    /// These parts are whole.
    pub(super) fn close(&mut self, are_meant: impl Fn(&K) -> bool, each: &mut Each<'_>) {
        self.parts.iter_mut().filter(|live| are_meant(&live.key)).for_each(|live| live.is_closed = true);
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

    fn find(&self, key: &K) -> Option<&Live<K>> {
        self.parts.iter().find(|live| live.key == *key && !live.is_closed)
    }

    const fn next(&mut self) -> At {
        self.count += 1;
        self.at()
    }

    /// The part that is told.
    const fn at(&self) -> At {
        At { candidate: self.candidate, part: self.count.saturating_sub(1) }
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

fn owned_source(source: MediaSource<'_>) -> MediaSource<'static> {
    match source {
        MediaSource::Inline { mime, base64 } => {
            MediaSource::Inline { mime: mime.into_owned(), base64: base64.into_owned() }
        }
        MediaSource::Plain(text) => MediaSource::Plain(text.into_owned()),
        MediaSource::Url { url, mime } => MediaSource::Url { url: url.into_owned(), mime: mime.map(Str::into_owned) },
        MediaSource::Id(id) => MediaSource::Id(id.into_owned()),
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
        Part::Media(Media { kind, source, detail, name, .. }) => Part::Media(Media {
            kind,
            source: owned_source(source),
            detail: detail.map(Str::into_owned),
            name: name.map(Str::into_owned),
            cache: None,
        }),
        Part::Other { kind, value } => Part::Other { kind: kind.into_owned(), value: value.into_owned() },
        // Nothing else comes so.
        _ => Part::Text(crate::hub::part::Text::default()),
    }
}
