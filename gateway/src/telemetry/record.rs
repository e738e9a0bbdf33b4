//! What became of one request: the source of its log line, of its metrics and of its row in the request log. Never a secret, never content.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use engine::hold::Charge;
use policy::catalog::Model;
use policy::decision::Refusal;
use policy::id::{CredentialName, CustomerId, ModelName, PriceOverrideId, ProviderName, RuleId, TeamId, VirtualKeyId};
use policy::money::NanoUsd;
use policy::request::{Dialect, Operation};
use policy::route::{Attempt, Caller};
use policy::snapshot::Snapshot;
use policy::usage::{Metered, Usage};
use store::{AttemptId, CallStatus, Called, TokenCounts};

/// What became of one request. Times are microseconds.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// When it began, on the process's clock.
    pub(crate) started_us: u64,
    /// When it began, in milliseconds since 1970.
    pub(crate) started_wall_ms: u64,
    /// The method.
    pub(crate) method: String,
    /// The path, without its query.
    pub(crate) path: String,
    /// What was asked for, if it was for a model.
    pub(crate) asked: Option<(Dialect, Operation)>,
    /// Who called.
    pub(crate) key: Option<VirtualKeyId>,
    pub(crate) team: Option<TeamId>,
    pub(crate) customer: Option<CustomerId>,
    /// The model as the client named it.
    pub(crate) model_asked: Option<String>,
    /// Whether the answer was to be streamed.
    pub(crate) stream: bool,
    /// The rules that decided where it goes, in the order in which they matched.
    pub(crate) rules: Vec<RuleId>,
    /// What was left out of the request for the last attempt, with commas between the names.
    pub(crate) dropped_params: String,
    pub(crate) body_bytes: u64,
    pub(crate) answer_bytes: u64,
    /// The last attempt: where it went.
    pub(crate) served: Option<Served>,
    /// The status of the vendor's last answer.
    pub(crate) vendor_status: Option<u16>,
    /// The status that the client saw; 0 if it saw none.
    pub(crate) status: u16,
    /// The stable reason of a refusal or failure.
    pub(crate) reason: Option<&'static str>,
    pub(crate) reason_text: Option<String>,
    /// Whether the client left before it had its answer.
    pub(crate) client_left: bool,
    /// What the journal calls it; `None`: it knows nothing of it yet.
    pub(crate) call: Option<AttemptId>,
    /// The last attempt that was charged.
    pub(crate) charged: Option<Charged>,
    /// Those before it.
    pub(crate) charged_before: Vec<Charged>,
    /// What all attempts cost together.
    pub(crate) cost: NanoUsd,
    /// What the vendor of the last charged attempt says that it cost.
    pub(crate) vendor_cost: Option<NanoUsd>,
    /// Whether every charged attempt had a price.
    pub(crate) is_priced: bool,
    pub(crate) attempts: u32,
    /// How the last attempt ended, if it did not fail.
    pub(crate) outcome: Option<&'static str>,
    /// The attempts that failed: where, and how.
    pub(crate) failed: Vec<(Served, &'static str)>,
    /// Who was asked once more after a pause, each time.
    pub(crate) retried: Vec<Served>,
    /// How long it waited between attempts.
    pub(crate) paused_us: u64,
    pub(crate) first_content_us: Option<u64>,
    pub(crate) total_us: u64,
    /// The status of the error answer that the attempt under way got.
    error_status: Option<u16>,
    trail: String,
}

/// What an attempt was charged.
#[derive(Clone, Debug)]
pub(crate) struct Charged {
    /// Where it went.
    pub(crate) to: Served,
    /// What it used.
    pub(crate) metered: Metered,
    /// What that cost.
    pub(crate) cost: NanoUsd,
}

/// Where an attempt went.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) provider: ProviderName,
    pub(crate) credential: CredentialName,
    pub(crate) model: ModelName,
    /// The model in the price list, if it is there; only its name is a metric's label.
    pub(crate) known: Option<Arc<Model>>,
    /// The override that sets its price.
    pub(crate) price_set_by: Option<PriceOverrideId>,
}

