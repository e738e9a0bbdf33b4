//! Rate limits, the limits of models and providers, and what every entity with limits names.

use std::collections::{HashMap, HashSet};

use super::super::json::Json;
use super::super::owner::Entity;
use super::super::path::Path;
use super::super::problem::Log;
use super::super::{
    CountLimit, File, GovernanceShape, LimitsShape, ModelConfigShape, Owner, ProviderLimitsShape, RateTerms,
};
use super::{Known, budgets, unique};
use crate::limit::Algorithm;

pub(super) fn check(file: &File, known: &Known<'_>, log: &Log<'_>) {
    let root = Path::Root;
    let path = root.field("governance");
    let governance = &file.governance;
    budgets::check(file, known, path.field("budgets"), log);
    check_rate_limits(file, path.field("rate_limits"), log);
    check_model_configs(governance, known, path.field("model_configs"), log);
    check_provider_limits(governance, known, path.field("providers"), log);
    for entity in governance.entities() {
        check_references(&entity, known, log);
    }
}

pub(super) fn check_references(entity: &Entity<'_>, known: &Known<'_>, log: &Log<'_>) {
    let LimitsShape { rate_limit_id, rate_limit, .. } = entity.limits;
    entity.each_named_budget(|id, path| known.budgets.expect(Some(id), path, log));
    entity.place.show(|path| {
        known.rate_limits.expect(rate_limit_id.as_deref(), path.field("rate_limit_id"), log);
        let inline = path.field("rate_limit");
        if let Some(limit) = rate_limit {
            check_terms(&limit.terms, inline, log);
        }
        if rate_limit.is_some() && rate_limit_id.is_some() {
            log.error(inline, "there is a `rate_limit_id` already: write only one of them");
        }
    });
}

fn check_rate_limits(file: &File, list: Path<'_>, log: &Log<'_>) {
    let limits = &file.governance.rate_limits;
    let ids = || limits.iter().map(|limit| &*limit.id);
    unique(ids().enumerate(), list, "id", log);
    for (index, limit) in limits.iter().enumerate() {
        check_terms(&limit.terms, list.item(index), log);
    }
    let mut taken = Taken::new("rate limit", ids());
    for entity in file.governance.entities() {
        entity.each_rate_limit(|limit, path| taken.written(limit.id.as_deref(), path, log));
    }
    for entity in file.governance.entities() {
        entity.each_rate_limit(|limit, path| {
            if limit.id.is_none() {
                taken.made(limit.id_on(entity.owner), entity.owner, path, log);
            }
        });
    }
    warn_of_unused(ids(), &file.limits().used_rate_limits(), list, log);
}

pub(super) fn check_terms(terms: &RateTerms, path: Path<'_>, log: &Log<'_>) {
    check_count(&terms.requests, ["request_max_limit", "request_reset_duration"], path, log);
    check_count(&terms.tokens, ["token_max_limit", "token_reset_duration"], path, log);
    let has = |field| has(path.field(field), log);
    let [requests, tokens, concurrent] = ["request_max_limit", "token_max_limit", "max_concurrent_requests"].map(has);
    if !requests && !tokens && !concurrent {
        let fields = "`request_max_limit`, `token_max_limit` and `max_concurrent_requests`";
        log.error(path, format!("limits nothing: has none of {fields}"));
    } else if !requests && !tokens && terms.algorithm != Algorithm::Rolling {
        let message = "changes nothing: calls in flight have no window, and nothing else is limited here";
        log.warning(path.field("algorithm"), message);
    }
}

