//! The access log: one JSON object a line, written in batches by a thread of its own. A full queue drops lines and counts them.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use serde::Serialize;

use super::record::Record;

/// The most bytes that wait to be written; what is beyond is lost, and counted.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// How long the first line of a batch waits for others: waking a thread for each line would cost more than the line.
const BATCH: Duration = Duration::from_millis(20);

/// The access log.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog {
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    has_lines: Condvar,
    is_written: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Whether a batch is being written.
    is_writing: bool,
    /// Whether somebody waits for everything to be written.
    is_urgent: bool,
}

/// How long the end of the process waits for its last lines.
const FLUSH: Duration = Duration::from_secs(2);

/// One line. Field names are stable and dotted; a field without a value is left out.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    ts_ms: u64,
    #[serde(rename = "request.id")]
    request_id: &'a str,
    #[serde(rename = "http.method")]
    method: &'a str,
    #[serde(rename = "http.path")]
    path: &'a str,
    #[serde(rename = "http.status")]
    status: u16,
    #[serde(rename = "key.id", skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(rename = "team.id", skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(rename = "customer.id", skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(rename = "model.asked", skip_serializing_if = "Option::is_none")]
    model_asked: Option<&'a str>,
    #[serde(rename = "model.used", skip_serializing_if = "Option::is_none")]
    model_used: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'a str>,
    stream: bool,
    #[serde(rename = "rule.ids", skip_serializing_if = "Vec::is_empty")]
    rules: Vec<&'a str>,
    #[serde(rename = "params.dropped", skip_serializing_if = "str::is_empty")]
    dropped_params: &'a str,
    attempts: u32,
    #[serde(rename = "attempts.failed", skip_serializing_if = "str::is_empty")]
    trail: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    retries: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_ms: Option<u64>,
    #[serde(rename = "vendor.status", skip_serializing_if = "Option::is_none")]
    vendor_status: Option<u16>,
    #[serde(rename = "error.type", skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(rename = "error.message", skip_serializing_if = "Option::is_none")]
    reason_text: Option<&'a str>,
    #[serde(rename = "client.left", skip_serializing_if = "std::ops::Not::not")]
    client_left: bool,
    #[serde(rename = "tokens.input", skip_serializing_if = "Option::is_none")]
    input: Option<u64>,
    #[serde(rename = "tokens.cache_read", skip_serializing_if = "Option::is_none")]
    cache_read: Option<u64>,
    #[serde(rename = "tokens.cache_write", skip_serializing_if = "Option::is_none")]
    cache_write: Option<u64>,
    #[serde(rename = "tokens.output", skip_serializing_if = "Option::is_none")]
    output: Option<u64>,
    #[serde(rename = "tokens.reasoning", skip_serializing_if = "Option::is_none")]
    reasoning: Option<u64>,
    #[serde(rename = "tokens.source", skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<String>,
    #[serde(rename = "price.override", skip_serializing_if = "Option::is_none")]
    price_override: Option<&'a str>,
    #[serde(rename = "vendor.cost_usd", skip_serializing_if = "Option::is_none")]
    vendor_cost_usd: Option<String>,
    #[serde(rename = "bytes.in")]
    body_bytes: u64,
    #[serde(rename = "bytes.out")]
    answer_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_us: Option<u64>,
    total_us: u64,
}