impl Record {
    /// A request begins.
    pub(crate) fn begin(started_us: u64, started_wall_ms: u64) -> Self {
        Self { started_us, started_wall_ms, ..Self::default() }
    }

    /// Who called.
    pub(crate) fn caller(&mut self, snapshot: &Snapshot, caller: &Caller) {
        if let Some(key) = &caller.key {
            self.key = Some(key.id.clone());
            self.team.clone_from(&key.team);
            self.customer = snapshot.customer_of(key);
        }
    }

    /// What the body asks for.
    pub(crate) fn asked(&mut self, model: &str, stream: bool) {
        self.model_asked = Some(model.chars().take(200).collect());
        self.stream = stream;
    }

    /// Whether the operation is one that costs.
    pub(crate) fn costs(&self) -> bool {
        self.asked.is_some_and(|(_, operation)| operation.costs())
    }

    /// The attempt under way got an error answer; it ends with [`Self::settled`].
    pub(crate) fn answered_with(&mut self, error_status: u16) {
        self.error_status = Some(error_status);
    }

    /// A target is asked once more after a pause.
    pub(crate) fn retries(&mut self, attempt: &Attempt) {
        self.retried.push(Served::of(attempt));
    }

    /// An attempt that failed.
    pub(crate) fn tried(&mut self, attempt: &Attempt, outcome: &'static str) {
        self.attempts = self.attempts.saturating_add(1);
        let separator = if self.trail.is_empty() { "" } else { ", " };
        let (provider, credential) = (&attempt.provider.name, &attempt.credential.name);
        // Writing to a string cannot fail.
        let _ = write!(self.trail, "{separator}{provider}/{credential}={outcome}");
        if let Some(status) = self.error_status.take() {
            let _ = write!(self.trail, ":{status}");
        }
        self.failed.push((Served::of(attempt), outcome));
        self.outcome = None;
        self.served = Some(Served::of(attempt));
    }

    /// A provider that was not tried, for this reason; told once, however many credentials it has.
    pub(crate) fn passed_over(&mut self, provider: &ProviderName, reason: &'static str) {
        let told = format!("{provider}={reason}");
        if !self.trail.ends_with(&told) {
            let separator = if self.trail.is_empty() { "" } else { ", " };
            self.trail.push_str(separator);
            self.trail.push_str(&told);
        }
    }

    /// The attempts that failed: `provider/credential=outcome, …`, with the status where it was one: `…=unavailable:503`.
    pub(crate) fn trail(&self) -> &str {
        &self.trail
    }

    /// An attempt that ended, and what it was charged.
    pub(crate) fn settled(
        &mut self,
        attempt: &Attempt,
        outcome: &'static str,
        charge: Option<(Metered, Charge, bool)>,
    ) {
        if outcome == "answered" || outcome == "client_left" {
            self.attempts = self.attempts.saturating_add(1);
            self.outcome = Some(outcome);
            self.served = Some(Served::of(attempt));
        } else {
            self.tried(attempt, outcome);
        }
        if let Some((metered, charge, is_priced)) = charge {
            self.is_priced = is_priced && (self.is_priced || self.charged.is_none());
            let charged = Charged { to: Served::of(attempt), metered, cost: charge.cost };
            self.charged_before.extend(self.charged.replace(charged));
            self.cost = self.cost.saturating_add(charge.cost);
        }
    }

    /// A refusal that the client was told.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.status = refusal.reason.status();
        self.refused_in_stream(refusal);
    }

    /// A failure that the client was told of in the middle of its answer.
    pub(crate) fn refused_in_stream(&mut self, refusal: &Refusal) {
        self.reason = Some(refusal.reason.as_str());
        self.reason_text = Some(refusal.message.clone());
    }
}

