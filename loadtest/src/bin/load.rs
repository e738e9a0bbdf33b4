//! The load driver's command line. Exit codes: 0 a valid result, 1 a failure or a wrong answer, 3 too noisy to be a result.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use loadtest::load::{GatewayCommand, Options, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TOO_NOISY: u8 = 3;
const FULL_SECONDS: u64 = 270;
const QUICK_SECONDS: u64 = 34;

/// Measures the gateway beside a bare pass-through and writes a Markdown report.
#[derive(Parser)]
struct Flags {
    /// The gateway's binary; without it only the bare pass-through is measured.
    #[arg(long)]
    tollgate: Option<PathBuf>,
    /// Its arguments. {listen}, {upstream}, {threads} and {config} are replaced.
    #[arg(long, allow_hyphen_values = true, default_value = "serve --config {config} --listen {listen}")]
    tollgate_args: String,
    /// Its environment, NAME=VALUE, replaced likewise; may be repeated.
    #[arg(long)]
    tollgate_env: Vec<String>,
    /// The template of its configuration file; {listen}, {upstream} and {threads} are replaced.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The bare pass-through's binary; by default beside this one.
    #[arg(long)]
    bare: Option<PathBuf>,
    /// Virtual key, sent as a bearer token.
    #[arg(long)]
    key: Option<String>,
    /// Model asked for.
    #[arg(long, default_value = "gpt-4o")]
    model: String,
    /// Path asked for.
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// One more request header, 'name: value'; may be repeated.
    #[arg(long)]
    header: Vec<String>,
    /// Numbers of proxy threads; by default 1,2, or 1 with --quick.
    #[arg(long, value_delimiter = ',')]
    threads: Vec<usize>,
    /// Two scenarios only, within 40 seconds.
    #[arg(long)]
    quick: bool,
    /// How long the slices may take altogether.
    #[arg(long)]
    seconds: Option<u64>,
    /// Slices per proxy and scenario.
    #[arg(long, default_value_t = 8)]
    rounds: usize,
    /// Connections of the chat scenarios.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Processors of the proxies, as taskset writes them; 'any' pins nothing.
    #[arg(long, default_value = "0")]
    proxy_cpus: String,
    /// Processors of the driver and the fake provider; 'any' pins nothing.
    #[arg(long, default_value = "1")]
    load_cpus: String,
    /// Drop a round in which other programs used more processors than this.
    #[arg(long, default_value_t = 0.2)]
    max_foreign: f64,
    /// Write the report to this file too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    let outcome = run(&options(&flags)?)?;
    std::io::stdout().write_all(outcome.markdown.as_bytes())?;
    if let Some(path) = &flags.out {
        std::fs::write(path, &outcome.markdown).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(if outcome.is_too_noisy { ExitCode::from(TOO_NOISY) } else { ExitCode::SUCCESS })
}

fn options(flags: &Flags) -> anyhow::Result<Options> {
    let seconds = flags.seconds.unwrap_or(if flags.quick { QUICK_SECONDS } else { FULL_SECONDS });
    let default_threads = if flags.quick { vec![1] } else { vec![1, 2] };
    let is_single = std::thread::available_parallelism().is_ok_and(|count| count.get() < 2);
    let cpus = |cpus: &String| (cpus != "any" && !is_single).then(|| cpus.clone());
    let gateway = flags.tollgate.clone().map(|program| GatewayCommand {
        program,
        args: flags.tollgate_args.split_whitespace().map(str::to_owned).collect(),
        env: flags.tollgate_env.clone(),
        config: flags.config.clone(),
    });
    Ok(Options {
        bare: bare(flags)?,
        gateway,
        threads: if flags.threads.is_empty() { default_threads } else { flags.threads.clone() },
        quick: flags.quick,
        budget: Duration::from_secs(seconds),
        rounds: flags.rounds,
        connections: flags.connections,
        path: flags.path.clone(),
        model: flags.model.clone(),
        key: flags.key.clone(),
        headers: flags.header.clone(),
        load_cpus: cpus(&flags.load_cpus),
        proxy_cpus: cpus(&flags.proxy_cpus),
        max_foreign_cores: flags.max_foreign,
    })
}

fn bare(flags: &Flags) -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("bare-proxy");
    let bare = flags.bare.clone().unwrap_or(beside);
    ensure!(bare.exists(), "{} is missing; build it with: cargo build --release -p loadtest", bare.display());
    Ok(bare)
}
