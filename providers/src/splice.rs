//! Changes of a request body: the client's bytes, but for the spans that must differ.

use bytes::Bytes;
use policy::request::{Dialect, Operation};

use crate::json::{Cut, Span};
use crate::peek::Peek;

mod strangers;

use strangers::Place;

/// What is to be changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edit<'a> {
    /// The model's new name.
    pub model: Option<&'a str>,
    /// The output limit, in tokens, in place of the client's or beside what it sent.
    pub max_output: Option<u64>,
    /// The only name by which the vendor knows the output limit of chat completions; `None`: it knows the newer one.
    pub limit_field: Option<&'a str>,
    /// Ask for usage in the stream. Done only where the operation has a field for it and the answer is a stream.
    pub request_usage: bool,
    /// Say nothing of the stream's options: the vendor reports usage unasked, and may refuse to be asked.
    pub drop_stream_options: bool,
    /// Take out the gateway's own field (`fallbacks`).
    pub drop_gateway_fields: bool,
}

/// Where a body can be changed; belongs to the body that was peeked into.
#[derive(Clone, Debug, Default)]
pub struct SplicePoints {
    /// Behind the body's opening brace.
    pub(crate) open: usize,
    /// How many members the body has.
    pub(crate) members: usize,
    /// The values that name the model.
    pub(crate) models: Vec<Span>,
    /// The values of the output limit's fields.
    pub(crate) max_output: Vec<Span>,
    /// The name `max_completion_tokens`, where the output limit stands under it.
    pub(crate) newer_limit: Option<Span>,
    /// `stream_options` and, in it, `include_usage`.
    pub(crate) stream_options: Option<Placed>,
    /// Gemini's `generationConfig`.
    pub(crate) settings: Option<Placed>,
    /// The gateway's own field.
    pub(crate) gateway: Option<Cut>,
    /// The name of the output limit's field.
    limit: &'static str,
    /// Whether that field is within `generationConfig`.
    limit_is_inside: bool,
    takes_stream_options: bool,
    /// Where thoughts of other vendors can be.
    strangers: Option<Place>,
}

/// A member that has members of its own, and the one of them that matters.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// The whole value.
    pub(crate) value: Span,
    /// Its inside; `None` where it is null.
    pub(crate) inside: Option<Inside>,
    /// The value of the member that matters, where it is there.
    pub(crate) member: Option<Span>,
}

/// The inside of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inside {
    /// Behind its opening brace.
    pub(crate) open: usize,
    /// Whether it has no member.
    pub(crate) is_empty: bool,
}

impl SplicePoints {
    pub(crate) fn new(dialect: Dialect, operation: Operation) -> Self {
        let limit = match (dialect, operation) {
            (Dialect::OpenAi, Operation::ChatCompletion) => NEWER_LIMIT,
            (Dialect::OpenAi, Operation::TextCompletion) | (Dialect::Anthropic, _) => "max_tokens",
            (Dialect::OpenAi, _) => "max_output_tokens",
            (Dialect::Gemini, _) => "maxOutputTokens",
        };
        let has_stream_options = matches!(operation, Operation::ChatCompletion | Operation::TextCompletion);
        Self {
            limit,
            limit_is_inside: dialect == Dialect::Gemini,
            takes_stream_options: dialect == Dialect::OpenAi && has_stream_options,
            strangers: Place::of(dialect, operation),
            ..Self::default()
        }
    }
}

/// The name of the output limit that not all who copy OpenAI's API know.
pub(crate) const NEWER_LIMIT: &str = "max_completion_tokens";

