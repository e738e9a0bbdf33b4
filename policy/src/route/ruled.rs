//! What the routing rules make of a request: another model or provider, several of them by weight, fallbacks.

use std::sync::Arc;

use smallvec::SmallVec;

use super::balance::Balance;
use super::candidates::{Naming, Wanted};
use super::credentials::together;
use super::exhausted::Books;
use super::expr::Content;
use super::health::Reading;
use super::planner::{Group, Member, Planner, SameModel, draw};
use super::rule::{Facts, OfCaller, Rule, RuleTarget, Used, Who};
use super::{Circumstances, DropReason, Weight};
use crate::id::{ModelName, RuleId};

/// What the rules chose; of several that matched, one after the other, the last one's word counts.
#[derive(Debug)]
pub(super) struct Ruled<'a> {
    /// The rules that matched, in that order.
    pub(super) matched: SmallVec<[RuleId; 2]>,
    /// The last of them.
    pub(super) rule: Arc<Rule>,
    /// Its targets, in the order in which they are to be tried.
    pub(super) targets: Options<'a>,
}

pub(super) type Options<'a> = SmallVec<[RuleOption<'a>; 2]>;

/// One target of a rule, and what it stands for.
#[derive(Debug)]
pub(super) struct RuleOption<'a> {
    pub(super) wanted: Wanted,
    pub(super) group: Group<'a>,
    weight: Weight,
}

