//! The answer of `tollgate explain`, in the shape of its JSON. What is `null` there does not apply.

use engine::explain::{Explanation, PlannedAttempt, PlannedTarget};
use policy::decision::Refusal;
use policy::request::Request;
use policy::route::balance::{Balance, Stick};
use policy::route::expr::Match;
use policy::route::rule::Rule;
use policy::route::{Caller, DropReason, Dropped, Plan, cannot_serve, named_provider};
use policy::settings::StreamRecovery;
use policy::snapshot::Snapshot;
use serde::Serialize;

use super::Sent;
use super::accounts::{self, AccountView};
use crate::proxy::gate::Wish;

/// The whole answer.
#[derive(Debug, Serialize)]
pub(super) struct View {
    /// `admitted`, `refused`, or `varies` where chance decides even that.
    pub(super) verdict: &'static str,
    pub(super) request: RequestView,
    /// `null` where the caller is turned away.
    pub(super) caller: Option<CallerView>,
    pub(super) refusal: Option<RefusalView>,
    /// How many plans the shares are counted over; 1 where chance has no say, so that they are exact.
    pub(super) plans: u32,
    /// What the rules said, the most frequent outcome first.
    pub(super) ways: Vec<WayView>,
    pub(super) dropped: Vec<DroppedView>,
    /// What stands on the accounts that attempts touch, as the data folder says.
    pub(super) accounts: Vec<AccountView>,
    pub(super) plan: Option<PlanView>,
    #[serde(skip)]
    is_admitted: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestView {
    pub(super) path: String,
    pub(super) dialect: &'static str,
    pub(super) operation: &'static str,
    /// As the client named it; `null` where the body was not read so far.
    pub(super) model: Option<String>,
    /// The provider that the name begins with.
    pub(super) provider: Option<String>,
    pub(super) stream: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct CallerView {
    /// `null`: anonymous.
    pub(super) key: Option<KeyView>,
    /// Whether a vendor's key of the caller's own is passed on.
    pub(super) has_own_credential: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct KeyView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) team: Option<String>,
    pub(super) customer: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct RefusalView {
    pub(super) status: u16,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// How many of the plans come to this.
    pub(super) share: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct WayView {
    pub(super) share: f64,
    pub(super) rules: Vec<RuleView>,
}

#[derive(Debug, Serialize)]
pub(super) struct RuleView {
    pub(super) id: String,
    pub(super) name: String,
    /// `virtual key …`, `team …`, `customer …`, or `the global scope`.
    pub(super) scope: String,
    /// `matched`, `no_match`, or `failed`: then it could not be evaluated.
    pub(super) result: &'static str,
    /// Whether the rules are asked again with what it chose.
    pub(super) is_chained: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct DroppedView {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) reason: &'static str,
    pub(super) text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct PlanView {
    /// `weighted` or `adaptive`.
    pub(super) balance: &'static str,
    /// `session` or `prompt`: what keeps such calls on one route.
    pub(super) kept_together_by: Option<&'static str>,
    /// What becomes of a stream that breaks off; `null` where none is asked for.
    pub(super) stream_recovery: Option<&'static str>,
    /// The most likely first one in front.
    pub(super) targets: Vec<TargetView>,
}

#[derive(Debug, Serialize)]
pub(super) struct TargetView {
    pub(super) provider: String,
    pub(super) model: String,
    /// The share of calls that it is the first to be tried by.
    pub(super) share: f64,
    /// How often it is asked once more after a pause.
    pub(super) max_retries: u8,
    pub(super) backoff_initial_ms: u64,
    pub(super) backoff_max_ms: u64,
    pub(super) attempts: Vec<AttemptView>,
}

/// In which form a provider is asked.
#[derive(Debug, Serialize)]
pub(super) struct TranslatedView {
    pub(super) operation: &'static str,
    pub(super) dialect: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct AttemptView {
    pub(super) credential: String,
    pub(super) weight: String,
    /// The share of calls whose very first attempt it is.
    pub(super) share: f64,
    /// What the provider calls the model.
    pub(super) model: String,
    /// In which form the provider is asked, where that is not the request's: `chat_completion` of the `anthropic` dialect.
    pub(super) translated_to: Option<TranslatedView>,
    /// Decimal; `null` where the model has no price.
    pub(super) worst_case_usd: Option<String>,
    /// Why an account could not take it at this moment; `null`: all could.
    pub(super) denied: Option<RefusalView>,
}

impl View {
    /// Nothing is decided yet.
    pub(super) fn of_request(sent: &Sent) -> Self {
        let (dialect, operation) = (sent.asked.dialect.as_str(), sent.asked.operation.as_str());
        let path = sent.path.clone();
        Self {
            verdict: "refused",
            request: RequestView { path, dialect, operation, model: None, provider: None, stream: false },
            caller: None,
            refusal: None,
            plans: 1,
            ways: Vec::new(),
            dropped: Vec::new(),
            accounts: Vec::new(),
            plan: None,
            is_admitted: false,
        }
    }

    pub(super) fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.refusal = Some(RefusalView::of(refusal, 1.0));
    }

    pub(super) fn note_caller(&mut self, snapshot: &Snapshot, caller: &Caller) {
        let key = caller.key.as_ref().map(|key| KeyView {
            id: key.id.to_string(),
            name: key.name.to_string(),
            team: key.team.as_ref().map(ToString::to_string),
            customer: snapshot.customer_of(key).as_ref().map(ToString::to_string),
        });
        self.caller = Some(CallerView { key, has_own_credential: caller.own_credential.is_some() });
    }

    pub(super) fn note_wish(&mut self, snapshot: &Snapshot, wish: &Wish) {
        let provider = named_provider(snapshot, &wish.model).map(|(provider, _)| provider.name.to_string());
        self.request.provider = provider;
        self.request.model = Some(wish.model.clone());
        self.request.stream = wish.stream;
    }

    pub(super) fn note(&mut self, snapshot: &Snapshot, request: &Request<'_>, explanation: &Explanation) {
        let share = |times: u32| f64::from(times) / f64::from(explanation.plans.max(1));
        self.plans = explanation.plans;
        let way = |way: &engine::explain::Way| WayView {
            share: share(way.times),
            rules: way.considered.iter().map(|(rule, result)| RuleView::of(rule, *result)).collect(),
        };
        self.ways = explanation.ways.iter().map(way).filter(|way| !way.rules.is_empty()).collect();
        self.dropped = explanation.dropped.iter().map(|dropped| DroppedView::of(dropped, request)).collect();
        self.refusal = explanation.refusal.as_ref().map(|(refusal, times)| RefusalView::of(refusal, share(*times)));
        self.plan = explanation.plan.as_ref().map(|plan| {
            let targets = explanation.targets.iter().map(|target| TargetView::of(target, request, &share)).collect();
            let recovery = request.stream.then(|| recovery(snapshot.settings().stream_recovery));
            PlanView::of(plan, recovery, targets)
        });
        self.accounts = explanation.accounts.iter().flat_map(accounts::lines).collect();
        self.is_admitted = explanation.is_admitted();
        self.verdict = match (self.is_admitted, &self.refusal) {
            (true, None) => "admitted",
            (true, Some(_)) => "varies",
            (false, _) => "refused",
        };
    }
}

impl RefusalView {
    fn of(refusal: &Refusal, share: f64) -> Self {
        let Refusal { reason, message, .. } = refusal;
        Self { status: reason.status(), kind: reason.as_str(), message: message.clone(), share }
    }
}

impl RuleView {
    fn of(rule: &Rule, result: Match) -> Self {
        let result = match result {
            Match::Yes => "matched",
            Match::No => "no_match",
            Match::Failed => "failed",
        };
        let (id, name, scope) = (rule.id.to_string(), rule.name.to_string(), rule.scope.to_string());
        Self { id, name, scope, result, is_chained: rule.is_chained }
    }
}

impl DroppedView {
    fn of(dropped: &Dropped, request: &Request<'_>) -> Self {
        let (reason, text) = why(dropped.reason, request);
        Self { provider: dropped.provider.to_string(), model: dropped.model.to_string(), reason, text }
    }
}

impl PlanView {
    fn of(plan: &Plan, stream_recovery: Option<&'static str>, targets: Vec<TargetView>) -> Self {
        let balance = match plan.choice.balance {
            Balance::Weighted => "weighted",
            Balance::Adaptive => "adaptive",
        };
        let kept_together_by = plan.choice.stick_to.map(|stick| match stick {
            Stick::Session(_) => "session",
            Stick::Prompt(_) => "prompt",
        });
        Self { balance, kept_together_by, stream_recovery, targets }
    }
}

impl TargetView {
    fn of(planned: &PlannedTarget, request: &Request<'_>, share: &dyn Fn(u32) -> f64) -> Self {
        let retries = &planned.target.provider.retries;
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            provider: planned.target.provider.name.to_string(),
            model: planned.target.model.to_string(),
            share: share(planned.times_first),
            max_retries: retries.max,
            backoff_initial_ms: millis(retries.backoff_initial),
            backoff_max_ms: millis(retries.backoff_max),
            attempts: planned.attempts.iter().map(|attempt| AttemptView::of(attempt, request, share)).collect(),
        }
    }
}

impl AttemptView {
    fn of(planned: &PlannedAttempt, request: &Request<'_>, share: &dyn Fn(u32) -> f64) -> Self {
        let attempt = &planned.attempt;
        let (operation, dialect) = (attempt.served_as, attempt.provider.dialect);
        let is_alike = operation == request.operation && dialect == request.dialect;
        Self {
            credential: attempt.credential.name.to_string(),
            weight: planned.weight.to_string(),
            share: share(planned.times_first),
            model: attempt.model.to_string(),
            translated_to: (!is_alike)
                .then(|| TranslatedView { operation: operation.as_str(), dialect: dialect.as_str() }),
            worst_case_usd: attempt.worst_case.map(|worst| worst.amount().to_string()),
            denied: planned.denied.as_ref().map(|refusal| RefusalView::of(refusal, 1.0)),
        }
    }
}

const fn recovery(recovery: StreamRecovery) -> &'static str {
    match recovery {
        StreamRecovery::Error => "error",
        StreamRecovery::Resume => "resume",
        StreamRecovery::Buffer => "buffer",
    }
}

/// Why a target is not used: a stable code, and words.
fn why(reason: DropReason, request: &Request<'_>) -> (&'static str, String) {
    let (code, words) = match reason {
        DropReason::NotConfigured => ("not_configured", "no such provider, and nobody serves a model of that name"),
        DropReason::NotServed => ("not_served", "does not serve the model"),
        DropReason::ProviderBlocked => ("provider_blocked", "not among the key's `provider_configs`"),
        DropReason::OnlyByName => ("only_by_name", "its `weight` is null in the key, so it must be asked for by name"),
        DropReason::ModelBlocked => ("model_blocked", "the key's `allowed_models` do not have the model"),
        DropReason::CannotSpeak { dialect } => return ("cannot_speak", cannot_serve(dialect, request)),
        DropReason::NoCredential => {
            ("no_credential", "none of its `keys` is enabled, has a value, is for the model and allowed to the key")
        }
        DropReason::Down { .. } => ("down", "failed too often, and is not asked for a moment"),
        DropReason::Exhausted => (
            "exhausted",
            "a budget or rate limit of the provider, the model, or the key's use of the provider is used up",
        ),
    };
    (code, words.to_owned())
}
