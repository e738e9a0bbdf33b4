//! The `server`, `tls` and `admin` sections: the process itself, and how it is reached.

use std::time::Duration;

use super::node::{Node, Read};
use super::scalar::time_span;

/// The `server` section.
#[derive(Clone, Debug)]
pub struct ServerShape {
    /// `threads`; `None`: one for each core.
    pub threads: Option<usize>,
    /// `work_stealing`: whether threads take work from each other.
    pub work_stealing: bool,
    /// `shutdown_grace`: how long calls in flight may go on after a stop was asked for.
    pub shutdown_grace: Duration,
    /// `shutdown_delay_ms`: how long new calls are still taken after a stop was asked for.
    pub shutdown_delay: Duration,
    /// `upstream_pool_size`: the most idle connections to providers that are kept.
    pub upstream_pool_size: usize,
    /// `dns_ttl_seconds`: how long an address is used before it is looked up again.
    pub dns_ttl: Duration,
    /// `max_header_bytes`: the largest header of a request.
    pub max_header_bytes: usize,
    /// `max_header_count`: the most header fields of a request.
    pub max_header_count: usize,
}

/// The `tls` section: files in PEM.
#[derive(Clone, Debug)]
pub struct TlsShape {
    /// `cert`: the file of the certificate, followed by those in between.
    pub cert: Box<str>,
    /// `key`: the file of its private key.
    pub key: Box<str>,
}

/// The `admin` section: how management is reached.
#[derive(Clone, Debug)]
pub struct AdminShape {
    /// `listen`: the address that has everything but calls to models; `None`: the one that they have.
    pub listen: Option<Box<str>>,
}

impl Read for ServerShape {
    fn read(node: Node<'_>) -> Self {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        node.object(|fields| Self {
            threads: fields.with("threads", |node| size(super::scalar::whole(node, &(1..=1_024)))),
            work_stealing: fields.or("work_stealing", true),
            shutdown_grace: fields.with("shutdown_grace", time_span).unwrap_or(Duration::from_secs(30)),
            shutdown_delay: fields.millis("shutdown_delay_ms", Duration::ZERO, 0..=600_000),
            upstream_pool_size: size(fields.whole("upstream_pool_size", 1_024, 1..=1_000_000)),
            dns_ttl: fields.seconds("dns_ttl_seconds", Duration::from_secs(30)),
            max_header_bytes: size(fields.whole("max_header_bytes", 65_536, 1_024..=1_048_576)),
            max_header_count: size(fields.whole("max_header_count", 128, 8..=256)),
        })
    }
}

impl Read for TlsShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self { cert: fields.required("cert"), key: fields.required("key") })
    }
}

impl Read for AdminShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self { listen: fields.with("listen", listen_address) })
    }
}

/// Reads an address to listen on: a host, a colon and a port.
fn listen_address(node: Node<'_>) -> Box<str> {
    let text = Box::<str>::read(node);
    let parts = text.rsplit_once(':');
    let is_address = parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !is_address && !text.is_empty() {
        node.error("expected an address and a port, as in \"127.0.0.1:9090\"");
    }
    text
}
