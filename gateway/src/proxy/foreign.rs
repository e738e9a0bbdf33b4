//! A call that is served in another wire format than it was asked in: its request as the vendor is sent it, and the vendor's answer
//! as the client gets it. What the formats look like is `providers::translate`'s business.

use std::borrow::Cow;

use bytes::Bytes;
use engine::hold::Hold;
use http::header::{self, HeaderValue};
use pingora::http::ResponseHeader;
use policy::settings::Settings;
use providers::error::{VendorError, vendor_body};
use providers::resume::Diverged;
use providers::translate::{Context, ReadError, Stream, Target, Translation, Untranslatable};
use providers::vendor::{self, Quirks};
use thiserror::Error;

use super::ctx::{Call, ErrorAnswer};
use super::route::Asked;

/// A document that is longer is no answer.
const MAX_DOCUMENT_BYTES: usize = 32 * 1024 * 1024;
/// No more is said of what was left out of a request.
const MAX_DROPPED_BYTES: usize = 2 * 1024;
/// A plain text that is longer is a page, and no error's message.
const MAX_MESSAGE_BYTES: usize = 512;

/// How an attempt is translated.
#[derive(Debug)]
pub(crate) struct Foreign {
    translation: Translation,
    /// The request as it goes to the vendor.
    body: Bytes,
    /// The names of what was left out of it, with commas between them.
    dropped: String,
    answer: Answer,
    /// Whether anything of the answer was given to the client.
    has_told: bool,
}

/// The answer on its way.
#[derive(Debug, Default)]
enum Answer {
    /// Nothing is known of it.
    #[default]
    None,
    Stream(Box<Stream>),
    Document {
        gathered: Vec<u8>,
        context: Box<Context>,
    },
    /// It was to be a stream, and is a document; what it says, unless it is an error, is of no use.
    NoStream,
}

/// An answer that cannot be told.
#[derive(Clone, Debug, Error)]
pub(crate) enum Untold {
    #[error("sent an answer that cannot be read: {0}")]
    Unreadable(#[from] ReadError),
    #[error("did not stream its answer")]
    NoStream,
    #[error("sent an answer that is longer than can be held")]
    TooLong,
    #[error("did not go on with the stream that another had begun")]
    Diverged,
}

impl Untold {
    /// Whether only the translation could not go on; the vendor's answer may be sound.
    pub(super) const fn is_ours(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::NoStream | Self::TooLong)
    }
}

impl From<Diverged> for Untold {
    fn from(Diverged: Diverged) -> Self {
        Self::Diverged
    }
}

impl Foreign {
    /// Translates the request for the attempt that a hold was opened for. `None`: it goes out in the format that it came in.
    ///
    /// # Errors
    /// When it cannot be asked of the attempt's target.
    pub(super) fn request(
        call: &Call,
        asked: &Asked,
        hold: &Hold,
        settings: &Settings,
    ) -> Result<Option<Self>, Untranslatable> {
        let (Some(translation), Some(attempt), Some(body)) = (call.translation(asked), call.attempt(), &call.body)
        else {
            return Ok(None);
        };
        let demand = &call.peek.demand;
        // What the client's API sets where nothing is said holds only if it is sent.
        let assumed = demand.max_output.filter(|_| demand.limit_is_assumed);
        let known = attempt.known.as_ref().and_then(|known| known.max_output);
        let reserved = attempt.worst_case.map(|worst| worst.output_limit()).or(known);
        let target = Target {
            model: attempt.model.as_str(),
            stream: call.stream,
            limit: hold.clamped().or(assumed),
            limit_if_none: reserved.unwrap_or(settings.default_max_output_tokens),
            quirks: vendor::find(attempt.provider.vendor).map_or(Quirks::NONE, |vendor| vendor.quirks),
            drops: settings.compat.drops_params,
        };
        let translated = translation.request(body.bytes(), &target)?;
        Ok(Some(Self {
            translation,
            body: Bytes::from(translated.body),
            dropped: listed(&translated.dropped),
            answer: Answer::None,
            has_told: false,
        }))
    }

    /// The request as it goes to the vendor.
    pub(super) const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The names of what was left out of the request, with commas between them; empty where nothing was.
    pub(super) fn dropped(&self) -> &str {
        &self.dropped
    }

    /// Whether the answer is gathered, and told when it is whole.
    pub(super) const fn is_gathered(&self) -> bool {
        matches!(self.answer, Answer::Document { .. } | Answer::NoStream)
    }

    /// Whether anything of the answer was given to the client.
    pub(super) const fn has_told(&self) -> bool {
        self.has_told
    }

    /// A success comes: as a stream, as a document, or as a document in place of a stream.
    pub(super) fn begin(&mut self, context: Context, is_stream: bool, was_to_stream: bool) {
        self.has_told = false;
        self.answer = match (is_stream, was_to_stream) {
            (true, _) => Answer::Stream(Box::new(self.translation.stream(context))),
            (false, true) => Answer::NoStream,
            (false, false) => Answer::Document { gathered: Vec::new(), context: Box::new(context) },
        };
    }

