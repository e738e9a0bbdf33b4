//! Metrics in Prometheus's form. Labels are bounded: configuration and the price list name them, never a caller.

mod budgets;
mod ledger;
mod routes;

use engine::health::RouteReport;
use engine::ledger::{BudgetReport, Counts};
use policy::route::rule::RuleSet;
use prometheus::{
    Counter, Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use store::Statistics;

use budgets::Budgets;
pub(crate) use ledger::MOST_BUDGETS;

use super::record::{Charged, Record};

/// All metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    refusals: IntCounterVec,
    duration: HistogramVec,
    first_byte: HistogramVec,
    tokens: IntCounterVec,
    cost: IntCounterVec,
    attempts: IntCounterVec,
    retries: IntCounterVec,
    paused: Counter,
    rule_matches: IntCounterVec,
    rule_failures: IntCounterVec,
    client_left: IntCounter,
    pub(crate) in_flight: IntGauge,
    pub(crate) held_body_bytes: IntGauge,
    pub(crate) log_lines_dropped: IntCounter,
    pub(crate) log_rows_removed: IntCounter,
    pub(crate) policy_revision: IntGauge,
    pub(crate) price_list_loads: IntCounterVec,
    price_list_models: IntGauge,
    price_list_seen: IntGauge,
    pub(crate) budgets: Budgets,
}

/// What is told of one moment, rather than counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    /// How routes do.
    pub(crate) routes: &'a [RouteReport],
    /// What the ledger counts itself.
    pub(crate) counts: &'a Counts,
    /// How the ledger's journal does.
    pub(crate) journal: Option<Statistics>,
    /// The fullest budgets, at most [`MOST_BUDGETS`].
    pub(crate) budgets: &'a [BudgetReport],
    /// How many budgets there are.
    pub(crate) budget_count: usize,
}

const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// What attempts are told apart by.
const ATTEMPT: [&str; 3] = ["provider", "model", "outcome"];

