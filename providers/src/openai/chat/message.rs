//! A message, as requests have them in the conversation and answers as what the model says.

use super::thought::Thoughts;
use super::{call, content};
use crate::hub::part::{CacheMark, Citation, Media, MediaKind, MediaSource, Part, Text};
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;
use crate::json::Kind;

/// A message's members, in whatever order they came.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) role: Option<Str<'a>>,
    pub(super) name: Option<Str<'a>>,
    pub(super) tool_call_id: Option<Str<'a>>,
    pub(super) content: Vec<Part<'a>>,
    refusal: Option<Str<'a>>,
    thoughts: Thoughts<'a>,
    media: Vec<Part<'a>>,
    calls: Vec<Part<'a>>,
    citations: Vec<Citation<'a>>,
    signature: Option<Str<'a>>,
    pub(super) cache: Option<CacheMark<'a>>,
    /// Whether the model is to go on with it, as DeepSeek and Mistral let clients ask.
    pub(super) is_prefix: bool,
}

impl<'a> Message<'a> {
    /// Reads a message. What is unknown is skipped: clients send answers back with whatever their vendors put into them.
    pub(super) fn read(source: &mut Source<'a>) -> Result<Self> {
        let mut message = Self::default();
        source.members(|source, name| message.member(source, name))?;
        Ok(message)
    }

    fn member(&mut self, source: &mut Source<'a>, name: &str) -> Result<()> {
        match name {
            "role" => self.role = source.text_or_null()?,
            "content" => content::read(source, &mut self.content)?,
            "name" => self.name = source.text_or_null()?,
            "tool_call_id" => self.tool_call_id = source.text_or_null()?,
            "tool_calls" => self.calls = call::read_all(source)?,
            "function_call" => self.function_call(source)?,
            "refusal" => self.refusal = source.text_or_null()?.filter(|refusal| !refusal.is_empty()),
            "annotations" => self.citations = citations(source)?,
            "audio" => audio(source, &mut self.media)?,
            "images" if source.kind()? == Kind::Array => content::read(source, &mut self.media)?,
            "extra_content" => self.signature = call::signature(source)?,
            "cache_control" => self.cache = content::cache_mark(source)?,
            "prefix" if source.kind()? == Kind::True => {
                self.is_prefix = true;
                source.skip()?;
            }
            _ if self.thoughts.member(source, name)? => {}
            _ => source.skip()?,
        }
        Ok(())
    }

    fn function_call(&mut self, source: &mut Source<'a>) -> Result<()> {
        if source.is_null()? {
            return Ok(());
        }
        let mut call = call::Call::default();
        call.function(source)?;
        self.calls.push(call.into_part()?);
        Ok(())
    }

    /// What it says: thoughts first, calls last.
    pub(super) fn into_parts(mut self) -> Vec<Part<'a>> {
        if let (Some(Part::Text(text)), true) =
            (self.content.last_mut(), self.signature.is_some() || !self.citations.is_empty())
        {
            text.signature = self.signature.take();
            text.citations.append(&mut self.citations);
        }
        let mut parts = Vec::with_capacity(self.content.len() + self.calls.len() + 1);
        self.thoughts.into_parts(&mut parts);
        parts.append(&mut self.content);
        parts.extend(self.refusal.map(Part::Refusal));
        parts.append(&mut self.media);
        parts.append(&mut self.calls);
        if let Some(cache) = self.cache {
            mark(&mut parts, cache);
        }
        parts
    }
}

/// A mark on a whole message is one on its last part.
fn mark<'a>(parts: &mut [Part<'a>], cache: CacheMark<'a>) {
    let place = match parts.last_mut() {
        Some(Part::Text(Text { cache, .. }) | Part::Media(Media { cache, .. })) => cache,
        Some(Part::ToolCall(call)) => &mut call.cache,
        _ => return,
    };
    place.get_or_insert(cache);
}

/// What a text rests on, of a message or a piece of one.
pub(super) fn citations<'a>(source: &mut Source<'a>) -> Result<Vec<Citation<'a>>> {
    let mut found = Vec::new();
    if source.kind()? != Kind::Array {
        source.skip()?;
        return Ok(found);
    }
    source.elements(|source| {
        source.members(|source, name| {
            if name != "url_citation" || source.kind()? != Kind::Object {
                return source.skip();
            }
            found.push(citation(source)?);
            Ok(())
        })
    })?;
    Ok(found)
}

fn citation<'a>(source: &mut Source<'a>) -> Result<Citation<'a>> {
    let mut citation = Citation::default();
    let (mut start, mut end) = (None, None);
    source.members(|source, name| {
        match name {
            "url" => citation.url = source.text_or_null()?,
            "title" => citation.title = source.text_or_null()?,
            // OpenRouter's: the words at the place that is cited.
            "content" => citation.quote = source.text_or_null()?.filter(|quote| !quote.is_empty()),
            "start_index" => start = source.count()?,
            "end_index" => end = source.count()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    citation.range = start.zip(end).filter(|(start, end)| start < end);
    Ok(citation)
}

/// Spoken words: in an answer their sound and what is said, in a conversation the id under which the vendor keeps them.
pub(super) fn audio<'a>(source: &mut Source<'a>, parts: &mut Vec<Part<'a>>) -> Result<()> {
    if source.is_null()? {
        return Ok(());
    }
    let (mut id, mut data, mut transcript) = (None, None, None);
    source.members(|source, name| {
        match name {
            "id" => id = source.text_or_null()?,
            "data" => data = source.text_or_null()?,
            "transcript" => transcript = source.text_or_null()?.filter(|words| !words.is_empty()),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let is_piece = transcript.is_some();
    parts.extend(transcript.map(|words| Part::Text(Text::plain(words))));
    let at = match (data, id) {
        (Some(base64), _) => MediaSource::Inline { mime: Str::raw_of("audio/wav"), base64 },
        (None, Some(id)) if !is_piece => MediaSource::Id(id),
        _ => return Ok(()),
    };
    parts.push(Part::Media(Media { kind: MediaKind::Audio, source: at, detail: None, name: None, cache: None }));
    Ok(())
}
