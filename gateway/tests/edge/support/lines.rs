//! Lines of JSON that a process writes, collected by a thread, waited for by tests.

use std::io::{BufRead, BufReader, Read};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::Notify;

use super::PATIENCE;

/// What a process has written to one of its streams so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<String>>,
    changed: Notify,
}

impl Lines {
    /// Collects lines until the stream ends.
    pub(crate) fn collect(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let shared = Arc::clone(&lines.shared);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                shared.lines.lock().unwrap().push(line);
                shared.changed.notify_waiters();
            }
        });
        lines
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.shared.lines.lock().unwrap().join("\n")
    }

    /// Every line that is JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.shared.lines.lock().unwrap().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until the JSON lines satisfy `is_enough`, and returns them.
    pub(crate) async fn wait_until(&self, what: &str, is_enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let search = async {
            loop {
                let mut changed = pin!(self.shared.changed.notified());
                // Listening starts before the look, so that no line falls in between.
                changed.as_mut().enable();
                let lines = self.json();
                if is_enough(&lines) {
                    return lines;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(lines) => lines,
            Err(_) => panic!("{what} was not written; this was:\n{}", self.text()),
        }
    }

    /// Waits for a JSON line that is wanted.
    pub(crate) async fn wait_for(&self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let lines = self.wait_until(what, |lines| lines.iter().any(&is_wanted)).await;
        lines.into_iter().find(|line| is_wanted(line)).unwrap()
    }
}