impl Metrics {
    /// Registers all metrics.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let histogram = |name: &str, help: &str| {
            let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
            register(&registry, HistogramVec::new(options, &["dialect", "operation", "provider"])?)
        };
        let total = |name: &str, help: &str| register(&registry, IntCounter::new(name, help)?);
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help)?);
        Ok(Self {
            requests: counter(
                "tollgate_requests_total",
                "Requests by what they asked for, who served them, and the status the client saw (0: it left).",
                &["dialect", "operation", "provider", "status"],
            )?,
            refusals: counter("tollgate_refusals_total", "Requests refused or failed, by reason.", &["reason"])?,
            duration: histogram(
                "tollgate_request_duration_seconds",
                "Time from the request's header to the end of its answer.",
            )?,
            first_byte: histogram(
                "tollgate_first_content_seconds",
                "Time from the request's header to the first content of its answer.",
            )?,
            tokens: counter(
                "tollgate_tokens_total",
                "Tokens metered, by kind (input, output) and by who says so.",
                &["provider", "model", "kind", "source"],
            )?,
            cost: counter(
                "tollgate_cost_nanodollars_total",
                "Cost charged, in billionths of a US dollar.",
                &["provider", "model"],
            )?,
            attempts: counter("tollgate_attempts_total", "Attempts upstream, by how they ended.", &ATTEMPT)?,
            retries: counter("tollgate_retries_total", "Attempts made again after a pause.", &["provider", "model"])?,
            paused: register(
                &registry,
                Counter::new("tollgate_paused_seconds_total", "Time that calls waited between attempts.")?,
            )?,
            rule_matches: counter("tollgate_rule_matches_total", "Requests that a routing rule matched.", &["rule"])?,
            rule_failures: counter(
                "tollgate_rule_failures_total",
                "Times that a routing rule's condition could not be evaluated.",
                &["rule"],
            )?,
            client_left: register(
                &registry,
                IntCounter::new("tollgate_client_left_total", "Clients that left before they had their answer.")?,
            )?,
            in_flight: gauge("tollgate_requests_in_flight", "Requests being served.")?,
            held_body_bytes: gauge("tollgate_held_body_bytes", "Bytes of request bodies held in memory.")?,
            log_lines_dropped: total(
                "tollgate_access_log_lines_dropped_total",
                "Access log lines lost because the queue was full.",
            )?,
            log_rows_removed: total(
                "tollgate_request_log_rows_removed_total",
                "Rows of the request log that were removed because they were too old or too many.",
            )?,
            policy_revision: gauge("tollgate_policy_revision", "Revision of the policy in force.")?,
            price_list_loads: counter(
                "tollgate_price_list_loads_total",
                "Looks at the price list's source, by what they brought.",
                &["outcome"],
            )?,
            price_list_models: gauge("tollgate_price_list_models", "Models in the price list in force.")?,
            price_list_seen: gauge(
                "tollgate_price_list_seen_timestamp_seconds",
                "When the price list's source was last seen to say what is in force, in seconds since 1970 (0: never).",
            )?,
            budgets: Budgets::default(),
            registry,
        })
    }

    /// Counts what became of a request.
    pub(crate) fn observe(&self, record: &Record) {
        if let Some(reason) = record.reason {
            self.refusals.with_label_values(&[reason]).inc();
        }
        if record.client_left {
            self.client_left.inc();
        }
        let Some((dialect, operation)) = record.asked else { return };
        let provider = record.served.as_ref().map_or("none", |served| served.provider.as_str());
        let what = [dialect.as_str(), operation.as_str(), provider];
        let status = itoa::Buffer::new().format(record.status).to_owned();
        self.requests.with_label_values(&[what[0], what[1], what[2], &status]).inc();
        self.duration.with_label_values(&what).observe(seconds(record.total_us));
        if let Some(first) = record.first_content_us {
            self.first_byte.with_label_values(&what).observe(seconds(first));
        }
        for rule in &record.rules {
            self.rule_matches.with_label_values(&[rule.as_str()]).inc();
        }
        self.observe_attempts(record);
        for charged in record.charged_before.iter().chain(&record.charged) {
            self.observe_usage(charged);
        }
    }

    fn observe_attempts(&self, record: &Record) {
        let ended = record.served.as_ref().zip(record.outcome);
        for (target, outcome) in record.failed.iter().map(|(target, outcome)| (target, *outcome)).chain(ended) {
            self.attempts.with_label_values(&[target.provider.as_str(), target.label(), outcome]).inc();
        }
        for target in &record.retried {
            self.retries.with_label_values(&[target.provider.as_str(), target.label()]).inc();
        }
        if record.paused_us > 0 {
            self.paused.inc_by(seconds(record.paused_us));
        }
    }

    fn observe_usage(&self, charged: &Charged) {
        let provider = charged.to.provider.as_str();
        let model = charged.to.label();
        let (usage, source) = (&charged.metered.usage, charged.metered.source.as_str());
        for (kind, count) in [("input", usage.input_total()), ("output", usage.output_total())] {
            self.tokens.with_label_values(&[provider, model, kind, source]).inc_by(count);
        }
        self.cost.with_label_values(&[provider, model]).inc_by(charged.cost.0);
    }

    /// A price list of so many models is in force, as its source said at `seen_ms` (since 1970; 0: no source said it).
    pub(crate) fn price_list(&self, models: usize, seen_ms: u64) {
        self.price_list_models.set(i64::try_from(models).unwrap_or(i64::MAX));
        self.price_list_seen.set(i64::try_from(seen_ms / 1_000).unwrap_or(i64::MAX));
    }

    /// Takes over what the access log counts itself.
    pub(crate) fn take_over(&self, log_lines_dropped: u64) {
        self.log_lines_dropped.inc_by(log_lines_dropped.saturating_sub(self.log_lines_dropped.get()));
    }

    /// Takes over what rules count themselves.
    pub(crate) fn take_over_rules(&self, rules: &RuleSet) {
        for rule in rules.iter() {
            let counter = self.rule_failures.with_label_values(&[rule.id.as_str()]);
            counter.inc_by(rule.failures.count().saturating_sub(counter.get()));
        }
    }

    /// The metrics as text, with how routes do and what stands in the ledger at this moment.
    pub(crate) fn render(&self, moment: &Moment<'_>) -> Vec<u8> {
        let mut text = Vec::with_capacity(16 * 1024);
        let mut families = self.registry.gather();
        families.extend(routes::families(moment.routes));
        families.extend(ledger::of_counts(moment.counts));
        families.extend(moment.journal.map(ledger::of_journal).unwrap_or_default());
        families.extend(ledger::of_budgets(moment.budgets, moment.budget_count));
        // Writing to memory cannot fail; half a page would be worse than none.
        if TextEncoder::new().encode(&families, &mut text).is_err() {
            text.clear();
        }
        text
    }
}

fn register<M: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: M) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[expect(clippy::cast_precision_loss, reason = "a duration in a histogram needs no more than 52 bits")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}
