//! The price list in force: those that are built in, and what the operator's file or URL has on top.

mod fetch;
mod kept;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use engine::clock::Clock;
use engine::live::Live;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use policy::catalog::Catalog;
use policy::declare::{PriceSource, PricingShape};
use policy::snapshot::Change;

use self::fetch::{Fetched, Source, Validators};
use self::kept::Kept;
use crate::telemetry::metrics::Metrics;

const BUILT_IN: [&str; 2] =
    [include_str!("../../conf/model-prices.json"), include_str!("../../conf/model-prices-extra.json")];
/// The largest list that is read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// How long until a source that failed is tried again; then twice as long each time, up to the interval.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// What was last read, so that the same is not read again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    /// Nothing yet.
    Nothing,
    /// A file of this age and length.
    File(SystemTime, u64),
    /// An answer that can be told apart from a newer one.
    Url(Validators),
}

/// The price list that a start begins with.
#[derive(Debug)]
pub(crate) struct Started {
    /// The list.
    pub(crate) catalog: Arc<Catalog>,
    built_in: Arc<Catalog>,
    mark: Mark,
    /// When the source was last seen to say this, in milliseconds since 1970.
    seen_ms: u64,
}

/// What a look at the source brought.
enum Look {
    /// A list, and what tells it apart.
    New(String, Mark),
    /// What is in force.
    Unchanged,
}

/// Why a look at the source brought nothing.
struct Failure {
    outcome: &'static str,
    message: String,
}

impl Failure {
    fn unreachable(message: String) -> Self {
        Self { outcome: "unreachable", message }
    }

    fn refused(message: String) -> Self {
        Self { outcome: "refused", message }
    }
}

/// The price list that a start needs: what stands in a file must be there; of a URL the last good copy in the data folder is
/// used, if there is one.
pub(crate) fn at_start(source: &PriceSource, data: Option<&Path>) -> Result<Started, String> {
    let mut catalog = Catalog::default();
    for list in BUILT_IN {
        catalog.extend_from_json(list).map_err(|error| error.to_string())?;
    }
    let built_in = Arc::new(catalog);
    let mut started = Started { catalog: Arc::clone(&built_in), built_in, mark: Mark::Nothing, seen_ms: 0 };
    match (source, data) {
        (PriceSource::File(path), _) => {
            let (text, mark) = read_file(path).map_err(|error| format!("price list {path}: {error}"))?;
            let catalog = on_top(&started.built_in, &text).map_err(|error| format!("price list {path}: {error}"))?;
            started.catalog = Arc::new(catalog);
            started.mark = mark;
        }
        (PriceSource::Url(url), Some(data)) => started.take_over_kept(url, data),
        (PriceSource::Url(_), None) | (PriceSource::BuiltIn, _) => {}
    }
    Ok(started)
}

impl Started {
    fn take_over_kept(&mut self, url: &str, data: &Path) {
        let taken = Kept::read(data, url).and_then(|kept| {
            let Some(kept) = kept else { return Ok(()) };
            self.catalog = Arc::new(on_top(&self.built_in, kept.list())?);
            self.mark = Mark::Url(kept.validators());
            self.seen_ms = kept.seen_ms();
            Ok(())
        });
        if let Err(error) = taken {
            tracing::warn!(%error, "the kept price list cannot be used; the built-in prices are in force");
        }
    }
}