impl Record {
    /// What the request log keeps of it; `None`: it was no call of a model.
    pub(crate) fn called<'a>(&'a self, request_id: &'a str) -> Option<Called<'a>> {
        let (dialect, operation) = self.asked.filter(|(_, operation)| *operation != Operation::ListModels)?;
        let metered = || self.charged_before.iter().chain(&self.charged).map(|charged| &charged.metered);
        let tokens = metered().fold(TokenCounts::default(), |sum, metered| plus(sum, &metered.usage));
        let source = metered().map(|metered| metered.source).max();
        let served = self.served.as_ref();
        Some(Called {
            call: self.call,
            at_ms: self.started_wall_ms,
            request_id: request_id.into(),
            key: text(self.key.as_ref().map(|key| key.as_str())),
            team: text(self.team.as_ref().map(|team| team.as_str())),
            customer: text(self.customer.as_ref().map(|customer| customer.as_str())),
            provider: text(served.map(|served| served.provider.as_str())),
            credential: text(served.map(|served| served.credential.as_str())),
            model: text(served.map(|served| served.model.as_str())),
            model_asked: text(self.model_asked.as_deref()),
            operation: operation.as_str().into(),
            dialect: dialect.as_str().into(),
            status: self.call_status(),
            http_status: self.status,
            vendor_status: self.vendor_status.unwrap_or_default(),
            reason: text(self.reason),
            reason_text: text(self.reason_text.as_deref()),
            is_stream: self.stream,
            is_priced: self.is_priced,
            first_content_us: self.first_content_us,
            total_us: self.total_us,
            paused_us: self.paused_us,
            tokens,
            total_tokens: tokens.input_total().saturating_add(tokens.output_total()),
            source: text(source.map(|source| source.as_str())),
            cost_nano: self.cost.0,
            vendor_cost_nano: self.vendor_cost.map(|cost| cost.0),
            attempts: self.attempts,
            retries: u32::try_from(self.retried.len()).unwrap_or(u32::MAX),
            trail: self.trail().into(),
            rules: self.rule_ids(),
            price_override: text(served.and_then(|served| Some(served.price_set_by.as_ref()?.as_str()))),
            bytes_in: self.body_bytes,
            bytes_out: self.answer_bytes,
            content: None,
            is_unlogged: false,
        })
    }

    fn call_status(&self) -> CallStatus {
        let is_refused = self.attempts == 0 && self.reason.is_some();
        match (self.client_left, self.reason, self.status) {
            _ if is_refused => CallStatus::Refused,
            (true, ..) => CallStatus::ClientLeft,
            (false, None, 200..300) => CallStatus::Success,
            _ => CallStatus::Error,
        }
    }

    fn rule_ids(&self) -> Cow<'_, str> {
        match &*self.rules {
            [] => Cow::Borrowed(""),
            [rule] => Cow::Borrowed(rule.as_str()),
            rules => Cow::Owned(rules.iter().map(|rule| rule.as_str()).collect::<Vec<_>>().join(",")),
        }
    }
}

fn text(text: Option<&str>) -> Cow<'_, str> {
    Cow::Borrowed(text.unwrap_or_default())
}

fn plus(sum: TokenCounts, usage: &Usage) -> TokenCounts {
    TokenCounts {
        input: sum.input.saturating_add(usage.input),
        input_audio: sum.input_audio.saturating_add(usage.input_audio),
        input_image: sum.input_image.saturating_add(usage.input_image),
        cache_read: sum.cache_read.saturating_add(usage.cache_read),
        cache_write: sum.cache_write.saturating_add(usage.cache_write),
        cache_write_1h: sum.cache_write_1h.saturating_add(usage.cache_write_1h),
        output: sum.output.saturating_add(usage.output),
        reasoning: sum.reasoning.saturating_add(usage.reasoning),
        output_audio: sum.output_audio.saturating_add(usage.output_audio),
        output_image: sum.output_image.saturating_add(usage.output_image),
        searches: sum.searches.saturating_add(usage.searches),
    }
}

impl Served {
    /// The model as a metric's label: its name in the price list, so that callers cannot make up labels.
    pub(crate) fn label(&self) -> &str {
        self.known.as_ref().map_or("other", |known| &*known.name)
    }

    fn of(attempt: &Attempt) -> Self {
        Self {
            provider: attempt.provider.name.clone(),
            credential: attempt.credential.name.clone(),
            model: attempt.model.clone(),
            known: attempt.known.clone(),
            price_set_by: attempt.own_price.as_ref().map(|own| own.set_by.clone()),
        }
    }
}
