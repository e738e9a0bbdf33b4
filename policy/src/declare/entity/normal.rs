//! A whole file as entities in the normal form: each budget and each rate limit on its own, what is implied written out.

use std::collections::HashSet;

use super::super::{
    BudgetShape, File, FileLimits, GovernanceShape, LimitsShape, Owner, RateLimitShape, VirtualKeyShape,
};
use super::{Placed, Shape};
use crate::id::BudgetId;
use crate::limit::Limits;

impl File {
    /// All that may change at run time, in an order in which it can be put in force.
    #[must_use]
    pub fn entities(&self) -> Vec<Placed> {
        let governance = &self.governance;
        let limits = self.limits();
        let mut all = vec![
            Placed { shape: Shape::Client(self.client.clone().into()), order: 0 },
            Placed { shape: Shape::AuthConfig(governance.auth.clone()), order: 0 },
            Placed { shape: Shape::Plugins(self.plugins.clone()), order: 0 },
            Placed { shape: Shape::Framework(self.framework.clone()), order: 0 },
        ];
        add(&mut all, self.providers.iter().map(|one| Shape::Provider(one.clone().into())));
        add(&mut all, budgets(governance, &limits).into_iter().map(Shape::Budget));
        add(&mut all, rate_limits(governance).into_iter().map(Shape::RateLimit));
        add(&mut all, owners(governance, &limits));
        add(&mut all, governance.virtual_keys.iter().map(|one| Shape::VirtualKey(self.key(one, &limits).into())));
        add(&mut all, governance.rules.iter().map(|one| Shape::RoutingRule(one.clone().into())));
        add(&mut all, self.overrides().map(|one| Shape::PricingOverride(one.into())));
        all
    }

    /// A key that says which providers it may use, whatever the version.
    fn key(&self, key: &VirtualKeyShape, limits: &FileLimits<'_>) -> VirtualKeyShape {
        let mut normal = key.clone();
        normal.allow_all_providers = Some(key.allows_unlisted(self.version));
        normal.limits = limits.of(Owner::VirtualKey(key.id.as_str())).into();
        for config in normal.providers.iter_mut().flatten() {
            config.limits = limits.of(Owner::of_config(key, config)).into();
        }
        normal
    }
}

/// Adds what is of one kind, or of several, each with its place among those of its kind.
fn add(all: &mut Vec<Placed>, shapes: impl Iterator<Item = Shape>) {
    for shape in shapes {
        let last = all.last().filter(|last| last.shape.kind() == shape.kind());
        let order = last.map_or(0, |last| last.order.saturating_add(1));
        all.push(Placed { shape, order });
    }
}

/// Models, providers, customers and teams.
fn owners(governance: &GovernanceShape, limits: &FileLimits<'_>) -> impl Iterator<Item = Shape> {
    let providers = governance.provider_limits.iter().map(|one| {
        let mut normal = one.clone();
        normal.limits = limits.of(Owner::Provider(one.name.as_str())).into();
        Shape::ProviderLimits(normal.into())
    });
    let models = governance.model_configs.iter().map(|one| {
        let mut normal = one.clone();
        normal.limits = limits.of(one.owner()).into();
        Shape::ModelConfig(normal.into())
    });
    let customers = governance.customers.iter().map(|one| {
        let mut normal = one.clone();
        normal.limits = limits.of(Owner::Customer(one.id.as_str())).into();
        Shape::Customer(normal.into())
    });
    let teams = governance.teams.iter().map(|one| {
        let mut normal = one.clone();
        normal.limits = limits.of(Owner::Team(one.id.as_str())).into();
        Shape::Team(normal.into())
    });
    providers.chain(models).chain(customers).chain(teams)
}

/// Those of the list, then those that are written on their owners.
fn budgets(governance: &GovernanceShape, limits: &FileLimits<'_>) -> Vec<BudgetShape> {
    let aligned = aligned(limits);
    let listed = governance.budgets.iter().map(|budget| (budget.id.clone(), &budget.terms));
    let inline = governance.entities().flat_map(|entity| {
        entity.limits.inline_budgets().map(move |budget| (budget.id_on(entity.owner).into(), &budget.terms))
    });
    let normal = |(id, terms): (Box<str>, &super::super::BudgetTerms)| {
        let mut terms = terms.clone();
        terms.calendar_aligned |= aligned.contains(&*id);
        BudgetShape { id, terms, virtual_key: None, provider_config: None, team: None, customer: None }
    };
    listed.chain(inline).map(normal).collect()
}

/// The ids of the budgets that begin where the calendar says, be it for their own sake or for their owner's.
pub(super) fn aligned<'a>(limits: &'a FileLimits<'_>) -> HashSet<&'a str> {
    let aligned = limits.budgets.iter().filter(|budget| budget.window.calendar_aligned);
    aligned.map(|budget| BudgetId::as_str(&budget.id)).collect()
}

fn rate_limits(governance: &GovernanceShape) -> Vec<RateLimitShape> {
    let inline = governance.entities().filter_map(|entity| {
        let limit = entity.limits.rate_limit.as_ref()?;
        Some(RateLimitShape { id: limit.id_on(entity.owner).into(), terms: limit.terms.clone() })
    });
    governance.rate_limits.iter().cloned().chain(inline).collect()
}

/// What has these limits, in the normal form.
impl From<Limits> for LimitsShape {
    fn from(limits: Limits) -> Self {
        Self {
            budget_ids: limits.budgets.iter().map(|id| id.as_str().into()).collect(),
            rate_limit_id: limits.rate_limit.map(|id| id.as_str().into()),
            ..Self::default()
        }
    }
}
