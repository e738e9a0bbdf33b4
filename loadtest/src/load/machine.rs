//! What Linux says about processes and processors, and on which processors they may run.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;

/// Clock ticks per second in /proc/stat; fixed at 100 for user space on every Linux.
const NS_PER_TICK: u64 = 10_000_000;

/// Processor time that a process has used since it started, user and system, in nanoseconds. Threads that have ended are not in
/// it; the peers measured here keep theirs.
///
/// # Errors
/// When the process has gone.
pub(super) fn cpu_ns(pid: u32) -> anyhow::Result<u64> {
    let tasks = format!("/proc/{pid}/task");
    let mut total = 0;
    for task in fs::read_dir(&tasks).with_context(|| format!("process {pid} has gone"))? {
        // A thread may end between the listing and the reading.
        let Ok(line) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        total += line.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

/// Resident memory of a process now and at its highest, in KiB.
pub(super) fn rss_kib(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    (field("VmRSS:").unwrap_or(0), field("VmHWM:").unwrap_or(0))
}

/// Time that all processors together have been busy, for whomever, in nanoseconds.
///
/// # Errors
/// When /proc/stat cannot be read.
pub(super) fn busy_ns() -> anyhow::Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what follows is contained in user and nice.
    let busy: u64 = ticks.iter().take(8).enumerate().filter(|(n, _)| *n != 3 && *n != 4).map(|(_, ticks)| ticks).sum();
    Ok(busy * NS_PER_TICK)
}

/// Binds every thread of this process to `cpus`.
///
/// # Errors
/// When there is no `taskset` or it refuses.
pub(super) fn pin_self(cpus: &str) -> anyhow::Result<()> {
    let pid = std::process::id().to_string();
    let output = Command::new("taskset").args(["-a", "-c", "-p", cpus, &pid]).output().context("no taskset")?;
    anyhow::ensure!(output.status.success(), "taskset: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A command for `program` that runs on `cpus` only, or anywhere if there are none given.
pub(super) fn pinned(program: &Path, cpus: Option<&str>) -> Command {
    let Some(cpus) = cpus else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["-c", cpus]).arg(program);
    command
}

/// One line about the machine.
pub(super) fn description() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    // Not available_parallelism: that counts only the processors to which this process is bound.
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// The driver's only clock.
#[expect(clippy::disallowed_methods, reason = "measuring time is what the driver is for")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since `start`.
pub(super) fn ns_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
