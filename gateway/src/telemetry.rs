//! What is seen from outside: the access log and the metrics. It fails open: it may lose a line, never hold up a call.

pub(crate) mod access;
pub(crate) mod metrics;
pub(crate) mod record;

use std::sync::Arc;

use access::AccessLog;
use metrics::Metrics;
use record::Record;

/// The access log and the metrics.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) access: AccessLog,
}

impl Telemetry {
    /// Takes down what became of a request; only counts it unless calls are logged.
    pub(crate) fn record(&self, record: &Record, request_id: &str, are_logged: bool) {
        self.metrics.observe(record);
        if are_logged {
            self.access.write(record, request_id);
        }
    }
}