    /// Takes the answer's next bytes and gives those for the client. `end`: the answer is whole with these.
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) fn pass(&mut self, piece: &[u8], end: bool) -> Result<Bytes, Untold> {
        let told = match &mut self.answer {
            Answer::None => Bytes::new(),
            Answer::Stream(stream) => stream.pass(piece, end)?,
            Answer::Document { gathered, .. } if gathered.len() + piece.len() > MAX_DOCUMENT_BYTES => {
                return Err(Untold::TooLong);
            }
            Answer::Document { gathered, context } => {
                gathered.extend_from_slice(piece);
                if end {
                    let whole = std::mem::take(gathered);
                    Bytes::from(self.translation.answer(&whole, context)?)
                } else {
                    Bytes::new()
                }
            }
            Answer::NoStream if end => return Err(Untold::NoStream),
            Answer::NoStream => Bytes::new(),
        };
        self.has_told |= !told.is_empty();
        Ok(told)
    }
}

impl Call {
    /// Frees the translated request: no other attempt can need it.
    pub(super) fn forget_request(&mut self) {
        if let Some(foreign) = &mut self.foreign {
            foreign.body = Bytes::new();
        }
    }

    /// How the attempt is translated; `None`: it is served in the format that it was asked in.
    pub(super) fn translation(&self, asked: &Asked) -> Option<Translation> {
        let attempt = self.attempt()?;
        Translation::new((asked.dialect, asked.operation), (attempt.provider.dialect, attempt.served_as))
    }
}

/// Makes the header of a vendor's answer one of a body of ours: framed, and named for what it is.
pub(super) fn rewrite_header(answer: &mut ResponseHeader, is_event_stream: bool) {
    answer.remove_header(&header::CONTENT_LENGTH);
    answer.remove_header(&header::CONTENT_ENCODING);
    let kind = if is_event_stream { "text/event-stream" } else { "application/json" };
    // It is a header name and a header value.
    let _ = answer.insert_header(header::CONTENT_TYPE, kind);
}

impl ErrorAnswer {
    /// An error that came with a good status, as the client would have got it with the one that it should have come with.
    pub(super) fn of(asked: &Asked, error: &VendorError, status: u16, request_id: &str) -> Self {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let body = vendor_body(asked.dialect, error, status, request_id);
        Self { status, headers: headers.into_iter().collect(), body }
    }

    /// The same in the client's dialect.
    pub(super) fn translated(self, asked: &Asked, request_id: &str) -> Self {
        let Self { status, mut headers, body } = self;
        let error = VendorError::read(&body).unwrap_or_else(|| told_plainly(status, &body));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.remove(header::CONTENT_ENCODING);
        Self { status, headers, body: vendor_body(asked.dialect, &error, status, request_id) }
    }
}

/// An error that is no JSON: a short line is its message, a web server's page is not.
fn told_plainly(status: u16, body: &[u8]) -> VendorError {
    let text = std::str::from_utf8(body).ok().map(str::trim);
    let message = text.filter(|text| !text.is_empty() && text.len() <= MAX_MESSAGE_BYTES && !text.starts_with('<'));
    let message = message.map_or_else(|| format!("the provider answered with status {status}"), str::to_owned);
    VendorError { message, status: Some(status), ..VendorError::default() }
}

/// Names as a header has them. Some are the client's own words: what no field's name has is taken out of those.
fn listed(names: &[Cow<'static, str>]) -> String {
    let mut list = String::new();
    for name in names {
        let name: String =
            name.chars().filter(|char| char.is_ascii_alphanumeric() || "_-.[]".contains(*char)).collect();
        if name.is_empty() || list.len() + name.len() > MAX_DROPPED_BYTES {
            continue;
        }
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(&name);
    }
    list
}

#[cfg(test)]
mod tests {
    use policy::request::{Dialect, Operation};

    use super::*;

    #[test]
    fn what_was_left_out_is_named_as_a_header_can() {
        let names = ["seed", "response_format", "böse\r\nx: 1", "", "tools[].strict"].map(Cow::Borrowed);
        assert_eq!(listed(&names), "seed,response_format,bsex1,tools[].strict");
        let many: Vec<Cow<'static, str>> = (0..1_000).map(|n| Cow::Owned(format!("field-{n}"))).collect();
        assert!(listed(&many).len() <= MAX_DROPPED_BYTES + many.len());
    }

    #[test]
    fn an_error_is_told_in_the_clients_dialect_whatever_it_came_in() {
        let asked = Asked { dialect: Dialect::Anthropic, operation: Operation::ChatCompletion, gemini: None };
        let told = |status, body: &str| {
            let headers = [(header::CONTENT_TYPE, "text/html".parse().unwrap()), (header::RETRY_AFTER, 7.into())];
            let answer = ErrorAnswer { status, headers: headers.into_iter().collect(), body: body.into() };
            let answer = answer.translated(&asked, "req");
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
            assert_eq!(answer.headers[header::RETRY_AFTER], "7");
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            (body["error"]["type"].as_str().unwrap().to_owned(), body["error"]["message"].as_str().unwrap().to_owned())
        };
        let of = |kind: &str, message: &str| (kind.to_owned(), message.to_owned());
        let openai = r#"{"error":{"message":"No","type":"invalid_request_error","code":null}}"#;
        assert_eq!(told(400, openai), of("invalid_request_error", "No"));
        assert_eq!(told(429, "slow down\n"), of("rate_limit_error", "slow down"));
        assert_eq!(told(502, "<html></html>"), of("api_error", "the provider answered with status 502"));
        assert_eq!(told(503, ""), of("overloaded_error", "the provider answered with status 503"));
    }
}
