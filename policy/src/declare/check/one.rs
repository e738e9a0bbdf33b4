//! Checks of an entity that stands alone against what there is otherwise.

use super::super::entity::Shape;
use super::super::owner::{Entity, owners_of};
use super::super::path::Path;
use super::super::problem::Log;
use super::super::world::{Ids, World};
use super::super::{BudgetShape, Version, Vocabulary};
use super::budgets::Durations;
use super::{Known, budgets, keys, limits, prices, providers, reach, rules};

/// Checks an entity in the normal form, which is the log's document.
pub(in super::super) fn check_one(shape: &Shape, world: &dyn World, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    let known = Known::of(world, Ids::default());
    let path = Path::Root;
    match shape {
        Shape::Client(client) => super::check_client(client, path, log),
        Shape::AuthConfig(auth) => keys::check_auth(auth, path, log),
        Shape::Provider(provider) => providers::check_provider(provider, &known, vocabulary, path, log),
        Shape::Budget(budget) => check_zone(budget, path, log),
        Shape::RateLimit(limit) => limits::check_terms(&limit.terms, path, log),
        Shape::ProviderLimits(one) => limits::check_provider_limit(one, &known, path, log),
        Shape::ModelConfig(config) => limits::check_model_config(config, &known, path, log),
        Shape::Team(team) => keys::check_team(team, &known, path, log),
        Shape::VirtualKey(key) => keys::check_key(key, Version::V2, &known, path, log),
        Shape::RoutingRule(rule) => {
            rules::check_rule(rule, &known, path, log);
            if rule.is_enabled {
                reach::check_rule(rule, path, log);
            }
        }
        Shape::PricingOverride(one) => prices::check_override(one, &known, path, log),
        Shape::Plugins(_) | Shape::Framework(_) | Shape::Customer(_) => {}
    }
    for owner in owners_of(shape) {
        limits::check_references(&owner, &known, log);
        check_durations(&owner, world, log);
    }
}

/// An owner has one budget of each duration: of two, the smaller alone would count.
fn check_durations(owner: &Entity<'_>, world: &dyn World, log: &Log<'_>) {
    let mut taken = Durations::default();
    owner.each_named_budget(|id, path| {
        if let Some(message) = world.reset_of(id).and_then(|reset| taken.take(owner.owner, reset, Some(id))) {
            log.misfit(path, message);
        }
    });
}

fn check_zone(budget: &BudgetShape, path: Path<'_>, log: &Log<'_>) {
    if budgets::has_idle_zone(&budget.terms.window()) {
        budgets::warn_of_zone(path, log);
    }
}
