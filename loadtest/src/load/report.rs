//! From samples to Markdown. A ratio is taken slice by slice against the bare pass-through of the same round, so that whatever slows
//! the machine down for a while slows both.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::machine;
use super::measure::{Options, Outcome, Sample};
use super::scenario::Scenario;
use super::stats::{Interval, bootstrap, median, quantile};

/// Fewer undisturbed rounds than this are no result.
const MIN_ROUNDS: usize = 5;

/// All slices of one peer in one scenario.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) threads: usize,
    pub(super) scenario: Scenario,
    pub(super) samples: Vec<Sample>,
}

/// What a peer takes besides processor time.
#[derive(Clone, Debug)]
pub(super) struct Footprint {
    pub(super) name: &'static str,
    pub(super) threads: usize,
    pub(super) start_ms: u64,
    pub(super) rss_kib: u64,
    pub(super) peak_kib: u64,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) slice: Duration,
    pub(super) series: Vec<Series>,
    pub(super) footprints: Vec<Footprint>,
    pub(super) notes: Vec<String>,
}

impl Report {
    /// Adds a remark, once.
    pub(super) fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|known| known == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// The bare pass-through's slices under the same conditions.
    fn floor_of(&self, series: &Series) -> Option<&Series> {
        self.series.iter().find(|floor| floor.threads == series.threads && floor.scenario == series.scenario)
    }
}

/// One line of the table.
struct Line {
    cpu_us: Option<f64>,
    ratio: Option<Interval>,
    used: usize,
}

impl Line {
    fn of(series: &Series, floor: &Series, max_foreign_cores: f64) -> Self {
        let is_calm = |sample: &Sample| sample.foreign_cores <= max_foreign_cores && sample.units > 0;
        let rounds = series.samples.iter().zip(&floor.samples);
        let calm: Vec<(f64, f64)> = rounds
            .filter(|(own, floor)| is_calm(own) && is_calm(floor))
            .map(|(own, floor)| (unit_us(own), unit_us(floor)))
            .collect();
        let own: Vec<f64> = calm.iter().map(|(own, _)| *own).collect();
        let ratios: Vec<f64> = calm.iter().map(|(own, floor)| own / floor).collect();
        let is_floor = series.name == floor.name;
        Self { cpu_us: median(&own), ratio: bootstrap(&ratios).filter(|_| !is_floor), used: calm.len() }
    }

    fn is_too_noisy(&self) -> bool {
        self.used < MIN_ROUNDS
    }
}

/// The report as Markdown, and whether it is worth anything.
pub(super) fn outcome(report: &Report, options: &Options) -> Outcome {
    let mut text = heading(report, options);
    let mut is_too_noisy = false;
    let threads: BTreeSet<usize> = report.series.iter().map(|series| series.threads).collect();
    for threads in threads {
        // Writing to a String cannot fail, here and below.
        let _ = write!(text, "\n## Proxies on {threads} thread{}\n\n{TABLE_HEAD}", if threads == 1 { "" } else { "s" });
        for series in report.series.iter().filter(|series| series.threads == threads) {
            let Some(floor) = report.floor_of(series) else { continue };
            let line = Line::of(series, floor, options.max_foreign_cores);
            is_too_noisy |= line.is_too_noisy();
            text.push_str(&row(series, &line));
        }
    }
    text.push_str(&footprints(report));
    for note in &report.notes {
        let _ = write!(text, "\n- {note}");
    }
    let verdict = match is_too_noisy {
        true => "too noisy: some results rest on fewer than five undisturbed rounds. Run it again on a quieter machine",
        false => "valid: every answer was right, and every result rests on at least five undisturbed rounds",
    };
    let _ = writeln!(text, "\n\n**Verdict:** {verdict}.");
    Outcome { markdown: text, is_too_noisy }
}

const TABLE_HEAD: &str =
    "| scenario | proxy | CPU µs per unit | ratio to bare [95 %] | rounds used | units/s | first byte p50 / p99, ms |
