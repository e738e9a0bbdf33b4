//! The answer's header as the client sees it: the vendor's own, without what is none of the client's business.

use http::HeaderMap;
use http::header::{self, HeaderName};
use pingora::Result;
use pingora::http::ResponseHeader;

use super::ctx::RequestCtx;
use super::{Edge, limits};

/// The vendor's headers that a client may see. All others stay here: cookies, account names, echoed credentials.
const PASSED_ON: [HeaderName; 9] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-should-retry"),
    HeaderName::from_static("openai-processing-ms"),
];

impl Edge {
    /// Makes the header that the client gets.
    pub(super) fn answer(&self, answer: &mut ResponseHeader, ctx: &RequestCtx) -> Result<()> {
        for name in unwanted(&answer.headers) {
            answer.remove_header(&name);
        }
        if ctx.is_http10 {
            answer.remove_header(&header::TRANSFER_ENCODING);
        }
        add_request_id(answer, &ctx.request_id)?;
        if let Some(attempt) = ctx.stage.call().and_then(|call| call.attempt()) {
            // A name may hold what no header can; it is then left out.
            let _ = answer.insert_header("x-tollgate-provider", attempt.provider.name.as_str());
            let _ = answer.insert_header("x-tollgate-model", attempt.model.as_str());
        }
        if let Some(foreign) = ctx.stage.call().and_then(|call| call.foreign.as_ref())
            && !foreign.dropped().is_empty()
        {
            answer.insert_header("x-tollgate-dropped-params", foreign.dropped())?;
        }
        if !ctx.record.trail().is_empty() {
            let _ = answer.insert_header("x-tollgate-attempts", ctx.record.trail());
        }
        if let Some(sent) = ctx.stage.sent() {
            limits::add(answer, &sent.left(), None)?;
            if let Some(limit) = sent.clamped() {
                answer.insert_header("x-tollgate-max-tokens-clamped", limit)?;
            }
        }
        if is_event_stream(answer) {
            answer.insert_header("x-accel-buffering", "no")?;
        }
        Ok(())
    }
}

/// Both names by which SDKs look for the request's id.
pub(super) fn add_request_id(answer: &mut ResponseHeader, request_id: &str) -> Result<()> {
    answer.insert_header("x-request-id", request_id)?;
    answer.insert_header("request-id", request_id)
}

/// Whether a client may see a vendor's header.
pub(super) fn is_passed_on(name: &HeaderName) -> bool {
    PASSED_ON.contains(name)
}

fn unwanted(headers: &HeaderMap) -> Vec<HeaderName> {
    headers.keys().filter(|name| !is_passed_on(name)).cloned().collect()
}

fn is_event_stream(answer: &ResponseHeader) -> bool {
    let kind = answer.headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
