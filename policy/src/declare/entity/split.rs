//! A whole file as documents in the normal form, each as it was written but for what the normal form has elsewhere.

use std::collections::HashSet;

use super::super::json::{self, Json};
use super::super::{
    File, FileLimits, GovernanceShape, Owner, PriceOverrideShape, Problem, VirtualKeyShape, Vocabulary, read_file,
};
use super::normal::aligned;
use super::{Entity, Kind};
use crate::limit::Limits;
use crate::provider::Secret;

/// The fields that say what limits an entity, of which the normal form has two only.
pub(super) const LIMITS: [&str; 6] = ["budget_id", "budget_ids", "budget", "budgets", "rate_limit_id", "rate_limit"];
/// The fields that say whose a budget is.
const OWNERS: [&str; 4] = ["virtual_key_id", "provider_config_id", "team_id", "customer_id"];

/// Reads a whole file as [`read`](super::super::read) does, and gives its entities with its warnings, in an order in which they
/// can be put in force.
///
/// # Errors
/// All problems, warnings among them, when one of them keeps the file from being used.
pub fn split(
    json: &str,
    env: impl Fn(&str) -> Option<String>,
    vocabulary: &Vocabulary<'_>,
) -> Result<(Vec<Entity>, Vec<Problem>), Vec<Problem>> {
    let written = json::parse(json)?;
    let (resolved, file, warnings) = read_file(&written, &env, vocabulary)?;
    let limits = file.limits();
    let terms = Terms { file: &file, limits: &limits, aligned: aligned(&limits) };
    // Both forms have the same shape, so what is done to one is done to the other.
    let both = terms.normal(&written).into_iter().zip(terms.normal(&resolved));
    let mut entities: Vec<Entity> = Vec::new();
    for (written, resolved) in both {
        let last = entities.last().filter(|last| last.kind == written.kind);
        let order = last.map_or(0, |last| last.order.saturating_add(1));
        let (document, resolved) = (written.json.compact(), Secret::new(&resolved.json.canonical()));
        entities.push(Entity { kind: written.kind, id: written.id, order, document, resolved });
    }
    Ok((entities, warnings))
}

/// One entity on its way.
struct Part {
    kind: Kind,
    id: Box<str>,
    json: Json,
}

impl Part {
    /// With its id in the document as well, where its kind has it there. It may have been a reference, or absent.
    fn new(kind: Kind, id: &str, json: Json) -> Self {
        let json = match kind.id_field() {
            Some(field) => json.with_first(field, Json::text(id)),
            None => json,
        };
        Self { kind, id: id.into(), json }
    }
}

/// What a file's documents are to say.
struct Terms<'a> {
    file: &'a File,
    limits: &'a FileLimits<'a>,
    /// The ids of the budgets that begin where the calendar says.
    aligned: HashSet<&'a str>,
}

