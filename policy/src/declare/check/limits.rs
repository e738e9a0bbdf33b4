//! Budgets, rate limits, and the limits of models and providers.

use std::collections::HashMap;

use crate::window::ResetDuration;

use super::super::path::Path;
use super::super::problem::Log;
use super::super::{BudgetShape, CountLimit, File, GovernanceShape};
use super::{Known, unique};

pub(super) fn check(file: &File, known: &Known<'_>, log: &Log<'_>) {
    let root = Path::Root;
    let path = root.field("governance");
    let governance = &file.governance;
    check_budgets(governance, known, path.field("budgets"), log);
    check_rate_limits(governance, path.field("rate_limits"), log);
    check_model_configs(governance, known, path.field("model_configs"), log);
    check_provider_limits(governance, known, path.field("providers"), log);
}

fn check_budgets(governance: &GovernanceShape, known: &Known<'_>, list: Path<'_>, log: &Log<'_>) {
    unique(governance.budgets.iter().map(|budget| &*budget.id).enumerate(), list, "id", log);
    let mut taken = windows_by_reference(governance);
    for (index, budget) in governance.budgets.iter().enumerate() {
        let path = list.item(index);
        let owners = owners(budget);
        known.virtual_keys.expect(budget.virtual_key.as_ref().map(|id| id.as_str()), path.field("virtual_key_id"), log);
        known.provider_configs.expect(budget.provider_config.as_deref(), path.field("provider_config_id"), log);
        known.teams.expect(budget.team.as_ref().map(|id| id.as_str()), path.field("team_id"), log);
        known.customers.expect(budget.customer.as_ref().map(|id| id.as_str()), path.field("customer_id"), log);
        if let [(first, _), (second, _), ..] = &*owners {
            log.error(path.field(second), format!("a budget has one owner, and this one has `{first}` already"));
        }
        let Some(owner) = owners.first() else { continue };
        let window = (*owner, budget.reset.to_string());
        match taken.get(&window) {
            Some(other) if **other != *budget.id => {
                let message = format!("budget `{other}` of the same owner has the same duration");
                log.error(path.field("reset_duration"), message);
            }
            _ => {
                taken.insert(window, &budget.id);
            }
        }
    }
}

/// Whose budget it is: the field that says so, and the id.
type Owner<'a> = (&'static str, &'a str);

fn owners(budget: &BudgetShape) -> Vec<Owner<'_>> {
    let fields = [
        ("virtual_key_id", budget.virtual_key.as_ref().map(|id| id.as_str())),
        ("provider_config_id", budget.provider_config.as_deref()),
        ("team_id", budget.team.as_ref().map(|id| id.as_str())),
        ("customer_id", budget.customer.as_ref().map(|id| id.as_str())),
    ];
    fields.into_iter().filter_map(|(field, id)| Some((field, id.filter(|id| !id.is_empty())?))).collect()
}

/// The durations that owners have by their own `budget_id`, with the id of the budget.
fn windows_by_reference(governance: &GovernanceShape) -> HashMap<(Owner<'_>, String), &str> {
    let reset_of: HashMap<&str, ResetDuration> =
        governance.budgets.iter().map(|budget| (&*budget.id, budget.reset)).collect();
    let keys = governance.virtual_keys.iter().map(|key| (("virtual_key_id", key.id.as_str()), &key.budget));
    let configs = governance.virtual_keys.iter().flat_map(|key| key.providers.iter().flatten());
    let configs = configs.filter_map(|config| Some((("provider_config_id", config.id.as_deref()?), &config.budget)));
    let teams = governance.teams.iter().map(|team| (("team_id", team.id.as_str()), &team.budget));
    let customers = governance.customers.iter().map(|owner| (("customer_id", owner.id.as_str()), &owner.budget));
    keys.chain(configs)
        .chain(teams)
        .chain(customers)
        .filter_map(|(owner, budget)| {
            let budget = budget.as_deref()?;
            Some(((owner, reset_of.get(budget)?.to_string()), budget))
        })
        .collect()
}

fn check_rate_limits(governance: &GovernanceShape, list: Path<'_>, log: &Log<'_>) {
    let limits = &governance.rate_limits;
    unique(limits.iter().map(|limit| &*limit.id).enumerate(), list, "id", log);
    for (index, limit) in limits.iter().enumerate() {
        let path = list.item(index);
        check_count(&limit.requests, ["request_max_limit", "request_reset_duration"], path, log);
        check_count(&limit.tokens, ["token_max_limit", "token_reset_duration"], path, log);
        let has = |field| log.locate(path.field(field)).0.is_some();
        if !has("request_max_limit") && !has("token_max_limit") {
            log.error(path, "limits nothing: has neither `request_max_limit` nor `token_max_limit`");
        }
    }
}

fn check_count(limit: &CountLimit, [most, window]: [&'static str; 2], path: Path<'_>, log: &Log<'_>) {
    let has = |field| log.locate(path.field(field)).0.is_some();
    match (limit.most, limit.window) {
        (Some(_), None) if !has(window) => {
            log.error(path.field(window), format!("required with `{most}`, but missing"));
        }
        (None, Some(_)) if !has(most) => log.error(path.field(most), format!("required with `{window}`, but missing")),
        _ => {}
    }
}

fn check_model_configs(governance: &GovernanceShape, known: &Known<'_>, list: Path<'_>, log: &Log<'_>) {
    let configs = &governance.model_configs;
    unique(configs.iter().map(|config| &*config.id).enumerate(), list, "id", log);
    for (index, config) in configs.iter().enumerate() {
        let path = list.item(index);
        if let Some(provider) = &config.provider {
            known.expect_provider(provider.as_str(), path.field("provider"), log);
        }
        known.expect_limits(config.budget.as_deref(), config.rate_limit.as_deref(), path, log);
    }
}

fn check_provider_limits(governance: &GovernanceShape, known: &Known<'_>, list: Path<'_>, log: &Log<'_>) {
    let limits = &governance.provider_limits;
    unique(limits.iter().map(|limit| limit.name.as_str()).enumerate(), list, "name", log);
    for (index, limit) in limits.iter().enumerate() {
        let path = list.item(index);
        known.expect_provider(limit.name.as_str(), path.field("name"), log);
        known.expect_limits(limit.budget.as_deref(), limit.rate_limit.as_deref(), path, log);
    }
}
