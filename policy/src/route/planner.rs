//! Puts the targets of a call in order: those of the rule or of the model, then the fallbacks.

use std::cmp::Reverse;
use std::sync::Arc;

use smallvec::SmallVec;

use super::balance::{Balance, Candidate, Choice, pick};
use super::candidates::{self, Naming, Wanted};
use super::credentials::{rank, reading_of};
use super::exhausted::{Books, Exhausted};
use super::health::{Health, Reading, State};
use super::{Caller, Dice, DropReason, Dropped, Target, Targets, Weight};
use crate::id::{CredentialName, ModelName};
use crate::key::Access;
use crate::provider::Provider;
use crate::request::Request;
use crate::snapshot::Snapshot;

/// No plan has more targets, however many fallbacks are named.
const MAX_TARGETS: usize = 32;

/// Collects the targets of one call.
pub(super) struct Planner<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) caller: &'a Caller,
    pub(super) request: &'a Request<'a>,
    pub(super) health: &'a dyn Health,
    /// `None`: nothing is counted or charged.
    pub(super) books: Option<Books<'a>>,
    pub(super) choice: Choice,
    /// The credential that the caller names.
    pub(super) pinned: Option<CredentialName>,
    pub(super) targets: Targets,
    /// Which of the targets are marked.
    pub(super) marked: SmallVec<[bool; 4]>,
    pub(super) dropped: Vec<Dropped>,
    /// Of the targets that were dropped as exhausted, what keeps the one that is free soonest.
    pub(super) exhausted: Option<Box<Exhausted<'a>>>,
}

/// Targets that one name stands for.
pub(super) type Group<'a> = SmallVec<[Member<'a>; 4]>;

/// One of a group.
#[derive(Debug)]
pub(super) struct Member<'a> {
    target: Target,
    /// The key's weight for the provider; `None` where the key says nothing of it.
    weight: Option<Weight>,
    reading: Reading,
    /// A limit of its own that is used up.
    exhausted: Option<Box<Exhausted<'a>>>,
}

impl Member<'_> {
    /// How it does; one that is exhausted cannot be used either.
    pub(super) fn reading(&self) -> Reading {
        if self.exhausted.is_some() { Reading::DOWN } else { self.reading }
    }

    /// The target.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Why it cannot be used at present.
    fn obstacle(&self) -> Option<DropReason> {
        match self.reading.state {
            _ if self.exhausted.is_some() => Some(DropReason::Exhausted),
            State::Down { until_ms } => Some(DropReason::Down { until_ms }),
            State::Up | State::Probe | State::Marked { .. } => None,
        }
    }
}

