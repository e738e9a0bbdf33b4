//! A listener as a service of Pingora's: the edge behind a bound socket, with HTTP/1.1 and HTTP/2, plain or by TLS.

use std::time::Duration;

use anyhow::Result;
use pingora::apps::HttpServerOptions;
use pingora::listeners::tls::TlsSettings;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::proxy::HttpProxy;
use pingora::server::Server;
use pingora::services::listening::Service;
use policy::declare::{File, TlsShape};

use crate::first_bytes::FirstBytes;
use crate::listen::{Bound, OnBound};
use crate::proxy::Edge;

/// Idle HTTP/2 connections of clients are closed after this.
const H2_IDLE: Duration = Duration::from_mins(5);

/// Adds an edge to a server, behind a socket. `threads`: `None`, as many as the server's configuration says.
pub(super) fn add(
    server: &mut Server,
    (edge, bound): (Edge, Bound),
    (name, threads): (&str, Option<usize>),
    file: &File,
) -> Result<()> {
    let mut service = Service::new(name.to_owned(), FirstBytes::new(proxy(server, edge)));
    service.threads = threads;
    let address = bound.address().to_string();
    match &file.tls {
        None => service.add_tcp(&address),
        Some(tls) => service.add_tls_with_settings(&address, None, settings(tls)?),
    }
    server.add_service(OnBound::new(service, bound));
    Ok(())
}

fn proxy(server: &Server, edge: Edge) -> HttpProxy<Edge> {
    let mut proxy = HttpProxy::new(edge, server.configuration.clone());
    proxy.handle_init_modules();
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(H2_IDLE);
    proxy.server_options = Some(options);
    proxy.h2_options = Some(h2_options());
    proxy
}

fn settings(tls: &TlsShape) -> Result<TlsSettings> {
    check_certificate(&tls.cert, &tls.key)?;
    let mut settings = TlsSettings::intermediate(&tls.cert, &tls.key)
        .map_err(|error| anyhow::anyhow!("tls.cert and tls.key cannot be used: {error}"))?;
    settings.enable_h2();
    Ok(settings)
}

/// Pingora panics on files that it cannot read.
fn check_certificate(cert: &str, key: &str) -> Result<()> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let mut certificates =
        CertificateDer::pem_file_iter(cert).map_err(|error| anyhow::anyhow!("tls.cert {cert}: {error}"))?;
    anyhow::ensure!(matches!(certificates.next(), Some(Ok(_))), "tls.cert {cert}: no certificate in it");
    PrivateKeyDer::from_pem_file(key).map_err(|error| anyhow::anyhow!("tls.key {key}: {error}"))?;
    Ok(())
}

/// Large bodies are common here, so the windows are wider than the protocol's 64 KiB.
fn h2_options() -> H2Options {
    let mut options = default_h2_options();
    options.initial_window_size(1024 * 1024).initial_connection_window_size(8 * 1024 * 1024);
    options
}