impl<'a> Planner<'a> {
    /// Asks the rules, as often as one that matches says to ask again with what it chose; `None`: none matched. It ends after
    /// `Settings::chain_depth` rules, and where the same provider and model come again.
    pub(super) fn ask_rules(&mut self, asked: &Wanted, now: &mut Circumstances<'_>) -> Option<Box<Ruled<'a>>> {
        let snapshot = self.snapshot;
        let rules = snapshot.rules();
        if rules.is_empty() {
            return None;
        }
        let who = Who::of(snapshot, self.caller);
        let content = Content::of(self.request);
        let of_caller = OfCaller::new(Books { snapshot, caller: self.caller, accounts: now.accounts });
        let mut visited: SmallVec<[Wanted; 2]> = SmallVec::from_iter([asked.clone()]);
        let mut ruled: Option<Box<Ruled<'a>>> = None;
        for _ in 0..snapshot.settings().chain_depth {
            let incoming = visited.last()?;
            let used = Used::of(&of_caller, incoming);
            let facts = Facts {
                model: incoming.model.as_str(),
                provider: incoming.provider_name(),
                operation: self.request.operation,
                content: &content,
                used: &used,
            };
            let Some(rule) = rules.first_match(&who, &facts, now.seen) else { break };
            self.dropped.clear();
            let targets = self.options(&rule, incoming, now);
            let next = targets.first().map(|option| option.wanted.clone());
            let is_chained = rule.is_chained;
            let mut matched = ruled.map(|ruled| ruled.matched).unwrap_or_default();
            matched.push(rule.id.clone());
            ruled = Some(Box::new(Ruled { matched, rule, targets }));
            match next {
                Some(next) if is_chained && !visited.iter().any(|seen| seen.is_same(&next)) => visited.push(next),
                _ => break,
            }
        }
        ruled
    }

    /// The targets of a rule in the order in which they are to be tried: drawn by weight among those that can be used.
    fn options(&mut self, rule: &Rule, incoming: &Wanted, now: &mut Circumstances<'_>) -> Options<'a> {
        self.choice.balance = rule.balance.unwrap_or_else(|| self.own_balance());
        let options: SmallVec<[Option<RuleOption<'_>>; 2]> =
            rule.targets.iter().map(|target| self.option(target, incoming)).collect();
        let options: Options<'_> = options.into_iter().flatten().collect();
        let weigh = |option: &RuleOption<'_>| (option.weight, reading_of(&option.group));
        draw(options, weigh, self.choice, now.dice)
    }

    fn option(&mut self, target: &RuleTarget, incoming: &Wanted) -> Option<RuleOption<'a>> {
        let wanted = self.wanted(target, incoming)?;
        let group = self.group(&wanted, target.credential.as_ref());
        Some(RuleOption { wanted, group, weight: target.weight })
    }

    /// What a target stands for; what it leaves out is the request's.
    fn wanted(&mut self, target: &RuleTarget, incoming: &Wanted) -> Option<Wanted> {
        let snapshot = self.snapshot;
        let Some(name) = &target.provider else {
            return Some(match (&target.model, &incoming.provider) {
                (None, _) => incoming.clone(),
                (Some(model), Some(provider)) => Wanted::both(snapshot, provider, model.as_str()),
                (Some(model), None) => Wanted::named(snapshot, model.as_str()),
            });
        };
        let Some(provider) = snapshot.provider(name.as_str()) else {
            let model = target.model.as_ref().unwrap_or(&incoming.model);
            self.drop(name.as_str(), model.as_str(), DropReason::NotConfigured);
            return None;
        };
        match &target.model {
            Some(model) => Some(Wanted::both(snapshot, provider, model.as_str())),
            None => Some(Wanted {
                provider: Some(Arc::clone(provider)),
                model: incoming.model.clone(),
                naming: Naming::ProviderAlone,
            }),
        }
    }

    /// How traffic is spread where no rule says: as the key says, or the settings.
    pub(super) fn own_balance(&self) -> Balance {
        let of_key = self.caller.key.as_ref().and_then(|key| key.balance);
        of_key.unwrap_or(self.snapshot.settings().balance)
    }
}

/// A group does as the best of it; one without members is down.
fn reading_of(group: &Group<'_>) -> Reading {
    let readings = group.iter().map(Member::reading);
    readings.reduce(together).unwrap_or(Reading::DOWN)
}

/// A rule's word on fallbacks, or the request's; `None`: nothing is said.
fn fallbacks<'a>(rule: Option<&'a Rule>, of_request: Option<&'a [String]>) -> Option<Fallbacks<'a>> {
    match rule.and_then(|rule| rule.fallbacks.as_deref()) {
        Some(of_rule) => Some(Fallbacks::OfRule(of_rule)),
        None => of_request.map(Fallbacks::OfRequest),
    }
}

/// Where a call goes when its targets fail, and who says so.
#[derive(Clone, Copy, Debug)]
enum Fallbacks<'a> {
    OfRule(&'a [Box<str>]),
    /// These may also name a model alone.
    OfRequest(&'a [String]),
}

impl<'a> Planner<'a> {
    /// Adds all targets of a call: those of the rules or of the model, then the fallbacks. Gives the rules that matched, and the
    /// model that the call is now for.
    pub(super) fn add_all(
        &mut self,
        asked: &Wanted,
        now: &mut Circumstances<'_>,
    ) -> (SmallVec<[RuleId; 2]>, ModelName) {
        let ruled = self.ask_rules(asked, now);
        let rule = ruled.as_ref().map(|ruled| Arc::clone(&ruled.rule));
        let fallbacks = fallbacks(rule.as_deref(), self.request.fallbacks);
        let (rules, routed) = self.add_first(ruled, asked, fallbacks.is_some(), now);
        let same = SameModel { routed: &routed, asked: &asked.model };
        match fallbacks {
            Some(fallbacks) => self.add_fallbacks(fallbacks, &same, now),
            // Who names the provider wants that one.
            None if asked.provider.is_none() && !rules.is_empty() => self.add_same_model(None, &same, now.dice),
            None => {}
        }
        (rules, routed)
    }

    /// Adds the one target of a caller who brings a credential of his own: that is one vendor's, so it goes where his SDK would
    /// have sent it, whatever rules, weights and health say, and nowhere else. A vendor of another dialect sees it only by name.
    pub(super) fn add_own(&mut self, asked: &Wanted) -> (SmallVec<[RuleId; 2]>, ModelName) {
        let dialect = self.request.dialect.as_str();
        let (group, foreign): (Group<'_>, Group<'_>) = self
            .group(asked, None)
            .into_iter()
            .partition(|member| asked.provider.is_some() || member.target().provider.dialect == self.request.dialect);
        for target in foreign.iter().map(Member::target) {
            self.drop(target.provider.name.as_str(), target.model.as_str(), DropReason::OnlyByName);
        }
        let own = group.into_iter().min_by_key(|member| {
            let (target, provider) = (member.target(), &member.target().provider);
            (provider.is_custom || provider.vendor != dialect, self.kinship(target), provider.order)
        });
        if let Some(own) = own {
            self.add_alone(own);
        }
        (SmallVec::new(), asked.model.clone())
    }

    /// Adds the targets of the rule that decided, or those of what was asked for; gives the rules that matched, and the model
    /// that the call is now for. `only_first`: fallbacks are named, so that others of the same kind are not wanted.
    fn add_first(
        &mut self,
        ruled: Option<Box<Ruled<'a>>>,
        asked: &Wanted,
        only_first: bool,
        now: &mut Circumstances<'_>,
    ) -> (SmallVec<[RuleId; 2]>, ModelName) {
        let Some(ruled) = ruled else {
            let mut group = self.group(asked, None);
            self.add(&mut group, only_first, now.dice);
            return (SmallVec::new(), asked.model.clone());
        };
        let Ruled { matched, targets, .. } = *ruled;
        let routed = targets.first().map_or(&asked.model, |option| &option.wanted.model).clone();
        for mut option in targets {
            self.add(&mut option.group, only_first, now.dice);
        }
        (matched, routed)
    }

    /// Adds the fallbacks in their order.
    fn add_fallbacks(&mut self, fallbacks: Fallbacks<'_>, same: &SameModel<'_>, now: &mut Circumstances<'_>) {
        match fallbacks {
            Fallbacks::OfRule(list) => list.iter().for_each(|text| self.add_fallback(text, false, same, now.dice)),
            Fallbacks::OfRequest(list) => list.iter().for_each(|text| self.add_fallback(text, true, same, now.dice)),
        }
    }
}

#[cfg(test)]
mod tests;
