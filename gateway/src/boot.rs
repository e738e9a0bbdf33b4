//! From a configuration to a running gateway: what is started, in which order, and how it ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use engine::clock::Clock;
use engine::control::{self, Control, Kept};
use engine::health::RouteHealth;
use engine::ledger::Ledger;
use engine::live::Live;
use parking_lot::Mutex;
use pingora::apps::HttpServerOptions;
use pingora::listeners::tls::TlsSettings;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::proxy::HttpProxy;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server, ShutdownWatch};
use pingora::services::background::{BackgroundService, background_service};
use pingora::services::listening::Service;
use policy::declare::File;
use policy::snapshot::Snapshot;

use crate::admin;
use crate::cli::Serve;
use crate::config::{ConfigError, Loaded};
use crate::first_bytes::FirstBytes;
use crate::kept;
use crate::ledger::{self, Opened};
use crate::life::{Drainer, Ending, Life, Signals, StoreWatch};
use crate::listen::{Bound, OnBound};
use crate::log_keeper::LogKeeper;
use crate::place;
use crate::prices::{self, Prices, Started};
use crate::proxy::{BodyBudget, BodyLimits, Edge, EdgeLimits};
use crate::resolve::Resolver;
use crate::telemetry::Telemetry;
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::throttle::Throttle;
use crate::trust::Trust;

/// How much of an answer is read on for a client that left.
const DRAIN_BYTES: u64 = 256 * 1024;
/// Idle HTTP/2 connections of clients are closed after this.
const H2_IDLE: Duration = Duration::from_mins(5);

/// Sends log events to standard error as JSON lines; `RUST_LOG` chooses which.
pub(crate) fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,pingora_core=warn,pingora_proxy=error"));
    // A second start in one process finds a logger already there, which is as good.
    let _ = tracing_subscriber::fmt().json().with_writer(std::io::stderr).with_env_filter(filter).try_init();
}

/// The policy that a configuration means.
/// With a data folder, the last price list that came from a URL is in force.
pub(crate) fn compile(loaded: &Loaded, data: Option<&Path>) -> std::result::Result<Snapshot, ConfigError> {
    compile_with(loaded, &start_prices(loaded, data)?)
}

fn start_prices(loaded: &Loaded, data: Option<&Path>) -> std::result::Result<Started, ConfigError> {
    let source = &loaded.file.framework.pricing.source;
    prices::at_start(source, data).map_err(|message| ConfigError::other(&loaded.name, &message))
}

fn compile_with(loaded: &Loaded, prices: &Started) -> std::result::Result<Snapshot, ConfigError> {
    let compiled = engine::compile::compile(&loaded.file, Arc::clone(&prices.catalog));
    compiled.map_err(|error| ConfigError::other(&loaded.name, &error.to_string()))
}

/// Runs the gateway until it is told to stop.
pub(crate) fn serve(arguments: &Serve, mut loaded: Loaded) -> Result<()> {
    for warning in &loaded.warnings {
        tracing::warn!(config = %loaded.name, "{warning}");
    }
    let bound = Bound::bind(&arguments.listen)
        .with_context(|| format!("cannot listen on {} (`--listen` takes another address)", arguments.listen))?;
    let clock = Clock::start();
    let kept::Opened { registry, kept } = kept::open(&mut loaded, &arguments.data, clock.now().wall_ms)?;
    let started = start_prices(&loaded, Some(&arguments.data))?;
    let Kept { snapshot, position } = kept.with_catalog(Arc::clone(&started.catalog));
    announce(&snapshot);
    let file = &loaded.file;
    let are_logged = file.logs_store.is_enabled && snapshot.settings().logging.is_enabled;
    let place = place::of(file, &arguments.data);
    let Opened { store, ledger } = ledger::open(&place, &snapshot, are_logged, clock.now())?;
    let parts = Parts::new(file)?;
    let mut edge = edge(file, snapshot, &parts, ledger, clock);
    edge.journal = Some(store.journal());
    let Parts { life, telemetry, resolver } = parts;
    let ending = Arc::new(Ending::new(Arc::clone(&telemetry), store));
    let (live, metrics) = (Arc::clone(&edge.live), Arc::clone(&telemetry.metrics));
    let control = Control::new(
        control::Parts {
            registry,
            live: Arc::clone(&live),
            ledger: Arc::clone(&edge.ledger),
            health: Arc::clone(&edge.health),
            books: Arc::clone(&ending) as _,
            clock,
            env: kept::environment,
        },
        position,
    );
    let (management, manage) = admin::start(control.clone(), clock, body_limits(file), &place, bound.address())?;
    edge.manage = Some(manage);
    let follower = kept::Follower::new(control, &arguments.config, &loaded, Arc::clone(&life));
    let log_keeper =
        LogKeeper::new(&file.logs_store, Arc::clone(&ending), Arc::clone(&live), Arc::clone(&metrics), clock);
    let prices = Prices::new(&file.framework.pricing, started, &arguments.data, live, metrics);

    let mut server = Server::new_with_opt_and_conf(None, server_conf(file));
    server.bootstrap();
    let service = edge_service(&server, edge, file, &bound)?;
    let address = bound.address();
    server.add_service(OnBound::new(service, bound));
    server.add_service(background_service("names", Names(resolver)));
    server.add_service(background_service("policy", kept::Following(Mutex::new(Some(follower)))));
    if let Some(prices) = prices {
        server.add_service(background_service("prices", prices));
    }
    let drainer = Drainer { life: Arc::clone(&life), ending: Arc::clone(&ending) };
    server.add_service(background_service("drain", drainer));
    server.add_service(background_service("ledger", StoreWatch(Arc::clone(&ending), Arc::clone(&life))));
    server.add_service(background_service("logs", log_keeper));
    life.set_ready(true);
    tracing::info!(%address, tls = file.tls.is_some(), "listening");
    let signals = Signals { life, delay: file.server.shutdown_delay };
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    drop(management);
    ending.end()
}

