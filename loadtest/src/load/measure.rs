//! The measurement itself: which peers run when, for how long, and what was read before and after each slice.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::client::Connection;
use super::machine::{busy_ns, cpu_ns, now, ns_since, pin_self, rss_kib};
use super::peer::{GatewayCommand, Peer, Place, has_nginx};
use super::report::{self, Footprint, Report, Series};
use super::scenario::{Asking, Scenario};
use crate::fake::{FakeOptions, FakeProvider};

/// What to run and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The bare pass-through's binary.
    pub bare: PathBuf,
    /// How to start the gateway; without it only the floor is measured.
    pub gateway: Option<GatewayCommand>,
    /// Numbers of proxy threads to run with, in turn.
    pub threads: Vec<usize>,
    /// Only the small chat and the paced stream.
    pub quick: bool,
    /// How long the whole run may take, start-up excluded.
    pub budget: Duration,
    /// Slices per peer and scenario.
    pub rounds: usize,
    /// Connections of the chat scenarios; streams have twenty.
    pub connections: usize,
    /// The path asked for.
    pub path: String,
    /// The model asked for.
    pub model: String,
    /// The virtual key, sent as a bearer token.
    pub key: Option<String>,
    /// More request headers, `name: value`.
    pub headers: Vec<String>,
    /// Processors of the driver and the fake provider, as `taskset` writes them.
    pub load_cpus: Option<String>,
    /// Processors of the proxies.
    pub proxy_cpus: Option<String>,
    /// A slice during which others used more processors than this is dropped.
    pub max_foreign_cores: f64,
}

/// What came out of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The report.
    pub markdown: String,
    /// Whether some result rests on too few undisturbed slices to be one.
    pub is_too_noisy: bool,
}

/// One slice of one peer.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) cpu_ns: u64,
    pub(super) units: u64,
    pub(super) wall_ns: u64,
    pub(super) foreign_cores: f64,
    pub(super) first_byte_ns: Vec<u64>,
}

/// Runs everything and writes the report.
///
/// # Errors
/// When a peer does not start, or any answer is wrong.
pub fn run(options: &Options) -> anyhow::Result<Outcome> {
    let mut notes = Vec::new();
    if let Some(cpus) = &options.load_cpus
        && let Err(problem) = pin_self(cpus)
    {
        notes.push(format!("The driver is not pinned to a processor: {problem:#}."));
    }
    let anywhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let fake = FakeProvider::start_with(anywhere, FakeOptions { books: false, ..FakeOptions::default() })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report { notes, ..Report::default() };
    for &threads in &options.threads {
        let bench = Bench::start(options, &fake, threads, &mut report)?;
        runtime.block_on(bench.measure(&mut report)).with_context(|| bench.last_words())?;
    }
    Ok(report::outcome(&report, options))
}

/// Everything that is up during a run with one number of threads.
struct Bench<'a> {
    options: &'a Options,
    fake: &'a FakeProvider,
    threads: usize,
    peers: Vec<Peer>,
    slice: Duration,
}

impl<'a> Bench<'a> {
    fn start(
        options: &'a Options,
        fake: &'a FakeProvider,
        threads: usize,
        report: &mut Report,
    ) -> anyhow::Result<Self> {
        let place = Place { upstream: fake.addr(), threads, cpus: options.proxy_cpus.clone() };
        let mut peers = vec![Peer::bare(&options.bare, &place)?];
        match &options.gateway {
            Some(gateway) => peers.push(Peer::gateway(gateway, &place)?),
            None => report.note("Tollgate was skipped: no binary was given."),
        }
        match (has_nginx(), threads) {
            (true, 1) => peers.push(Peer::nginx(&place)?),
            (true, _) => report.note("nginx was measured on one thread only: its workers are processes."),
            (false, _) => report.note("nginx was skipped: it is not installed."),
        }
        let series = options.threads.len() * scenarios(options).len() * peers.len();
        // One slice more than there are rounds, to warm up; a twentieth is kept for what happens between slices.
        let slices = u32::try_from(series * (options.rounds + 1)).unwrap_or(u32::MAX).max(1);
        Ok(Self { options, fake, threads, peers, slice: options.budget * 19 / 20 / slices })
    }

    async fn measure(&self, report: &mut Report) -> anyhow::Result<()> {
        report.slice = self.slice;
        for &scenario in scenarios(self.options) {
            self.fake.set_controls(scenario.controls(self.slice));
            report.series.extend(self.scenario(scenario).await?);
        }
        for peer in &self.peers {
            let (rss_kib, peak_kib) = rss_kib(peer.pid());
            let (name, threads, start_ms) = (peer.name, self.threads, peer.start_ms);
            report.footprints.push(Footprint { name, threads, start_ms, rss_kib, peak_kib });
        }
        Ok(())
    }