impl<'a> Planner<'a> {
    /// The targets that stand for what is wanted and may be used; the others are noted as dropped. Those that are down or
    /// exhausted keep their place, so that sessions of the others keep theirs.
    pub(super) fn group(&mut self, wanted: &Wanted, pinned: Option<&CredentialName>) -> Group<'a> {
        let mut group = Group::new();
        for provider in wanted.providers(self.snapshot) {
            match self.member(wanted, &provider, pinned) {
                Ok(member) => group.push(member),
                Err(reason) => self.drop(provider.name.as_str(), wanted.model.as_str(), reason),
            }
        }
        group
    }

    fn member(
        &self,
        wanted: &Wanted,
        provider: &Arc<Provider>,
        pinned: Option<&CredentialName>,
    ) -> Result<Member<'a>, DropReason> {
        let (snapshot, caller) = (self.snapshot, self.caller);
        if let Some(reason) = candidates::obstacle(snapshot, wanted, provider, caller, self.request) {
            return Err(reason);
        }
        let target = Target {
            provider: Arc::clone(provider),
            model: wanted.model.clone(),
            pinned: pinned.or(self.pinned.as_ref()).cloned(),
            known: candidates::known(snapshot.catalog(), provider, &wanted.model),
        };
        let reading = reading_of(self.health, snapshot.catalog(), &target, caller);
        let reading = reading.ok_or(DropReason::NoCredential)?;
        let exhausted = self.books.and_then(|books| books.exhausted(&target)).map(Box::new);
        Ok(Member { target, weight: weight_of(caller, provider), reading, exhausted })
    }

    /// Adds a group in the order in which it is to be tried; `only_first`: no more than one of it.
    pub(super) fn add(&mut self, group: &mut Group<'a>, only_first: bool, dice: &mut dyn Dice) {
        let most = if only_first { 1 } else { usize::MAX };
        let mut added = 0;
        if group.len() > 1 {
            *group = self.in_order(std::mem::take(group), dice);
        }
        for member in group.drain(..) {
            if let Some(reason) = member.obstacle() {
                self.set_aside(member, reason);
                continue;
            }
            let is_there = self.targets.iter().any(|target| target.is_same(&member.target));
            if !is_there && added < most && self.targets.len() < MAX_TARGETS {
                added += 1;
                self.marked.push(matches!(member.reading.state, State::Marked { .. }));
                self.targets.push(member.target);
            }
        }
    }

    /// Adds one member, however it does, unless it is exhausted.
    pub(super) fn add_alone(&mut self, member: Member<'a>) {
        match member.exhausted {
            Some(_) => self.set_aside(member, DropReason::Exhausted),
            None => self.targets.push(member.target),
        }
    }

    fn set_aside(&mut self, Member { target, exhausted, .. }: Member<'a>, reason: DropReason) {
        self.drop(target.provider.name.as_str(), target.model.as_str(), reason);
        if let Some(new) = exhausted
            && self.exhausted.as_ref().is_none_or(|known| new.wait() < known.wait())
        {
            self.exhausted = Some(new);
        }
    }

    /// Targets whose every credential was refused or throttled come last.
    pub(super) fn put_marked_last(&mut self) {
        if self.marked.contains(&true) {
            let targets = std::mem::take(&mut self.targets).into_iter().zip(self.marked.iter());
            let (last, first): (SmallVec<[_; 4]>, SmallVec<[_; 4]>) = targets.partition(|(_, is_marked)| **is_marked);
            self.targets = first.into_iter().chain(last).map(|(target, _)| target).collect();
        }
    }

    /// Notes that a target is not used.
    pub(super) fn drop(&mut self, provider: &str, model: &str, reason: DropReason) {
        self.dropped.push(Dropped { provider: provider.into(), model: model.into(), reason });
    }

    /// A model that nobody is known to serve is likeliest of a vendor whose API the client speaks, so those come first.
    fn in_order(&self, group: Group<'a>, dice: &mut dyn Dice) -> Group<'a> {
        let speaks = |member: &Member<'_>| member.target.provider.dialect == self.request.dialect;
        let serves =
            |member: &Member<'_>| candidates::serves(self.snapshot, &member.target.provider, &member.target.model);
        let is_mixed = group.iter().any(speaks) && !group.iter().all(speaks);
        if !is_mixed || group.iter().any(serves) {
            return self.by_weight(group, dice);
        }
        let (own, others): (Group<'_>, Group<'_>) = group.into_iter().partition(speaks);
        let mut ordered = self.by_weight(own, dice);
        ordered.extend(self.by_weight(others, dice));
        ordered
    }

    /// One is drawn by the key's weights, then come the other weighted ones by falling weight, then those without a weight: the
    /// model's own vendor, the vendor of the client's dialect, the order of the configuration.
    fn by_weight(&self, group: Group<'a>, dice: &mut dyn Dice) -> Group<'a> {
        let is_balanced = self.choice.balance == Balance::Adaptive;
        let has_weights = group.iter().any(|member| member.weight.is_some());
        let (weighted, mut others): (Group<'_>, Group<'_>) = if has_weights || !is_balanced {
            group.into_iter().partition(|member| member.weight.is_some())
        } else {
            (group, Group::new())
        };
        others.sort_by_key(|member| (rank(member.reading().state), self.kinship(&member.target)));
        let weigh = |member: &Member<'_>| (member.weight.unwrap_or(Weight::ONE), member.reading());
        let mut ordered: Group<'_> = draw(weighted.into_iter().collect(), weigh, self.choice, dice);
        ordered.extend(others);
        ordered
    }

    /// 0: a vendor whose own model it is; 1: the vendor of the client's dialect; 2: any other.
    pub(super) fn kinship(&self, target: &Target) -> u8 {
        let provider = &target.provider;
        let is_vendor = !provider.is_custom;
        if is_vendor && target.known.is_some() {
            0
        } else if is_vendor && provider.vendor == self.request.dialect.as_str() {
            1
        } else {
            2
        }
    }

    /// Adds what a fallback stands for. `provider` is the same model of another provider: the one routed to, or else the one
    /// asked for; `provider/model` is taken as named. A request may also name a model alone.
    pub(super) fn add_fallback(&mut self, text: &str, may_be_model: bool, same: &SameModel<'_>, dice: &mut dyn Dice) {
        let snapshot = self.snapshot;
        if let Some((name, model)) = text.split_once('/').filter(|(name, _)| snapshot.provider(name).is_some()) {
            if let Some(provider) = snapshot.provider(name) {
                let mut group = self.group(&Wanted::both(snapshot, provider, model), None);
                self.add(&mut group, true, dice);
            }
        } else if let Some(provider) = snapshot.provider(text) {
            self.add_same_model(Some(provider), same, dice);
        } else if may_be_model {
            let wanted = Wanted { provider: None, model: text.into(), naming: Naming::KnownModel };
            let mut group = self.group(&wanted, None);
            if group.is_empty() {
                self.drop(text, "", DropReason::NotConfigured);
            }
            self.add(&mut group, true, dice);
        } else {
            let (name, model) = text.split_once('/').unwrap_or((text, ""));
            self.drop(name, model, DropReason::NotConfigured);
        }
    }

    /// Adds the same model of a provider, or of all others that serve it.
    pub(super) fn add_same_model(
        &mut self,
        provider: Option<&Arc<Provider>>,
        same: &SameModel<'_>,
        dice: &mut dyn Dice,
    ) {
        let dropped_before = self.dropped.len();
        for model in [same.routed, same.asked] {
            let naming = match provider {
                Some(_) => Naming::ProviderAlone,
                None if model == same.asked => Naming::AnyModel,
                None => Naming::KnownModel,
            };
            let wanted = Wanted { provider: provider.cloned(), model: model.clone(), naming };
            let mut group = self.group(&wanted, None);
            if !group.is_empty() {
                // That it does not serve the one name is of no interest where it serves the other.
                self.dropped.truncate(dropped_before);
                return self.add(&mut group, provider.is_some(), dice);
            }
            if same.routed == same.asked {
                return;
            }
        }
    }
}

/// What "the same model" is for a fallback.
pub(super) struct SameModel<'a> {
    /// The model that the rules chose.
    pub(super) routed: &'a ModelName,
    /// The model that the client asked for.
    pub(super) asked: &'a ModelName,
}

