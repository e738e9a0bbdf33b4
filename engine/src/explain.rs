//! What would become of a request: asked of the code that decides, as often as chance could decide differently.

mod accounts;

pub use accounts::{AccountKind, AccountLine, Books};

use std::cmp::Reverse;
use std::sync::Arc;

use policy::admit::admit;
use policy::decision::{Decision, Refusal};
use policy::id::CredentialName;
use policy::request::Request;
use policy::route::expr::Match;
use policy::route::health::Health;
use policy::route::rule::{Observer, Rule};
use policy::route::{Attempt, Caller, Circumstances, Dropped, Plan, Target, Walk, Weight};
use policy::snapshot::Snapshot;

use crate::dice::SeededDice;

/// How many plans are made where chance has a say: shares are then known to about half a per cent.
pub const PLANS: u32 = 10_000;

/// What would become of a request.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The plans that were made: one where chance has no say, else [`PLANS`]. Every `times` below counts among them.
    pub plans: u32,
    /// What the rules said, the most frequent first; one entry with no rule in it where there are none to ask.
    pub ways: Vec<Way>,
    /// The targets, those that come first most often in front; none: it is refused.
    pub targets: Vec<PlannedTarget>,
    /// What could not be used, each once.
    pub dropped: Vec<Dropped>,
    /// The accounts that attempts touch, each once.
    pub accounts: Vec<AccountLine>,
    /// One of the plans.
    pub plan: Option<Plan>,
    /// The refusal, and how often it came to that.
    pub refusal: Option<(Refusal, u32)>,
}

/// One outcome of asking the rules.
#[derive(Clone, Debug)]
pub struct Way {
    /// The rules that were asked, in order, with what they said.
    pub considered: Vec<(Arc<Rule>, Match)>,
    /// How often.
    pub times: u32,
}

/// A target of the plans.
#[derive(Clone, Debug)]
pub struct PlannedTarget {
    /// The target.
    pub target: Target,
    /// How often it is the first to be tried.
    pub times_first: u32,
    /// Its attempts: one for each credential.
    pub attempts: Vec<PlannedAttempt>,
    in_plans: u32,
    /// The sum of its places in those plans.
    places: u64,
}

/// An attempt at a target.
#[derive(Clone, Debug)]
pub struct PlannedAttempt {
    /// The credential's weight.
    pub weight: Weight,
    /// The attempt.
    pub attempt: Attempt,
    /// How often it is the very first of the call.
    pub times_first: u32,
    /// Why an account could not take it at this moment; `None`: all could.
    pub denied: Option<Refusal>,
}

/// Explains what would become of a caller's request if routes did as `health` says and accounts stood as in `books`.
#[must_use]
pub fn explain(
    snapshot: &Snapshot,
    caller: &Caller,
    request: &Request<'_>,
    health: &dyn Health,
    books: Books<'_>,
) -> Explanation {
    let mut explanation = Explanation {
        plans: 0,
        ways: Vec::new(),
        targets: Vec::new(),
        dropped: Vec::new(),
        accounts: Vec::new(),
        plan: None,
        refusal: None,
    };
    let accounts = books.ledger.at(books.now);
    let mut dice = SeededDice::new(0);
    while explanation.plans < PLANS {
        let mut seen = Seen::default();
        let mut now = Circumstances { health, accounts: &accounts, dice: &mut dice, seen: &mut seen };
        explanation.plans += 1;
        match admit(snapshot, caller.clone(), request, &mut now) {
            Decision::Admit(plan) => explanation.count(&Walk::begin(plan, &mut now)),
            Decision::Refuse(refusal) => {
                explanation.refusal.get_or_insert((refusal, 0)).1 += 1;
            }
        }
        explanation.see(seen);
        // Without chance every plan is this one.
        if !dice.was_thrown() {
            break;
        }
    }
    explanation.sort();
    explanation.ask_accounts(snapshot, caller, request, books);
    explanation
}

