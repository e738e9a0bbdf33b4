//! What the edge tells of a client, in headers that it strips from clients: where it is, how it came, and by which listener.

use std::net::IpAddr;

use http::{HeaderMap, header};

/// The client's address, behind the proxies that are trusted.
pub const ADDRESS: &str = "x-tollgate-client-address";
/// `https` where what the client sees is encrypted, else `http`.
pub const SCHEME: &str = "x-tollgate-client-scheme";
/// `loopback` where the edge listens on a loopback address only; anything else: it can be reached from outside.
pub const LISTENER: &str = "x-tollgate-listener";
/// The value of [`LISTENER`] that lets management be used without authentication.
pub const LOOPBACK: &str = "loopback";
/// The request's id, as the edge's log has it.
pub const REQUEST_ID: &str = "x-request-id";

/// The client of a request. What the edge did not say is taken for the worse.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its address; `None`: not told.
    pub(crate) address: Option<IpAddr>,
    /// Whether it came by TLS.
    pub(crate) is_secure: bool,
    /// Whether nobody but this machine can reach the listener.
    pub(crate) is_local: bool,
}

impl Client {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            address: text(ADDRESS).and_then(|address| address.parse().ok()),
            is_secure: text(SCHEME) == Some("https"),
            is_local: text(LISTENER) == Some(LOOPBACK),
        }
    }

    /// The address as it is written down.
    pub(crate) fn written(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }
}

/// Whether a request was made by a page of another origin, or under a name that is not this machine's: a page that a browser
/// shows must not reach what is open to this machine alone, by its own name or by one that was bound to a loopback address.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_foreign_host = text(header::HOST).is_some_and(|host| !is_loopback(without_port(host)));
    is_foreign_host || is_cross_origin(headers)
}

/// Whether a request was made by a page of another origin.
pub(crate) fn is_cross_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or("?", |(_, rest)| rest));
    origin.is_some_and(|origin| Some(origin) != text(header::HOST))
}

fn without_port(host: &str) -> &str {
    if let Some(end) = host.find(']') {
        return host.get(1..end).unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_foreign(&headers)
    }

    #[test]
    fn names_of_this_machine_are_its_own() {
        for host in ["localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:1", "127.9.9.9", "[::1]:8080", "[::1]"] {
            assert!(!foreign(host, None), "{host}");
        }
    }

    #[test]
    fn other_names_and_other_origins_are_foreign() {
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::2]:80", "localhost.evil"] {
            assert!(foreign(host, None), "{host}");
        }
        assert!(!foreign("localhost:8080", Some("http://localhost:8080")));
        for origin in ["http://evil.example", "http://localhost:9", "null", "https://localhost:8080.evil"] {
            assert!(foreign("localhost:8080", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn what_the_edge_did_not_say_is_taken_for_the_worse() {
        let client = Client::of(&HeaderMap::new());
        assert!(!client.is_local && !client.is_secure && client.address.is_none());
    }
}