/// The body with the changes made, without thoughts of other vendors that the gateway has told the client of; the very same bytes, not
/// copied, where there is nothing to change.
#[must_use]
pub fn splice(body: &Bytes, peek: &Peek, edit: &Edit<'_>) -> Bytes {
    let mut patch = Patch { body, pieces: Vec::new(), new_members: Vec::new() };
    let points = &peek.splices;
    if let Some(model) = edit.model {
        points.models.iter().for_each(|span| patch.model(*span, model));
    }
    let only = edit.limit_field.filter(|name| points.limit == NEWER_LIMIT && *name != NEWER_LIMIT);
    let both = points.newer_limit.and(peek.demand.max_output).filter(|_| only.is_some() && points.max_output.len() > 1);
    if let Some(limit) = edit.max_output.or(both) {
        patch.limit(points, only.unwrap_or(points.limit), &limit.to_string());
    }
    if let (Some(only), Some(key), [_]) = (only, points.newer_limit, &*points.max_output) {
        patch.replace(key, format!("\"{only}\""));
    }
    if let Some(options) = points.stream_options.as_ref().filter(|_| edit.drop_stream_options) {
        patch.replace(options.value, "null".to_owned());
    } else if edit.request_usage && points.takes_stream_options && peek.stream && !peek.client_wants_usage {
        patch.inner(points.stream_options.as_ref(), "stream_options", "include_usage", "true");
    }
    let cut = points.gateway.filter(|_| edit.drop_gateway_fields);
    patch.pieces.extend(cut.map(|cut| (cut.span(), String::new())));
    let strangers = points.strangers.map(|place| strangers::find(body, place)).unwrap_or_default();
    patch.pieces.extend(strangers.iter().map(|cut| (cut.span(), String::new())));
    patch.insert_members(points.open, points.members - usize::from(cut.is_some()).min(points.members));
    patch.apply()
}

/// The changes, as pieces of new text for spans of the old.
struct Patch<'a> {
    body: &'a Bytes,
    pieces: Vec<(Span, String)>,
    new_members: Vec<String>,
}

impl Patch<'_> {
    fn model(&mut self, span: Span, model: &str) {
        let old = self.body.get(span.start..span.end).unwrap_or_default();
        // Gemini's bodies name models as resources.
        let is_resource = old.starts_with(b"\"models/") && !model.contains('/');
        let name = if is_resource { format!("models/{model}") } else { model.to_owned() };
        self.replace(span, serde_json::Value::from(name).to_string());
    }

    fn limit(&mut self, points: &SplicePoints, name: &str, limit: &str) {
        if points.limit_is_inside {
            return self.inner(points.settings.as_ref(), "generationConfig", name, limit);
        }
        if points.max_output.is_empty() {
            self.new_members.push(format!("\"{name}\":{limit}"));
        }
        points.max_output.iter().for_each(|span| self.replace(*span, limit.to_owned()));
    }

    /// Gives the member `inner` of the member `outer` this value, making what is not there.
    fn inner(&mut self, placed: Option<&Placed>, outer: &str, inner: &str, value: &str) {
        match placed {
            None => self.new_members.push(format!("\"{outer}\":{{\"{inner}\":{value}}}")),
            Some(Placed { member: Some(member), .. }) => self.replace(*member, value.to_owned()),
            Some(Placed { inside: Some(Inside { open, is_empty }), .. }) => {
                let comma = if *is_empty { "" } else { "," };
                self.pieces.push((Span { start: *open, end: *open }, format!("\"{inner}\":{value}{comma}")));
            }
            Some(Placed { value: null, .. }) => self.replace(*null, format!("{{\"{inner}\":{value}}}")),
        }
    }

    fn replace(&mut self, span: Span, text: String) {
        if self.body.get(span.start..span.end) != Some(text.as_bytes()) {
            self.pieces.push((span, text));
        }
    }

    /// Puts the new members before the `others` that are there.
    fn insert_members(&mut self, open: usize, others: usize) {
        if !self.new_members.is_empty() {
            let comma = if others == 0 { "" } else { "," };
            self.pieces.push((Span { start: open, end: open }, self.new_members.join(",") + comma));
        }
    }

    fn apply(mut self) -> Bytes {
        if self.pieces.is_empty() {
            return self.body.clone();
        }
        self.pieces.sort_by_key(|(span, _)| *span);
        let added: usize = self.pieces.iter().map(|(_, text)| text.len()).sum();
        let mut spliced = Vec::with_capacity(self.body.len() + added);
        let mut at = 0;
        for (span, text) in &self.pieces {
            spliced.extend_from_slice(self.body.get(at..span.start).unwrap_or_default());
            spliced.extend_from_slice(text.as_bytes());
            at = span.end;
        }
        spliced.extend_from_slice(self.body.get(at..).unwrap_or_default());
        Bytes::from(spliced)
    }
}

#[cfg(test)]
mod tests;