impl Explanation {
    /// Whether the request would go ahead, be it only sometimes.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        let mut attempts = self.targets.iter().flat_map(|target| &target.attempts);
        self.plan.is_some() && attempts.any(|attempt| attempt.denied.is_none())
    }

    /// Notes what stands on the accounts of each attempt, and which attempts they could not take. Where they could take none, that
    /// is what a client would be told.
    fn ask_accounts(&mut self, snapshot: &Snapshot, caller: &Caller, request: &Request<'_>, books: Books<'_>) {
        for planned in &mut self.targets {
            let asked = &planned.target.model;
            for one in &mut planned.attempts {
                one.denied = books.denial(snapshot, caller, request, (asked, &one.attempt));
                if request.operation.costs() {
                    books.add(&mut self.accounts, snapshot, caller, (asked, &one.attempt));
                }
            }
        }
        let mut attempts = self.targets.iter().flat_map(|target| &target.attempts);
        if self.refusal.is_none()
            && !self.is_admitted()
            && let Some(denied) = attempts.find_map(|attempt| attempt.denied.clone())
        {
            self.refusal = Some((denied, self.plans));
        }
    }

    fn count(&mut self, walk: &Walk) {
        let plan = walk.plan();
        for (target, place) in plan.targets.iter().zip(0..) {
            let known = self.targets.iter_mut().find(|known| is_same(&known.target, target));
            if let Some(known) = known {
                known.in_plans += 1;
                known.places += place;
            } else {
                self.targets.push(PlannedTarget::new(plan, target, place));
            }
        }
        if let Some((target, attempt)) = walk.target().zip(walk.attempt())
            && let Some(known) = self.targets.iter_mut().find(|known| is_same(&known.target, target))
        {
            known.begins_with(&attempt.credential.name);
        }
        self.note_dropped(&plan.dropped);
        self.plan.get_or_insert_with(|| plan.clone());
    }

    fn see(&mut self, seen: Seen) {
        self.note_dropped(&seen.dropped);
        let Seen { considered, .. } = seen;
        match self.ways.iter_mut().find(|way| is_same_way(&way.considered, &considered)) {
            Some(way) => way.times += 1,
            None => self.ways.push(Way { considered, times: 1 }),
        }
    }

    fn note_dropped(&mut self, dropped: &[Dropped]) {
        for one in dropped {
            if !self.dropped.contains(one) {
                self.dropped.push(one.clone());
            }
        }
    }

    fn sort(&mut self) {
        self.ways.sort_by_key(|way| Reverse(way.times));
        self.targets.sort_by(|one, other| {
            let by_place = || (one.places * u64::from(other.in_plans)).cmp(&(other.places * u64::from(one.in_plans)));
            other.times_first.cmp(&one.times_first).then_with(by_place)
        });
    }
}

impl PlannedTarget {
    fn new(plan: &Plan, target: &Target, place: u64) -> Self {
        let attempts = plan
            .attempts(target)
            .map(|(weight, attempt)| PlannedAttempt { weight, attempt, times_first: 0, denied: None })
            .collect();
        Self { target: target.clone(), times_first: 0, attempts, in_plans: 1, places: place }
    }

    fn begins_with(&mut self, credential: &CredentialName) {
        self.times_first += 1;
        let attempt = self.attempts.iter_mut().find(|one| one.attempt.credential.name == *credential);
        if let Some(attempt) = attempt {
            attempt.times_first += 1;
        }
    }
}

/// What is seen while one plan is made.
#[derive(Debug, Default)]
struct Seen {
    considered: Vec<(Arc<Rule>, Match)>,
    dropped: Vec<Dropped>,
}

impl Observer for Seen {
    fn considered(&mut self, rule: &Arc<Rule>, result: Match) {
        self.considered.push((Arc::clone(rule), result));
    }

    fn gave_up(&mut self, dropped: &[Dropped]) {
        self.dropped = dropped.to_vec();
    }
}

fn is_same(one: &Target, other: &Target) -> bool {
    one.provider.name == other.provider.name && one.model == other.model && one.pinned == other.pinned
}

fn is_same_way(one: &[(Arc<Rule>, Match)], other: &[(Arc<Rule>, Match)]) -> bool {
    let names = |way: &(Arc<Rule>, Match)| (way.0.id.clone(), way.1);
    one.iter().map(names).eq(other.iter().map(names))
}

#[cfg(test)]
mod tests;