/// Orders candidates: one is picked, the rest follow by falling weight; where more than the weights counts, each is picked in turn.
pub(super) fn draw<T, A>(
    left: SmallVec<A>,
    weigh: impl Fn(&T) -> (Weight, Reading),
    choice: Choice,
    dice: &mut dyn Dice,
) -> SmallVec<A>
where
    A: smallvec::Array<Item = T>,
{
    let candidate = |item: &T| {
        let (weight, reading) = weigh(item);
        Candidate { weight, reading, is_usable: !matches!(reading.state, State::Down { .. }) }
    };
    let mut candidates: SmallVec<[Candidate; 4]> = left.iter().map(candidate).collect();
    let mut left: SmallVec<[(usize, T); 4]> = left.into_iter().enumerate().collect();
    let mut ordered = SmallVec::with_capacity(left.len());
    let by_weight_alone = choice.balance == Balance::Weighted && choice.stick_to.is_none();
    while left.len() > 1
        && let Some(picked) = pick(&candidates, choice, dice)
        && let Some(place) = left.iter().position(|(index, _)| *index == picked)
    {
        ordered.push(left.remove(place).1);
        if let Some(candidate) = candidates.get_mut(picked) {
            candidate.is_usable = false;
        }
        if by_weight_alone {
            break;
        }
    }
    left.sort_by_key(|(_, item)| {
        let (weight, reading) = weigh(item);
        (rank(reading.state), Reverse(weight))
    });
    ordered.extend(left.into_iter().map(|(_, item)| item));
    ordered
}

fn weight_of(caller: &Caller, provider: &Provider) -> Option<Weight> {
    match caller.access(provider) {
        Access::Listed(listed) => listed.weight,
        Access::Denied | Access::Unlisted => None,
    }
}