/// Keeps the price list in force what its source says.
pub(crate) struct Prices {
    source: PriceSource,
    interval: Duration,
    data: PathBuf,
    built_in: Arc<Catalog>,
    mark: Mark,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Prices {
    /// For the list that was begun with. `None` where there is nothing to look at again.
    pub(crate) fn new(
        pricing: &PricingShape,
        started: Started,
        data: &Path,
        live: Arc<Live>,
        metrics: Arc<Metrics>,
    ) -> Option<Self> {
        let clock = Clock::start();
        let Started { catalog, built_in, mark, seen_ms } = started;
        let is_file = matches!(pricing.source, PriceSource::File(_));
        metrics.price_list(catalog.len(), if is_file { clock.now().wall_ms } else { seen_ms });
        let (source, interval, data) = (pricing.source.clone(), pricing.interval, data.to_owned());
        (source != PriceSource::BuiltIn).then_some(Self {
            source,
            interval,
            data,
            built_in,
            mark,
            live,
            metrics,
            clock,
        })
    }

    async fn keep_fresh(&self) {
        let mut mark = self.mark.clone();
        let mut told = String::new();
        let mut pause = FIRST_PAUSE;
        if matches!(self.source, PriceSource::File(_)) {
            tokio::time::sleep(self.interval).await;
        }
        loop {
            let wait = match self.look(&mut mark).await {
                Ok(outcome) => {
                    self.metrics.price_list_loads.with_label_values(&[outcome]).inc();
                    (told, pause) = (String::new(), FIRST_PAUSE);
                    self.interval
                }
                Err(Failure { outcome, message }) => {
                    self.metrics.price_list_loads.with_label_values(&[outcome]).inc();
                    // A source that stays as it is fails in the same way each time.
                    if told != message {
                        tracing::warn!(source = %self.shown(), "the price list in force stays: {message}");
                        told = message;
                    }
                    let wait = pause.min(self.interval);
                    pause = pause.saturating_mul(2);
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Looks at the source once and puts in force what it has.
    async fn look(&self, mark: &mut Mark) -> Result<&'static str, Failure> {
        let seen = self.read(mark).await.map_err(Failure::unreachable)?;
        let seen_ms = self.clock.now().wall_ms;
        let Look::New(text, new) = seen else {
            self.metrics.price_list(self.live.snapshot().catalog().len(), seen_ms);
            return Ok("unchanged");
        };
        let built_in = Arc::clone(&self.built_in);
        let kept = match (&self.source, &new) {
            (PriceSource::Url(url), Mark::Url(validators)) => Some(Kept::new(url, validators, seen_ms)),
            _ => None,
        };
        let data = self.data.clone();
        let parsed = blocking(move || {
            let catalog = on_top(&built_in, &text)?;
            if let Some(kept) = kept {
                // The list is good whether it can be kept or not.
                let written = kept.write(&data, &text);
                written
                    .unwrap_or_else(|error| tracing::warn!(%error, "the price list cannot be kept for a next start"));
            }
            Ok(catalog)
        });
        let catalog = Arc::new(parsed.await.map_err(Failure::refused)?);
        let models = catalog.len();
        let revision = self.live.apply([Change::Catalog(catalog)]);
        let revision = revision.map_err(|error| Failure::refused(error.to_string()))?;
        *mark = new;
        self.metrics.price_list(models, seen_ms);
        tracing::info!(source = %self.shown(), models, revision, "a new price list is in force");
        Ok("loaded")
    }

    async fn read(&self, mark: &Mark) -> Result<Look, String> {
        match &self.source {
            PriceSource::BuiltIn => Ok(Look::Unchanged),
            PriceSource::File(path) => {
                let (path, mark) = (path.clone(), mark.clone());
                blocking(move || match mark_of(&path)? {
                    same if same == mark => Ok(Look::Unchanged),
                    _ => read_file(&path).map(|(text, mark)| Look::New(text, mark)),
                })
                .await
            }
            PriceSource::Url(url) => {
                let known = if let Mark::Url(validators) = mark { validators.clone() } else { Validators::default() };
                Ok(match (Source { url, known: &known }).fetch(MAX_BYTES).await? {
                    Fetched::New(text, validators) => Look::New(text, Mark::Url(validators)),
                    Fetched::Unchanged => Look::Unchanged,
                })
            }
        }
    }

    /// The source, without what may be secret in it.
    fn shown(&self) -> &str {
        match &self.source {
            PriceSource::BuiltIn => "built in",
            PriceSource::File(path) => path,
            PriceSource::Url(url) => url.split(['?', '#']).next().unwrap_or_default(),
        }
    }
}

#[async_trait]
impl BackgroundService for Prices {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.keep_fresh() => {}
            _ = shutdown.changed() => {}
        }
    }
}

/// The built-in lists with another one on top.
fn on_top(built_in: &Catalog, list: &str) -> Result<Catalog, String> {
    let mut catalog = built_in.clone();
    match catalog.extend_from_json(list) {
        Ok(0) => Err("no model in it has a price".to_owned()),
        Ok(_) => Ok(catalog),
        Err(error) => Err(error.to_string()),
    }
}

fn mark_of(path: &str) -> Result<Mark, String> {
    let of_file = |path: &str| fs::metadata(path).and_then(|about| Ok(Mark::File(about.modified()?, about.len())));
    of_file(path).map_err(|error| error.to_string())
}

/// A file's text. It is marked before it is read: what is written meanwhile is read the next time.
fn read_file(path: &str) -> Result<(String, Mark), String> {
    let mark = mark_of(path)?;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    Ok((text_of(bytes)?, mark))
}

/// The text of a list, which must be UTF-8 and not too large.
fn text_of(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn too_large() -> String {
    format!("it is larger than {} MiB", MAX_BYTES / (1024 * 1024))
}

/// Does work that takes long where it holds nothing up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

#[cfg(test)]
mod tests;
