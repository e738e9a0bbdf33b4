//! Budgets: whose they are, and what may stand only once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;

use crate::window::{BudgetWindow, ResetDuration};

use super::super::path::Path;
use super::super::problem::Log;
use super::super::{BudgetShape, File, FileLimits, GovernanceShape, Owner};
use super::limits::{Taken, warn_of_unused};
use super::{Known, unique};

pub(super) fn check(file: &File, known: &Known<'_>, list: Path<'_>, log: &Log<'_>) {
    let governance = &file.governance;
    unique(governance.budgets.iter().map(|budget| &*budget.id).enumerate(), list, "id", log);
    for (index, budget) in governance.budgets.iter().enumerate() {
        check_owners(budget, known, list.item(index), log);
    }
    check_inline_ids(governance, log);
    check_durations(governance, list, log);
    let limits = file.limits();
    warn_of_unused(governance.budgets.iter().map(|budget| &*budget.id), &limits.used_budgets(), list, log);
    warn_of_idle_zones(governance, &limits, list, log);
    warn_of_idle_alignment(governance, log);
}

/// Notes a warning for each owner whose budgets are to begin where the calendar says, and that has none.
fn warn_of_idle_alignment(governance: &GovernanceShape, log: &Log<'_>) {
    let owners: HashSet<_> = governance.budgets.iter().flat_map(BudgetShape::owners).map(|(_, owner)| owner).collect();
    for entity in governance.entities().filter(|entity| entity.calendar_aligned) {
        let mut has_budget = owners.contains(&entity.owner);
        entity.each_named_budget(|_, _| has_budget = true);
        entity.each_budget(|_, _| has_budget = true);
        if !has_budget {
            entity.place.show(|path| {
                log.warning(path.field("calendar_aligned"), "changes nothing: there is no budget here");
            });
        }
    }
}

/// Notes a warning for each time zone that makes no difference. Whether it does depends on who has the budget.
fn warn_of_idle_zones(governance: &GovernanceShape, limits: &FileLimits<'_>, list: Path<'_>, log: &Log<'_>) {
    let idle: HashSet<_> =
        limits.budgets.iter().filter(|budget| has_idle_zone(&budget.window)).map(|budget| budget.id.as_str()).collect();
    let listed = governance.budgets.iter().enumerate();
    listed.filter(|(_, budget)| idle.contains(&*budget.id)).for_each(|(index, _)| warn_of_zone(list.item(index), log));
    for entity in governance.entities() {
        entity.each_budget(|budget, path| {
            if idle.contains(&*budget.id_on(entity.owner)) {
                warn_of_zone(path, log);
            }
        });
    }
}

/// Whether a window's time zone makes no difference.
pub(super) fn has_idle_zone(window: &BudgetWindow) -> bool {
    window.zone != TimeZone::UTC && *window == BudgetWindow { zone: TimeZone::UTC, ..window.clone() }
}

pub(super) fn warn_of_zone(path: Path<'_>, log: &Log<'_>) {
    log.warning(path.field("timezone"), "changes nothing: such windows are the same in every zone");
}

fn check_owners(budget: &BudgetShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    known.virtual_keys.expect(budget.virtual_key.as_ref().map(|id| id.as_str()), path.field("virtual_key_id"), log);
    known.provider_configs.expect(budget.provider_config.as_deref(), path.field("provider_config_id"), log);
    known.teams.expect(budget.team.as_ref().map(|id| id.as_str()), path.field("team_id"), log);
    known.customers.expect(budget.customer.as_ref().map(|id| id.as_str()), path.field("customer_id"), log);
    let mut owners = budget.owners();
    if let (Some((first, _)), Some((second, _))) = (owners.next(), owners.next()) {
        log.error(path.field(second), format!("a budget has one owner, and this one has `{first}` already"));
    }
}

fn check_inline_ids(governance: &GovernanceShape, log: &Log<'_>) {
    let mut taken = Taken::new("budget", governance.budgets.iter().map(|budget| &*budget.id));
    for entity in governance.entities() {
        entity.each_budget(|budget, path| taken.written(budget.id.as_deref(), path, log));
    }
    for entity in governance.entities() {
        entity.each_budget(|budget, path| {
            if budget.id.is_none() {
                taken.made(budget.id_on(entity.owner), entity.owner, path, log);
            }
        });
    }
}

/// An owner has one budget of each duration: of two, the smaller alone would count.
fn check_durations(governance: &GovernanceShape, list: Path<'_>, log: &Log<'_>) {
    let mut taken = Durations::default();
    let reset_of = resets(governance);
    for entity in governance.entities() {
        entity.each_named_budget(|id, path| {
            if let Some(message) = reset_of.get(id).and_then(|reset| taken.take(entity.owner, *reset, Some(id))) {
                log.error(path, message);
            }
        });
        entity.each_budget(|budget, path| {
            if let Some(message) = taken.take(entity.owner, budget.terms.reset, budget.id.as_deref()) {
                log.error(path.field("reset_duration"), message);
            }
        });
    }
    for (index, budget) in governance.budgets.iter().enumerate() {
        let Some((_, owner)) = budget.owners().next() else { continue };
        if let Some(message) = taken.take(owner, budget.terms.reset, Some(&budget.id)) {
            log.error(list.item(index).field("reset_duration"), message);
        }
    }
}

/// The durations of all budgets with an id.
fn resets(governance: &GovernanceShape) -> HashMap<&str, ResetDuration> {
    let inline = governance.entities().flat_map(|entity| entity.limits.inline_budgets());
    let inline = inline.filter_map(|budget| Some((budget.id.as_deref()?, budget.terms.reset)));
    governance.budgets.iter().map(|budget| (&*budget.id, budget.terms.reset)).chain(inline).collect()
}

/// The durations that owners have budgets of, each with the budget's id, if one is written.
#[derive(Default)]
pub(super) struct Durations<'a>(HashMap<(Owner<'a>, String), Option<&'a str>>);

impl<'a> Durations<'a> {
    /// What is wrong if the owner has another budget of this duration.
    pub(super) fn take(&mut self, owner: Owner<'a>, reset: ResetDuration, id: Option<&'a str>) -> Option<String> {
        match self.0.entry((owner, reset.to_string())) {
            Entry::Vacant(free) => {
                free.insert(id);
                None
            }
            Entry::Occupied(first) => match *first.get() {
                same if same.is_some() && same == id => None,
                Some(other) => Some(format!("budget `{other}` of the same owner has the same duration")),
                None => Some("another budget of the same owner has the same duration".to_owned()),
            },
        }
    }
}
