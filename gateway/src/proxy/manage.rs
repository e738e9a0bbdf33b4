//! Management paths: which listener has them, and how they are handed over to the management API behind its Unix socket, with nothing
//! of what calls to models go through.

use std::path::Path;

use admin::edge;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora::{Error, Result};
use policy::decision::{Reason, Refusal};

use super::ctx::RequestCtx;
use super::{Edge, answer, fail, route};

/// Headers that only the edge may set.
const OURS: &str = "x-tollgate-";

/// Which paths a listener has. How the process is may be asked at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    /// All that there are.
    Everything,
    /// All but management and metrics.
    Calls,
    /// Management and metrics.
    Management,
}

impl Serves {
    /// Whether a path is looked for here.
    pub(super) fn has(self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            _ if route::is_health(path) => true,
            Self::Calls => !route::is_for_operators(path),
            Self::Management => route::is_for_operators(path),
        }
    }

    /// What is told of a path that another listener has.
    pub(super) fn elsewhere(self, path: &str) -> Option<&'static str> {
        match self {
            _ if self.has(path) => None,
            Self::Management => Some("models are called"),
            Self::Everything | Self::Calls => Some("management is"),
        }
    }
}

/// Where management is, and whether this listener lets strangers ask.
#[derive(Clone, Debug)]
pub(crate) struct Manage {
    socket: String,
    /// Whether the listener can be reached from other machines. Then management wants a log-in.
    is_open: bool,
}

impl Manage {
    /// Behind a socket, for a listener at an address. `None`: the socket's path is no text.
    pub(crate) fn at(socket: &Path, listener: std::net::SocketAddr) -> Option<Self> {
        Some(Self { socket: socket.to_str()?.to_owned(), is_open: is_open(listener) })
    }

    fn peer(&self) -> Result<HttpPeer> {
        let mut peer = HttpPeer::new_uds(&self.socket, false, String::new())?;
        peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        Ok(peer)
    }
}

/// Whether a listener at an address can be reached from other machines.
pub(crate) fn is_open(listener: std::net::SocketAddr) -> bool {
    !listener.ip().to_canonical().is_loopback()
}

impl Edge {
    /// Whether management is here at all; then the request goes there.
    pub(super) fn hands_over(&self, ctx: &mut RequestCtx) -> bool {
        ctx.is_managed = self.manage.is_some();
        ctx.is_managed
    }

    /// Where management is.
    pub(super) fn management(&self) -> Result<Box<HttpPeer>> {
        let manage = self.manage.as_ref().ok_or_else(|| fail::internal("management is not here"))?;
        manage.peer().map(Box::new)
    }

    /// The request as management gets it: the client's own, with what the edge knows of the client, and nothing of that from the
    /// client.
    pub(super) fn tell_management(
        &self,
        session: &Session,
        request: &mut RequestHeader,
        ctx: &RequestCtx,
    ) -> Result<()> {
        for name in claimed(&request.headers) {
            request.remove_header(&name);
        }
        if let Some(address) = self.throttle.client(session) {
            request.insert_header(edge::ADDRESS, address.to_string())?;
        }
        let is_secure = is_tls(session) || self.throttle.was_tls_before_proxy(session);
        request.insert_header(edge::SCHEME, if is_secure { "https" } else { "http" })?;
        let is_open = self.manage.as_ref().is_none_or(|manage| manage.is_open);
        request.insert_header(edge::LISTENER, if is_open { "open" } else { edge::LOOPBACK })?;
        request.insert_header(edge::REQUEST_ID, &*ctx.request_id)?;
        // A connection is made anew faster than it is found out whether an old one still lives.
        request.insert_header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// The answer of management as the client gets it.
    pub(super) fn answer_of_management(&self, answer: &mut ResponseHeader, ctx: &RequestCtx) -> Result<()> {
        if ctx.is_http10 {
            answer.remove_header(&header::TRANSFER_ENCODING);
        }
        answer.remove_header(&header::CONNECTION);
        answer::add_request_id(answer, &ctx.request_id)
    }
}

/// Management did not answer, or not to the end. It is not asked again: what it did before is not known.
pub(super) fn unanswered(ctx: &mut RequestCtx, mut failed: Box<Error>) -> Box<Error> {
    failed.set_retry(false);
    if *failed.esource() != pingora::ErrorSource::Downstream {
        ctx.failure = Some(Refusal::new(Reason::Overloaded, "management does not answer"));
    }
    failed
}

/// What a client claims that only the edge knows.
fn claimed(headers: &HeaderMap) -> Vec<HeaderName> {
    headers.keys().filter(|name| name.as_str().starts_with(OURS)).cloned().collect()
}

fn is_tls(session: &Session) -> bool {
    session.downstream_session.digest().is_some_and(|digest| digest.ssl_digest.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_had_by_one_of_two_listeners_and_health_by_both() {
        for (path, of_calls, of_management) in [
            ("/api", false, true),
            ("/api/version", false, true),
            ("/api/", false, true),
            ("/metrics", false, true),
            ("/livez", true, true),
            ("/readyz", true, true),
            ("/health", true, true),
            ("/v1/chat/completions", true, false),
            ("/v1/models", true, false),
            ("/apis", true, false),
            ("/", true, false),
            ("//api/version", true, false),
        ] {
            assert!(Serves::Everything.has(path), "{path}");
            assert_eq!(Serves::Calls.has(path), of_calls, "{path}");
            assert_eq!(Serves::Management.has(path), of_management, "{path}");
        }
    }

    #[test]
    fn only_a_loopback_address_is_closed_to_others() {
        for address in ["127.0.0.1:80", "127.8.8.8:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert!(!is_open(address.parse().unwrap()), "{address}");
        }
        for address in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "[::ffff:10.0.0.1]:80", "192.0.2.1:80"] {
            assert!(is_open(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_a_client_claims_of_itself_is_found_whatever_its_name() {
        let mut headers = HeaderMap::new();
        for name in [edge::ADDRESS, edge::SCHEME, edge::LISTENER, "X-Tollgate-Anything", "x-bf-vk"] {
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_static("claimed"));
        }
        let mut names: Vec<_> = claimed(&headers).iter().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(names, ["x-tollgate-anything", edge::ADDRESS, edge::SCHEME, edge::LISTENER]);
    }
}
