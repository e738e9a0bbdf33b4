//! What an answer rests on. Gemini keeps its sources in one list and, in another, which bytes of the text rest on which of them;
//! the neutral form has each citation at its text, and counts characters.

use super::names::{members, members_if_any, one_or_many};
use crate::hub::part::Citation;
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;

/// What a candidate tells of its sources.
#[derive(Debug, Default)]
pub(super) struct Grounding<'a> {
    chunks: Vec<Citation<'a>>,
    supports: Vec<Support>,
    /// From the older list of sources that were recited.
    recited: Vec<(Support, Citation<'a>)>,
    /// How many searches were made.
    pub(super) searches: u64,
}

/// Bytes of a text, and the sources that they rest on.
#[derive(Debug, Default)]
struct Support {
    part: u64,
    start: u64,
    end: u64,
    chunks: Vec<u64>,
}

/// A text of the answer, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Said<T> {
    pub(super) part: u32,
    pub(super) text: T,
}

impl<'a> Grounding<'a> {
    /// Reads a `groundingMetadata`.
    pub(super) fn read(&mut self, source: &mut Source<'a>) -> Result<()> {
        members_if_any(source, |source, name| {
            match name {
                "groundingChunks" => self.chunks = source.list(chunk)?,
                "groundingSupports" => self.supports = source.list(support)?,
                "webSearchQueries" => self.searches = count(source.list(Source::json)?.len()),
                _ => source.skip()?,
            }
            Ok(())
        })
    }

    /// Reads a `citationMetadata`: the Gemini API has `citationSources`, Vertex AI `citations`.
    pub(super) fn read_recited(&mut self, source: &mut Source<'a>) -> Result<()> {
        members_if_any(source, |source, name| match name {
            "citationSources" | "citations" => {
                self.recited = source.list(recited)?;
                Ok(())
            }
            _ => source.skip(),
        })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.recited.is_empty()
    }

    /// Whether it is said which words rest on the sources.
    pub(super) const fn has_places(&self) -> bool {
        !self.supports.is_empty() || !self.recited.is_empty()
    }

    /// The citations, each with the place in this list of the text that it belongs to. Where nothing says which words rest on
    /// the sources, all do.
    pub(super) fn citations<T: AsRef<str>>(&self, said: &[Said<T>]) -> Vec<(usize, Citation<'a>)> {
        let mut found = Vec::new();
        for support in &self.supports {
            let Some((index, range)) = support.within(said) else { continue };
            for chunk in &support.chunks {
                let chunk = usize::try_from(*chunk).ok().and_then(|chunk| self.chunks.get(chunk));
                found.extend(chunk.map(|chunk| (index, Citation { range, ..chunk.clone() })));
            }
        }
        if let (true, Some(last)) = (self.supports.is_empty(), said.len().checked_sub(1)) {
            found.extend(self.chunks.iter().map(|chunk| (last, chunk.clone())));
        }
        for (support, citation) in &self.recited {
            let place = support.within(said);
            found.extend(place.map(|(index, range)| (index, Citation { range, ..citation.clone() })));
        }
        found
    }
}

impl Support {
    /// Which text it is about, and which characters of it. Places are counted in the part that is named, or, as the SDK's users
    /// do, in all that was said.
    fn within<T: AsRef<str>>(&self, said: &[Said<T>]) -> Option<(usize, Option<(u64, u64)>)> {
        let named = said.iter().position(|said| self.part > 0 && u64::from(said.part) == self.part);
        let mut start = self.start;
        for (index, text) in said.iter().enumerate().skip(named.unwrap_or(0)) {
            let length = count(text.text.as_ref().len());
            if start < length || index + 1 == said.len() {
                let end = start.saturating_add(self.end.saturating_sub(self.start)).min(length);
                return Some((index, characters(text.text.as_ref(), start, end)));
            }
            start -= length;
        }
        None
    }
}

/// The characters that these bytes are.
fn characters(text: &str, start: u64, end: u64) -> Option<(u64, u64)> {
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    let before = text.get(..start)?.chars().count();
    let within = text.get(start..end)?.chars().count();
    Some((count(before), count(before + within)))
}