fn announce(snapshot: &Snapshot) {
    let settings = snapshot.settings();
    let needed = if policy::admit::needs_key(snapshot) { "needed" } else { "not needed" };
    tracing::info!("a virtual key is {needed} for inference: {}", settings.key_requirement_reason);
    tracing::info!(
        providers = snapshot.providers().count(),
        keys = snapshot.key_count(),
        models = snapshot.catalog().len(),
        "policy compiled"
    );
}

/// What the edge shares with the services beside it.
pub(crate) struct Parts {
    pub(crate) life: Arc<Life>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) resolver: Arc<Resolver>,
}

impl Parts {
    pub(crate) fn new(file: &File) -> Result<Self> {
        let access = AccessLog::start().context("cannot start the access log")?;
        Ok(Self {
            life: Arc::default(),
            telemetry: Arc::new(Telemetry { metrics: Arc::new(Metrics::new()?), access }),
            resolver: Arc::new(Resolver::new(file.server.dns_ttl)),
        })
    }
}

/// The edge for a policy.
pub(crate) fn edge(file: &File, snapshot: Snapshot, parts: &Parts, ledger: Arc<Ledger>, clock: Clock) -> Edge {
    let client = &file.client;
    Edge {
        live: Arc::new(Live::new(snapshot)),
        ledger,
        journal: None,
        has_request_log: file.logs_store.is_enabled,
        health: Arc::new(RouteHealth::default()),
        clock,
        resolver: Arc::clone(&parts.resolver),
        trust: Trust::default(),
        throttle: Throttle::new(client.auth_failures_per_minute, client.trusted_proxies.clone()),
        bodies: BodyBudget::new(client.max_buffered_bytes),
        telemetry: Arc::clone(&parts.telemetry),
        life: Arc::clone(&parts.life),
        manage: None,
        limits: EdgeLimits {
            body: body_limits(file),
            drain_time: client.drain,
            drain_bytes: DRAIN_BYTES,
            max_header_bytes: file.server.max_header_bytes,
            max_header_count: file.server.max_header_count,
        },
    }
}

/// The limits on one body.
pub(crate) fn body_limits(file: &File) -> BodyLimits {
    BodyLimits { max_bytes: file.client.max_request_body_bytes, time: file.client.request_body_timeout }
}

fn server_conf(file: &File) -> ServerConf {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    ServerConf {
        threads: file.server.threads.unwrap_or(cores),
        work_stealing: file.server.work_stealing,
        upstream_keepalive_pool_size: file.server.upstream_pool_size,
        // A plan bounds its attempts itself; Pingora's own bound would end it with an error of ours.
        max_retries: usize::from(u16::MAX),
        grace_period_seconds: Some(file.server.shutdown_grace.as_secs()),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    }
}

fn edge_service(
    server: &Server,
    edge: Edge,
    file: &File,
    bound: &Bound,
) -> Result<Service<FirstBytes<HttpProxy<Edge>>>> {
    let mut proxy = HttpProxy::new(edge, Arc::clone(&server.configuration));
    proxy.handle_init_modules();
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(H2_IDLE);
    proxy.server_options = Some(options);
    proxy.h2_options = Some(h2_options());
    let mut service = Service::new("edge".to_owned(), FirstBytes::new(proxy));
    let address = bound.address().to_string();
    match &file.tls {
        None => service.add_tcp(&address),
        Some(tls) => {
            check_certificate(&tls.cert, &tls.key)?;
            let mut settings = TlsSettings::intermediate(&tls.cert, &tls.key)
                .map_err(|error| anyhow::anyhow!("tls.cert and tls.key cannot be used: {error}"))?;
            settings.enable_h2();
            service.add_tls_with_settings(&address, None, settings);
        }
    }
    Ok(service)
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

/// Keeps the providers' names resolved.
struct Names(Arc<Resolver>);

#[async_trait]
impl BackgroundService for Names {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.0.keep_fresh() => {}
            _ = shutdown.changed() => {}
        }
    }
}