|---|---|---|---|---|---|---|
";

fn heading(report: &Report, options: &Options) -> String {
    let cpus = |cpus: &Option<String>| cpus.as_deref().map_or("any processor".to_owned(), |cpus| format!("cpu {cpus}"));
    format!(
        "# Load test\n\n{}. Proxies on {}, driver and fake provider on {}. {} rounds of {:.2} s slices in turn; a round is dropped \
         when others used more than {} processors. CPU is user and system time of the proxy, from schedstat; a unit is a request or \
         a streamed event. Units per second and latency are information, not results.\n",
        machine::description(),
        cpus(&options.proxy_cpus),
        cpus(&options.load_cpus),
        options.rounds,
        report.slice.as_secs_f64(),
        options.max_foreign_cores,
    )
}

fn row(series: &Series, line: &Line) -> String {
    let first_bytes: Vec<f64> =
        series.samples.iter().flat_map(|sample| &sample.first_byte_ns).map(|ns| ratio(*ns, 1_000_000)).collect();
    let rates: Vec<f64> = series.samples.iter().map(|sample| 1e9 * ratio(sample.units, sample.wall_ns)).collect();
    let number =
        |value: Option<f64>, digits: usize| value.map_or("–".to_owned(), |value| format!("{value:.digits$}"));
    let compared = match line.ratio {
        Some(ratio) => format!("**{:.2}** [{:.2}–{:.2}]", ratio.median, ratio.low, ratio.high),
        None => "–".to_owned(),
    };
    let noisy = if line.is_too_noisy() { ", too noisy" } else { "" };
    format!(
        "| {} | {} | {} per {} | {compared} | {} of {}{noisy} | {} | {} / {} |\n",
        series.scenario.name(),
        series.name,
        number(line.cpu_us, 2),
        series.scenario.unit(),
        line.used,
        series.samples.len(),
        number(median(&rates), 0),
        number(median(&first_bytes), 2),
        number(quantile(&first_bytes, 0.99), 2),
    )
}

fn footprints(report: &Report) -> String {
    let mut text = String::from(
        "\n| proxy | threads | RSS after load, MiB | peak, MiB | start to listening, ms |\n|---|---|---|---|---|\n",
    );
    for one in &report.footprints {
        let (rss, peak) = (ratio(one.rss_kib, 1024), ratio(one.peak_kib, 1024));
        let _ = writeln!(text, "| {} | {} | {rss:.1} | {peak:.1} | {} |", one.name, one.threads, one.start_ms);
    }
    text
}

/// Processor time per unit, in microseconds.
fn unit_us(sample: &Sample) -> f64 {
    ratio(sample.cpu_ns, sample.units) / 1000.0
}

/// `a / b` for counts far below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run and counts of requests stay far below 2^53")]
pub(super) fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &'static str, cpu_ns: u64, foreign: &[f64]) -> Series {
        let sample = |&foreign_cores| Sample { cpu_ns, units: 10, wall_ns: 1, foreign_cores, first_byte_ns: vec![1] };
        Series { name, threads: 1, scenario: Scenario::SmallChat, samples: foreign.iter().map(sample).collect() }
    }

    #[test]
    fn disturbed_rounds_are_dropped_for_both() {
        let floor = series("floor", 1000, &[0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let own = series("own", 2500, &[0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0]);
        let line = Line::of(&own, &floor, 0.2);
        assert_eq!((line.used, line.is_too_noisy()), (5, false));
        assert_eq!(line.ratio.map(|ratio| (ratio.low, ratio.median, ratio.high)), Some((2.5, 2.5, 2.5)));
        assert!(Line::of(&own, &floor, -1.0).is_too_noisy());
    }

    #[test]
    fn the_floor_is_not_compared_with_itself() {
        let floor = series("floor", 1000, &[0.0; 5]);
        let line = Line::of(&floor, &floor, 0.2);
        assert_eq!((line.cpu_us, line.ratio), (Some(0.1), None));
    }
}