    /// All rounds of one scenario, the peers taking turns.
    async fn scenario(&self, scenario: Scenario) -> anyhow::Result<Vec<Series>> {
        let options = self.options;
        let asking = Asking {
            path: &options.path,
            model: &options.model,
            key: options.key.as_deref(),
            headers: &options.headers,
        };
        let request: Arc<[u8]> = scenario.request(&asking).into();
        let mut lanes = Vec::with_capacity(self.peers.len());
        for peer in &self.peers {
            let mut load = Load::open(peer, scenario, options.connections, Arc::clone(&request)).await?;
            load.run(self.slice).await.with_context(|| format!("{}, {}", peer.name, scenario.name()))?;
            let series = Series { name: peer.name, threads: self.threads, scenario, samples: Vec::new() };
            lanes.push((peer, load, series));
        }
        for _ in 0..options.rounds {
            for (peer, load, series) in &mut lanes {
                let sample = self.sample(peer, load).await;
                series.samples.push(sample.with_context(|| format!("{}, {}", peer.name, scenario.name()))?);
            }
        }
        Ok(lanes.into_iter().map(|(_, _, series)| series).collect())
    }

    async fn sample(&self, peer: &Peer, load: &mut Load) -> anyhow::Result<Sample> {
        let (start, busy, ours, cpu) = (now(), busy_ns()?, self.our_cpu_ns()?, cpu_ns(peer.pid())?);
        let tally = load.run(self.slice).await?;
        let (wall_ns, cpu) = (ns_since(start), cpu_ns(peer.pid())?.saturating_sub(cpu));
        let ours = self.our_cpu_ns()?.saturating_sub(ours);
        let foreign_ns = busy_ns()?.saturating_sub(busy).saturating_sub(ours);
        let foreign_cores = report::ratio(foreign_ns, wall_ns);
        Ok(Sample { cpu_ns: cpu, units: tally.units, wall_ns, foreign_cores, first_byte_ns: tally.first_byte_ns })
    }

    /// Processor time of the driver, the fake provider and all peers together.
    fn our_cpu_ns(&self) -> anyhow::Result<u64> {
        let peers = self.peers.iter().map(|peer| cpu_ns(peer.pid())).sum::<anyhow::Result<u64>>()?;
        Ok(peers + cpu_ns(std::process::id())?)
    }

    fn last_words(&self) -> String {
        let words = self.peers.iter().map(|peer| (peer.name, peer.last_words())).filter(|(_, words)| !words.is_empty());
        let words: Vec<String> = words.map(|(name, words)| format!("{name} wrote:\n{words}")).collect();
        if words.is_empty() { "the run was broken off; no proxy wrote anything".to_owned() } else { words.join("\n") }
    }
}

fn scenarios(options: &Options) -> &'static [Scenario] {
    if options.quick { &Scenario::QUICK } else { &Scenario::ALL }
}

/// The connections to one peer, kept from slice to slice.
struct Load {
    scenario: Scenario,
    request: Arc<[u8]>,
    connections: Vec<Connection>,
}

#[derive(Debug, Default)]
struct Tally {
    units: u64,
    first_byte_ns: Vec<u64>,
}

impl Load {
    async fn open(peer: &Peer, scenario: Scenario, of_chat: usize, request: Arc<[u8]>) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..scenario.connections(of_chat) {
            connections.push(Connection::open(peer.addr).await?);
        }
        Ok(Self { scenario, request, connections })
    }

    /// Keeps every connection busy for `slice`, to the end of the answers then under way.
    async fn run(&mut self, slice: Duration) -> anyhow::Result<Tally> {
        let end = now() + slice;
        let mut tasks = JoinSet::new();
        let mut wait = Duration::ZERO;
        for connection in self.connections.drain(..) {
            let asking = ask_until(connection, self.scenario, Arc::clone(&self.request), slice, end);
            tasks.spawn(async move {
                tokio::time::sleep(wait).await;
                asking.await
            });
            wait += self.scenario.stagger();
        }
        let mut total = Tally::default();
        while let Some(done) = tasks.join_next().await {
            let (connection, tally) = done??;
            self.connections.push(connection);
            total.units += tally.units;
            total.first_byte_ns.extend(tally.first_byte_ns);
        }
        Ok(total)
    }
}

async fn ask_until(
    mut connection: Connection,
    scenario: Scenario,
    request: Arc<[u8]>,
    slice: Duration,
    end: Instant,
) -> anyhow::Result<(Connection, Tally)> {
    let mut tally = Tally::default();
    loop {
        let reply = connection.exchange(&request).await?;
        tally.units += scenario.units(&reply, slice)?;
        tally.first_byte_ns.push(reply.first_byte_ns);
        if scenario.is_paced() || now() >= end {
            return Ok((connection, tally));
        }
    }
}