impl AccessLog {
    /// Starts the writer on standard output.
    pub(crate) fn start() -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        std::thread::Builder::new().name("access-log".into()).spawn(move || writer.write_batches())?;
        Ok(Self { queue })
    }

    /// Queues the line of a request.
    pub(crate) fn write(&self, record: &Record, request_id: &str) {
        let mut line = Vec::with_capacity(1024);
        let is_whole = serde_json::to_writer(&mut line, &Line::of(record, request_id)).is_ok();
        line.push(b'\n');
        let mut waiting = self.queue.waiting.lock();
        if !is_whole || waiting.lines.len() + line.len() > QUEUE_BYTES {
            self.queue.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let is_first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(&line);
        if is_first {
            self.queue.has_lines.notify_one();
        }
    }

    /// How many lines were lost.
    pub(crate) fn dropped(&self) -> u64 {
        self.queue.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything queued so far is written, but not for ever: standard output may be a pipe that nobody reads.
    pub(crate) fn flush(&self) {
        let mut waiting = self.queue.waiting.lock();
        waiting.is_urgent = true;
        self.queue.has_lines.notify_one();
        let is_written = &self.queue.is_written;
        let is_open = |waiting: &mut Waiting| !waiting.lines.is_empty() || waiting.is_writing;
        is_written.wait_while_for(&mut waiting, is_open, FLUSH);
    }
}

impl Queue {
    fn write_batches(&self) {
        let mut batch = Vec::new();
        loop {
            let mut waiting = self.waiting.lock();
            waiting.is_writing = false;
            if waiting.lines.is_empty() {
                self.is_written.notify_all();
                self.has_lines.wait(&mut waiting);
            }
            if !waiting.is_urgent {
                self.has_lines.wait_for(&mut waiting, BATCH);
            }
            batch.clear();
            std::mem::swap(&mut batch, &mut waiting.lines);
            waiting.is_writing = true;
            drop(waiting);
            let mut out = std::io::stdout().lock();
            // Standard output that is gone is no reason to stop serving.
            let _ = out.write_all(&batch).and_then(|()| out.flush());
        }
    }
}

impl<'a> Line<'a> {
    fn of(record: &'a Record, request_id: &'a str) -> Self {
        let metered = record.charged.as_ref().map(|charged| &charged.metered);
        let usage = metered.map(|metered| &metered.usage);
        let some = |count: u64| (count > 0).then_some(count);
        let served = record.served.as_ref();
        Self {
            kind: "access",
            ts_ms: record.started_wall_ms,
            request_id,
            method: &record.method,
            path: &record.path,
            status: record.status,
            key: record.key.as_ref().map(|key| key.as_str()),
            team: record.team.as_ref().map(|team| team.as_str()),
            customer: record.customer.as_ref().map(|customer| customer.as_str()),
            dialect: record.asked.map(|(dialect, _)| dialect.as_str()),
            operation: record.asked.map(|(_, operation)| operation.as_str()),
            model_asked: record.model_asked.as_deref(),
            model_used: served.map(|served| served.model.as_str()),
            provider: served.map(|served| served.provider.as_str()),
            credential: served.map(|served| served.credential.as_str()),
            stream: record.stream,
            rules: record.rules.iter().map(|rule| rule.as_str()).collect(),
            dropped_params: &record.dropped_params,
            attempts: record.attempts,
            trail: record.trail(),
            retries: record.retried.len(),
            paused_ms: (!record.retried.is_empty()).then(|| record.paused_us.div_ceil(1_000)),
            vendor_status: record.vendor_status,
            reason: record.reason,
            reason_text: record.reason_text.as_deref(),
            client_left: record.client_left,
            input: usage.map(policy::usage::Usage::input_total),
            cache_read: usage.and_then(|usage| some(usage.cache_read)),
            cache_write: usage.and_then(|usage| some(usage.cache_write + usage.cache_write_1h)),
            output: usage.map(policy::usage::Usage::output_total),
            reasoning: usage.and_then(|usage| some(usage.reasoning)),
            source: metered.map(|metered| metered.source.as_str()),
            cost_usd: (metered.is_some() && record.is_priced).then(|| record.cost.to_string()),
            price_override: served.and_then(|served| Some(served.price_set_by.as_ref()?.as_str())),
            vendor_cost_usd: record.vendor_cost.map(|cost| cost.to_string()),
            body_bytes: record.body_bytes,
            answer_bytes: record.answer_bytes,
            first_byte_us: record.first_content_us,
            total_us: record.total_us,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
