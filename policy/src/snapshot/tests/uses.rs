//! Whatever order things come and go in: what is named stays, and what is not can be removed.

use proptest::prelude::*;

use super::key;
use crate::key::ProviderAccess;
use crate::limit::{Algorithm, Mode};
use crate::list::AllowList;
use crate::money::NanoUsd;
use crate::snapshot::*;
use crate::window::BudgetWindow;

/// A random change among few ids, so that they meet.
fn any_change() -> impl Strategy<Value = Change> {
    let id = || 0_usize..3;
    let limits = || {
        (proptest::collection::vec(id(), 0..3), proptest::option::of(id())).prop_map(|(budgets, rate)| Limits {
            budgets: budgets.into_iter().map(|at| format!("b{at}").into()).collect(),
            rate_limit: rate.map(|at| format!("r{at}").into()),
        })
    };
    let named =
        |prefix: &'static str| proptest::option::of(id()).prop_map(move |at| at.map(|at| format!("{prefix}{at}")));
    prop_oneof![
        4 => (id(), limits(), limits(), named("t"), named("c")).prop_map(|(at, own, of_config, team, customer)| {
            let (team, customer) = (team.map(Into::into), customer.map(Into::into));
            let providers = vec![access(of_config)];
            let key = (*key(&format!("k{at}"), &[&format!("token {at}")])).clone();
            Change::PutVirtualKey(Arc::new(VirtualKey { limits: own, team, customer, providers, ..key }))
        }),
        1 => id().prop_map(|at| Change::RemoveVirtualKey(format!("k{at}").into())),
        2 => (id(), limits(), named("c")).prop_map(|(at, limits, customer)| {
            let id = format!("t{at}");
            Change::PutTeam(Arc::new(Team { id: id.as_str().into(), name: id.into(), customer: customer.map(Into::into), limits }))
        }),
        2 => (id(), limits()).prop_map(|(at, limits)| {
            let id = format!("c{at}");
            Change::PutCustomer(Arc::new(Customer { id: id.as_str().into(), name: id.into(), limits }))
        }),
        1 => id().prop_map(|at| Change::RemoveTeam(format!("t{at}").into())),
        1 => id().prop_map(|at| Change::RemoveCustomer(format!("c{at}").into())),
        1 => (id(), limits()).prop_map(|(at, limits)| Change::LimitProvider(format!("p{at}").into(), limits)),
        1 => (id(), limits()).prop_map(|(at, limits)| {
            Change::LimitModel(ModelLimits { provider: None, model: format!("m{at}").into(), limits })
        }),
        2 => id().prop_map(|at| {
            let window = BudgetWindow::tiled("1d".parse().unwrap());
            let budget = Budget { id: format!("b{at}").into(), limit: NanoUsd(1), window, mode: Mode::Hard };
            Change::PutBudget(Arc::new(budget))
        }),
        2 => id().prop_map(|at| {
            let id = format!("r{at}").into();
            let algorithm = Algorithm::Rolling;
            Change::PutRateLimit(Arc::new(RateLimit { id, requests: None, tokens: None, concurrent: Some(1), algorithm }))
        }),
    ]
}

fn access(limits: Limits) -> ProviderAccess {
    ProviderAccess {
        id: None,
        provider: "openai".into(),
        models: AllowList::All,
        denied_models: AllowList::nothing(),
        credentials: AllowList::All,
        weight: None,
        limits,
    }
}

/// Whether anything names it, by looking at all.
fn is_named(snapshot: &Snapshot, is_it: &dyn Fn(&Limits) -> bool) -> bool {
    snapshot.keys.values().any(|key| is_it(&key.limits) || key.providers.iter().any(|access| is_it(&access.limits)))
        || snapshot.teams.values().any(|team| is_it(&team.limits))
        || snapshot.customers.values().any(|customer| is_it(&customer.limits))
        || (0..3).any(|at| snapshot.limits_of_provider(&format!("p{at}").into()).is_some_and(is_it))
        || (0..3).any(|at| snapshot.limits_of_model(None, &format!("m{at}")).is_some_and(|one| is_it(&one.limits)))
}

proptest! {
    #[test]
    fn what_is_named_stays_and_what_is_not_can_be_removed(changes in proptest::collection::vec(any_change(), 1..60)) {
        let mut snapshot = Snapshot::default();
        for change in changes {
            snapshot = snapshot.apply(change).unwrap_or(snapshot);
            for at in 0..3 {
                let (budget, rate) = (BudgetId::from(format!("b{at}")), RateLimitId::from(format!("r{at}")));
                let (team, customer) = (TeamId::from(format!("t{at}")), CustomerId::from(format!("c{at}")));
                let of_team = snapshot.keys.values().any(|key| key.team.as_ref() == Some(&team));
                let of_customer = snapshot.keys.values().any(|key| key.customer.as_ref() == Some(&customer))
                    || snapshot.teams.values().any(|team| team.customer.as_ref() == Some(&customer));
                let removals = [
                    (is_named(&snapshot, &|limits| limits.budgets.contains(&budget)), Change::RemoveBudget(budget.clone())),
                    (is_named(&snapshot, &|limits| limits.rate_limit.as_ref() == Some(&rate)), Change::RemoveRateLimit(rate.clone())),
                    (of_team, Change::RemoveTeam(team)),
                    (of_customer, Change::RemoveCustomer(customer)),
                ];
                for (is_used, removal) in removals {
                    let refused = matches!(snapshot.apply(removal.clone()), Err(ApplyError::InUse(who)) if !who.contains("``"));
                    prop_assert_eq!(refused, is_used, "{:?}", removal);
                }
            }
        }
    }
}