/// The bytes that these characters are.
pub(super) fn bytes(text: &str, (start, end): (u64, u64)) -> (usize, usize) {
    let at = |character: u64| {
        let character = usize::try_from(character).unwrap_or(usize::MAX);
        text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
    };
    let start = at(start);
    (start, at(end).max(start))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn chunk<'a>(source: &mut Source<'a>) -> Result<Citation<'a>> {
    let mut citation = Citation::default();
    members(source, |source, name| match name {
        "web" | "retrievedContext" | "maps" => members_if_any(source, |source, name| {
            match name {
                "uri" => citation.url = source.text_or_null()?,
                "title" => citation.title = source.text_or_null()?,
                "text" => citation.quote = source.text_or_null()?,
                _ => source.skip()?,
            }
            Ok(())
        }),
        _ => source.skip(),
    })?;
    Ok(citation)
}

fn support(source: &mut Source<'_>) -> Result<Support> {
    let mut support = Support::default();
    members(source, |source, name| match name {
        "segment" => members_if_any(source, |source, name| {
            let place = match name {
                "partIndex" => &mut support.part,
                "startIndex" => &mut support.start,
                "endIndex" => &mut support.end,
                _ => return source.skip(),
            };
            *place = source.count()?.unwrap_or(0);
            Ok(())
        }),
        "groundingChunkIndices" => one_or_many(source, |source| {
            support.chunks.extend(source.count()?);
            Ok(())
        }),
        _ => source.skip(),
    })?;
    Ok(support)
}

fn recited<'a>(source: &mut Source<'a>) -> Result<(Support, Citation<'a>)> {
    let (mut support, mut citation) = (Support::default(), Citation::default());
    members(source, |source, name| {
        match name {
            "startIndex" => support.start = source.count()?.unwrap_or(0),
            "endIndex" => support.end = source.count()?.unwrap_or(0),
            "uri" => citation.url = source.text_or_null()?,
            "title" => citation.title = source.text_or_null()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok((support, citation))
}

/// A citation as it is written: which bytes of which part rest on it.
#[derive(Clone, Debug)]
pub(super) struct Cited<'a> {
    pub(super) part: u64,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The words that rest on it.
    pub(super) words: String,
    pub(super) citation: Citation<'a>,
}

impl<'a> Cited<'a> {
    /// A citation of a text that begins behind so many bytes of its part.
    pub(super) fn of(citation: Citation<'a>, text: &str, part: u64, base: usize) -> Self {
        let (start, end) = citation.range.map_or((0, text.len()), |range| bytes(text, range));
        let words = text.get(start..end).unwrap_or_default().to_owned();
        Self { part, start: base + start, end: base + end, words, citation }
    }
}

/// Writes a `groundingMetadata`.
pub(super) fn write(cited: &[Cited<'_>], sink: &mut Sink) {
    let mut sources: Vec<&Citation<'_>> = Vec::new();
    let indices: Vec<usize> = cited
        .iter()
        .map(|cited| {
            let known = sources.iter().position(|source| is_same(source, &cited.citation));
            known.unwrap_or_else(|| {
                sources.push(&cited.citation);
                sources.len() - 1
            })
        })
        .collect();
    sink.object(|sink| {
        sink.key("groundingChunks").array(|sink| sources.iter().for_each(|source| write_chunk(source, sink)));
        sink.key("groundingSupports").array(|sink| {
            cited.iter().zip(&indices).for_each(|(cited, index)| write_support(cited, *index, sink));
        });
    });
}

fn is_same(one: &Citation<'_>, other: &Citation<'_>) -> bool {
    one.url == other.url && one.title == other.title && (one.url.is_some() || one.quote == other.quote)
}

/// What has no address is no page of the web.
fn write_chunk(source: &Citation<'_>, sink: &mut Sink) {
    let member = |name: &str, text: &Option<Str<'_>>, sink: &mut Sink| {
        if let Some(text) = text {
            sink.text_member(name, text);
        }
    };
    let kind = if source.url.is_some() { "web" } else { "retrievedContext" };
    sink.object(|sink| {
        sink.key(kind).object(|sink| {
            member("uri", &source.url, sink);
            member("title", &source.title, sink);
            if source.url.is_none() {
                member("text", &source.quote, sink);
            }
        });
    });
}

fn write_support(cited: &Cited<'_>, index: usize, sink: &mut Sink) {
    sink.object(|sink| {
        sink.key("segment").object(|sink| {
            for (name, place) in [("partIndex", cited.part), ("startIndex", count(cited.start))] {
                if place > 0 {
                    sink.count_member(name, place);
                }
            }
            sink.count_member("endIndex", count(cited.end));
            sink.plain_member("text", &cited.words);
        });
        sink.key("groundingChunkIndices").array(|sink| sink.count(count(index)));
    });
}