fn check_count(limit: &CountLimit, [most, window]: [&'static str; 2], path: Path<'_>, log: &Log<'_>) {
    let has = |field| has(path.field(field), log);
    match (limit.most, limit.window) {
        (Some(_), None) if !has(window) => {
            log.error(path.field(window), format!("required with `{most}`, but missing"));
        }
        (None, Some(_)) if !has(most) => log.error(path.field(most), format!("required with `{window}`, but missing")),
        _ => {}
    }
}

/// Whether anything stands there, be it right or wrong.
fn has(path: Path<'_>, log: &Log<'_>) -> bool {
    !matches!(log.locate(path).0, None | Some(Json::Null))
}

fn check_model_configs(governance: &GovernanceShape, known: &Known<'_>, list: Path<'_>, log: &Log<'_>) {
    let configs = &governance.model_configs;
    unique(configs.iter().map(|config| &*config.id).enumerate(), list, "id", log);
    let mut first_of = HashMap::new();
    for (index, config) in configs.iter().enumerate() {
        let path = list.item(index);
        check_model_config(config, known, path, log);
        if matches!(config.model.as_str(), "" | "*") {
            continue;
        }
        let model = path.field("model_name");
        match first_of.get(&config.owner()) {
            Some(first) => log.error(model, format!("`{}` is for the same model and provider", list.item(*first))),
            None => {
                first_of.insert(config.owner(), index);
            }
        }
    }
}

pub(super) fn check_model_config(config: &ModelConfigShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    if let Some(provider) = &config.provider {
        known.expect_provider(provider.as_str(), path.field("provider"), log);
    }
    warn_of_emptiness(&config.limits, path, log);
    if config.model.as_str() == "*" {
        let message = "names no model; limits of a provider as a whole stand in `providers`";
        log.error(path.field("model_name"), message);
    }
}

fn check_provider_limits(governance: &GovernanceShape, known: &Known<'_>, list: Path<'_>, log: &Log<'_>) {
    let limits = &governance.provider_limits;
    unique(limits.iter().map(|limit| limit.name.as_str()).enumerate(), list, "name", log);
    for (index, limit) in limits.iter().enumerate() {
        check_provider_limit(limit, known, list.item(index), log);
    }
}

pub(super) fn check_provider_limit(limit: &ProviderLimitsShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    known.expect_provider(limit.name.as_str(), path.field("name"), log);
    warn_of_emptiness(&limit.limits, path, log);
}

fn warn_of_emptiness(limits: &LimitsShape, path: Path<'_>, log: &Log<'_>) {
    if limits.is_empty() {
        log.warning(path, "limits nothing: has neither a budget nor a rate limit");
    }
}

/// Notes a warning for each entry of a list that hangs on nothing.
pub(super) fn warn_of_unused<'a>(
    ids: impl Iterator<Item = &'a str>,
    used: &HashSet<&str>,
    list: Path<'_>,
    log: &Log<'_>,
) {
    for (index, id) in ids.enumerate() {
        if !id.is_empty() && !used.contains(id) {
            log.warning(list.item(index).field("id"), "limits nothing: no entity has it");
        }
    }
}

/// The ids of all budgets, or of all rate limits, while those that are written on entities are gone through.
pub(super) struct Taken<'a> {
    what: &'static str,
    /// With the owner where the id was made of it.
    ids: HashMap<String, Option<Owner<'a>>>,
}

impl<'a> Taken<'a> {
    pub(super) fn new<'i>(what: &'static str, listed: impl Iterator<Item = &'i str>) -> Self {
        Self { what, ids: listed.map(|id| (id.to_owned(), None)).collect() }
    }

    /// Checks the id that is written on what stands at `path`, if one is.
    pub(super) fn written(&mut self, id: Option<&str>, path: Path<'_>, log: &Log<'_>) {
        let Some(id) = id.filter(|id| !id.is_empty()) else { return };
        if self.ids.insert(id.to_owned(), None).is_some() {
            log.error(path.field("id"), format!("another {} has this id; it must be unique", self.what));
        }
    }

    /// Checks the id that is made for what stands at `path`. Call it when all written ones are known.
    pub(super) fn made(&mut self, id: String, owner: Owner<'a>, path: Path<'_>, log: &Log<'_>) {
        match self.ids.get(&id) {
            // The same owner, twice or with two of one duration: a mistake that is noted elsewhere.
            Some(Some(other)) if *other == owner => {}
            Some(_) => log.error(path, format!("another {} has the id `{id}`: give this one an `id`", self.what)),
            None => {
                self.ids.insert(id, Some(owner));
            }
        }
    }
}