impl Terms<'_> {
    /// The entities of a file that was found to be right.
    fn normal(&self, file: &Json) -> Vec<Part> {
        let governance = file.field("governance").unwrap_or(&Json::Null);
        let mut parts = vec![
            single(Kind::Client, file.field("client")),
            single(Kind::AuthConfig, governance.field("auth_config")),
            Part::new(
                Kind::Plugins,
                Kind::Plugins.as_str(),
                given(file.field("plugins")).unwrap_or(Json::List(vec![])),
            ),
            single(Kind::Framework, file.field("framework")),
        ];
        let providers = file.field("providers").map(Json::fields).unwrap_or_default();
        parts.extend(providers.iter().map(|(name, json)| Part::new(Kind::Provider, name, json.clone())));
        self.budgets(governance, &mut parts);
        self.rate_limits(governance, &mut parts);
        self.owners(governance, &mut parts);
        let keys = self.file.governance.virtual_keys.iter().zip(list(governance, "virtual_keys"));
        parts.extend(keys.map(|(key, json)| Part::new(Kind::VirtualKey, key.id.as_str(), self.key(key, json))));
        let rules = self.file.governance.rules.iter().zip(list(governance, "routing_rules"));
        parts.extend(rules.map(|(rule, json)| Part::new(Kind::RoutingRule, &rule.id, json.clone())));
        let overrides = self.file.overrides().zip(list(governance, "pricing_overrides"));
        parts.extend(overrides.map(|(one, json)| Part::new(Kind::PricingOverride, &one.id, override_json(&one, json))));
        parts
    }

    fn budgets(&self, governance: &Json, parts: &mut Vec<Part>) {
        let shapes = &self.file.governance;
        let listed = shapes.budgets.iter().zip(list(governance, "budgets"));
        for (budget, json) in listed {
            parts.push(self.budget(&budget.id, json.clone().without(&OWNERS)));
        }
        for (owner, json) in with_limits(shapes, governance) {
            for (budget, json) in owner.limits.inline_budgets().zip(inline_budgets(json)) {
                parts.push(self.budget(&budget.id_on(owner.owner), json.clone()));
            }
        }
    }

    fn budget(&self, id: &str, json: Json) -> Part {
        let json = if self.aligned.contains(id) { json.with("calendar_aligned", Json::Bool(true)) } else { json };
        Part::new(Kind::Budget, id, json)
    }

    fn rate_limits(&self, governance: &Json, parts: &mut Vec<Part>) {
        let shapes = &self.file.governance;
        let listed = shapes.rate_limits.iter().zip(list(governance, "rate_limits"));
        parts.extend(listed.map(|(limit, json)| Part::new(Kind::RateLimit, &limit.id, json.clone())));
        for (owner, json) in with_limits(shapes, governance) {
            if let Some((limit, json)) = owner.limits.rate_limit.as_ref().zip(json.field("rate_limit")) {
                parts.push(Part::new(Kind::RateLimit, &limit.id_on(owner.owner), json.clone()));
            }
        }
    }

    /// Models, providers, customers and teams.
    fn owners(&self, governance: &Json, parts: &mut Vec<Part>) {
        let shapes = &self.file.governance;
        for (one, json) in shapes.provider_limits.iter().zip(list(governance, "providers")) {
            let json = self.limited(json, Owner::Provider(one.name.as_str()));
            parts.push(Part::new(Kind::ProviderLimits, one.name.as_str(), json));
        }
        for (one, json) in shapes.model_configs.iter().zip(list(governance, "model_configs")) {
            parts.push(Part::new(Kind::ModelConfig, &one.id, self.limited(json, one.owner())));
        }
        for (one, json) in shapes.customers.iter().zip(list(governance, "customers")) {
            let json = self.limited(json, Owner::Customer(one.id.as_str()));
            parts.push(Part::new(Kind::Customer, one.id.as_str(), json));
        }
        for (one, json) in shapes.teams.iter().zip(list(governance, "teams")) {
            let json = self.limited(json, Owner::Team(one.id.as_str()));
            parts.push(Part::new(Kind::Team, one.id.as_str(), json));
        }
    }

    fn key(&self, key: &VirtualKeyShape, json: &Json) -> Json {
        let normal = self.limited(json, Owner::VirtualKey(key.id.as_str()));
        let normal = normal.with("allow_all_providers", Json::Bool(key.allows_unlisted(self.file.version)));
        let Some(configs) = &key.providers else { return normal };
        let written = json.field("provider_configs").map(Json::items).unwrap_or_default();
        let configs = configs.iter().zip(written);
        let configs = configs.map(|(config, json)| self.limited(json, Owner::of_config(key, config))).collect();
        normal.with("provider_configs", Json::List(configs))
    }

    /// The document of what has limits, which names them.
    fn limited(&self, json: &Json, owner: Owner<'_>) -> Json {
        naming(json.clone(), &self.limits.of(owner))
    }
}

/// The document with these limits and no others.
pub(super) fn naming(json: Json, limits: &Limits) -> Json {
    let mut json = json.without(&LIMITS);
    if !limits.budgets.is_empty() {
        let ids = limits.budgets.iter().map(|id| Json::text(id.as_str())).collect();
        json = json.with("budget_ids", Json::List(ids));
    }
    match &limits.rate_limit {
        Some(id) => json.with("rate_limit_id", Json::text(id.as_str())),
        None => json,
    }
}

/// An override that says its provider.
fn override_json(one: &PriceOverrideShape, json: &Json) -> Json {
    match (&one.provider, json.field("provider_id")) {
        (Some(provider), None | Some(Json::Null)) => json.clone().with("provider_id", Json::text(provider.as_str())),
        _ => json.clone(),
    }
}

/// A section. One that is absent says nothing.
fn single(kind: Kind, json: Option<&Json>) -> Part {
    Part::new(kind, kind.as_str(), given(json).unwrap_or(Json::Object(Vec::new())))
}

fn given(json: Option<&Json>) -> Option<Json> {
    json.filter(|json| !matches!(json, Json::Null)).cloned()
}

fn list<'j>(governance: &'j Json, name: &str) -> &'j [Json] {
    governance.field(name).map(Json::items).unwrap_or_default()
}

/// All that can have limits, each with its document.
fn with_limits<'a>(
    shapes: &'a GovernanceShape,
    governance: &'a Json,
) -> impl Iterator<Item = (super::super::owner::Entity<'a>, &'a Json)> {
    let keys = list(governance, "virtual_keys").iter().flat_map(|key| {
        let configs = key.field("provider_configs").map(Json::items).unwrap_or_default();
        std::iter::once(key).chain(configs)
    });
    let others = ["teams", "customers", "model_configs", "providers"];
    let others = others.into_iter().flat_map(|name| list(governance, name));
    shapes.entities().zip(keys.chain(others))
}

/// The budgets that are written on an entity, in the order in which the shape has them.
fn inline_budgets(json: &Json) -> impl Iterator<Item = &Json> {
    let one = json.field("budget").filter(|json| !matches!(json, Json::Null));
    let several = json.field("budgets").map(Json::items).unwrap_or_default();
    one.into_iter().chain(several)
}
