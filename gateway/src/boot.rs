//! From a configuration to a running gateway: what is started, in which order, and how it ends.

mod service;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use async_trait::async_trait;
use engine::clock::Clock;
use engine::control::{self, Control, Kept};
use engine::health::RouteHealth;
use engine::ledger::Ledger;
use engine::live::Live;
use parking_lot::Mutex;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server, ShutdownWatch};
use pingora::services::background::{BackgroundService, background_service};
use policy::declare::{File, StoreShape};
use policy::snapshot::Snapshot;

use crate::admin;
use crate::cli::Serve;
use crate::config::{ConfigError, Loaded};
use crate::kept;
use crate::ledger::{self, Opened};
use crate::life::{Drainer, Ending, Life, Signals, StoreWatch};
use crate::listen::{Bound, Sockets};
use crate::log_keeper::LogKeeper;
use crate::place;
use crate::prices::{self, Prices, Started};
use crate::proxy::manage::{Manage, Serves};
use crate::proxy::{BodyBudget, BodyLimits, Edge, EdgeLimits};
use crate::resolve::Resolver;
use crate::telemetry::Telemetry;
use crate::telemetry::access::AccessLog;
use crate::telemetry::contents::{ContentWriter, Contents};
use crate::telemetry::metrics::Metrics;
use crate::throttle::Throttle;

/// How much of an answer is read on for a client that left.
const DRAIN_BYTES: u64 = 256 * 1024;
/// Threads of a listener for management alone: what they do is to hand over.
const MANAGEMENT_THREADS: usize = 1;

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
    let sockets = Sockets::bind(arguments, &loaded.file)?;
    let clock = Clock::start();
    let began_ms = clock.now().mono_ms;
    let kept::Opened { registry, kept } = kept::open(&mut loaded, &arguments.data, clock.now().wall_ms)?;
    let took_ms = clock.now().mono_ms.saturating_sub(began_ms);
    let started = start_prices(&loaded, Some(&arguments.data))?;
    let Kept { snapshot, position } = kept.with_catalog(Arc::clone(&started.catalog));
    announce(&snapshot, took_ms);
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
    let (management, manage) =
        admin::start(control.clone(), clock, body_limits(file), &place, sockets.of_management())?;
    let follower = kept::Follower::new(control, &arguments.config, &loaded, Arc::clone(&life));
    let content_writer = ContentWriter { contents: Arc::clone(&telemetry.contents), ending: Arc::clone(&ending) };
    let log_keeper =
        LogKeeper::new(&file.logs_store, Arc::clone(&ending), Arc::clone(&live), Arc::clone(&metrics), clock);
    let prices = Prices::new(&file.framework.pricing, started, &arguments.data, live, metrics);

    let mut server = Server::new_with_opt_and_conf(None, server_conf(file));
    server.bootstrap();
    let addresses = (sockets.calls.address(), sockets.management.as_ref().map(Bound::address));
    listen(&mut server, sockets, edge, manage, file)?;
    server.add_service(background_service("names", Names(resolver)));
    server.add_service(background_service("policy", kept::Following(Mutex::new(Some(follower)))));
    if let Some(prices) = prices {
        server.add_service(background_service("prices", prices));
    }
    let drainer = Drainer { life: Arc::clone(&life), ending: Arc::clone(&ending) };
    server.add_service(background_service("drain", drainer));
    server.add_service(background_service("ledger", StoreWatch(Arc::clone(&ending), Arc::clone(&life))));
    server.add_service(background_service("logs", log_keeper));
    server.add_service(background_service("contents", content_writer));
    life.set_ready(true);
    announce_addresses(addresses, file.tls.is_some());
    let signals = Signals { life, delay: file.server.shutdown_delay };
    // A large file would be kept in memory, in words and compiled.
    drop(loaded);
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    drop(management);
    ending.end()
}

/// `loaded_ms`: how long it took to read it from the store, and to take over what has changed in the file.
fn announce(snapshot: &Snapshot, loaded_ms: u64) {
    let settings = snapshot.settings();
    let needed = if policy::admit::needs_key(snapshot) { "needed" } else { "not needed" };
    tracing::info!("a virtual key is {needed} for inference: {}", settings.key_requirement_reason);
    tracing::info!(
        providers = snapshot.providers().count(),
        keys = snapshot.key_count(),
        models = snapshot.catalog().len(),
        loaded_ms,
        "policy compiled"
    );
}

fn announce_addresses((address, of_management): (SocketAddr, Option<SocketAddr>), tls: bool) {
    tracing::info!(%address, tls, "listening");
    if let Some(address) = of_management {
        tracing::info!(%address, tls, "listening for management");
    }
}

/// Gives each socket an edge that has what the socket is for.
fn listen(server: &mut Server, sockets: Sockets, edge: Edge, manage: Manage, file: &File) -> Result<()> {
    let Sockets { calls, management } = sockets;
    let Some(management) = management else {
        let edge = Edge { manage: Some(manage), ..edge };
        return service::add(server, (edge, calls), ("edge", None), file);
    };
    let beside = Edge { serves: Serves::Management, manage: Some(manage), ..edge.clone() };
    service::add(server, (Edge { serves: Serves::Calls, ..edge }, calls), ("edge", None), file)?;
    service::add(server, (beside, management), ("management", Some(MANAGEMENT_THREADS)), file)
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
        let metrics = Arc::new(Metrics::new()?);
        let is_server = matches!(file.config_store, Some(StoreShape::Postgres(_)));
        let (said, dropped) = (&file.logs_store, metrics.log_contents_dropped.clone());
        let contents = Contents::new(said.max_content_bytes, said.content_buffer_bytes, !is_server, dropped);
        Ok(Self {
            life: Arc::default(),
            telemetry: Arc::new(Telemetry { metrics, access, contents }),
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
        trust: Arc::default(),
        throttle: Arc::new(Throttle::new(client.auth_failures_per_minute, client.trusted_proxies.clone())),
        bodies: BodyBudget::new(client.max_buffered_bytes),
        telemetry: Arc::clone(&parts.telemetry),
        life: Arc::clone(&parts.life),
        serves: Serves::Everything,
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
