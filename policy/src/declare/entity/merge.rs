//! What the body of a request makes of an entity: absent fields stay, `null` removes, limits that are written in place become
//! entities of their own. Documents in, documents out; whether they are right is told when they are read.

mod limits;

use super::super::Problem;
use super::super::json::{self, Json};
use super::super::owner::Owner;
use super::super::path::Path;
use super::super::problem::Log;
use super::Kind;
use limits::{Change, Limited};

/// A document in the normal form that a body leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What it is.
    pub kind: Kind,
    /// Which of its kind.
    pub id: Box<str>,
    /// What it says, as compact JSON.
    pub document: String,
    /// Where in the body it stands, as `provider_configs[0].budgets[1]`; empty for the body itself. What is wrong with it is
    /// wrong there.
    pub at: String,
}

impl Written {
    /// A problem of the document, with its place in the body.
    #[must_use]
    pub fn place(&self, problem: Problem) -> Problem {
        let path = match (&*self.at, &*problem.path) {
            (at, "") => at.to_owned(),
            ("", path) => path.to_owned(),
            (at, path) if path.starts_with('[') => format!("{at}{path}"),
            (at, path) => format!("{at}.{path}"),
        };
        Problem { path, ..problem }
    }
}

/// What a body makes of an entity and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalised {
    /// The entity. It names the budgets and the rate limits, so they are put in force first.
    pub entity: Written,
    /// The budgets that are new or different.
    pub budgets: Vec<Written>,
    /// The rate limits that are new or different.
    pub rate_limits: Vec<Written>,
    /// The limits that were made for this entity and that it no longer names. To be removed after it is in force, unless
    /// something else names them.
    pub removed: Vec<(Kind, Box<str>)>,
}

/// Fields of which `null` means something else than being absent.
const NULLABLE: [&str; 1] = ["weight"];
/// Fields of stored keys that nobody may write.
const STORED_ONLY: [&str; 2] = ["value_hash", "value_hashes"];

/// What a body makes of an entity. `stored` is its document, `None` where it is to be created; `rows` gives the documents of
/// budgets and rate limits.
///
/// Fields of the body replace those of the document. On what has limits, `rate_limit` is merged field by field and goes where both
/// its limits are `null`; `budget` and `budgets` are all that there are from now on, and each that has the duration of an earlier
/// one is that one, changed: its usage stays. `provider_configs` are all that there are, too: one with the `id` of an earlier one
/// is merged into it, one without replaces that of the same provider and keeps its `id`.
///
/// # Errors
/// A body that is no JSON object, has a field twice or contradicts itself.
pub fn merge(
    kind: Kind,
    id: &str,
    stored: Option<&str>,
    body: &str,
    rows: &dyn Fn(Kind, &str) -> Option<String>,
) -> Result<Normalised, Vec<Problem>> {
    let body = json::parse(body)?;
    let before = stored.map(json::parse).transpose()?;
    let log = Log::new(&body);
    let mut merge = Merge { kind, id, is_new: before.is_none(), rows, log: &log, changed: Limited::default() };
    let document = merge.entity(before.unwrap_or(Json::Object(Vec::new())), &body);
    let Limited { budgets, rate_limits, removed } = merge.changed;
    let problems = log.into_problems();
    if !problems.is_empty() {
        return Err(problems);
    }
    let entity = Written { kind, id: id.into(), document: document.compact(), at: String::new() };
    Ok(Normalised { entity, budgets, rate_limits, removed })
}

/// The limits that were made for an entity and go with it, unless something else names them. `stored` is its document.
#[must_use]
pub fn made_for(kind: Kind, id: &str, stored: &str) -> Vec<(Kind, Box<str>)> {
    let (Ok(before), nothing) = (json::parse(stored), Json::Object(Vec::new())) else { return Vec::new() };
    let log = Log::new(&nothing);
    let mut merge = Merge { kind, id, is_new: false, rows: &|_, _| None, log: &log, changed: Limited::default() };
    let calendar = Calendar { is_aligned: false, is_changed: false };
    if let Some(owner) = merge.owner_of(&before) {
        let change = Change { owner, before: &before, body: &nothing, calendar, is_whole: true };
        merge.limited(Json::Null, &change, Path::Root);
    }
    for config in before.field("provider_configs").map(Json::items).unwrap_or_default() {
        let owner = merge.config_owner(config);
        let change = Change { owner, before: config, body: &nothing, calendar, is_whole: true };
        merge.limited(Json::Null, &change, Path::Root);
    }
    merge.changed.removed
}

/// A merge under way.
struct Merge<'a> {
    kind: Kind,
    id: &'a str,
    is_new: bool,
    rows: &'a dyn Fn(Kind, &str) -> Option<String>,
    log: &'a Log<'a>,
    changed: Limited,
}

impl<'a> Merge<'a> {
    fn entity(&mut self, before: Json, body: &Json) -> Json {
        if self.kind == Kind::Plugins {
            return body.clone();
        }
        self.check_body(body);
        let after = match self.kind {
            Kind::VirtualKey => self.key(&before, body),
            Kind::Team | Kind::Customer | Kind::ProviderLimits | Kind::ModelConfig => self.owner(&before, body),
            _ => merged(before, body, &[]),
        };
        match self.kind.id_field() {
            Some(field) if after.field(field).is_none() => after.with_first(field, Json::text(self.id)),
            _ => after,
        }
    }

    fn check_body(&self, body: &Json) {
        let root = Path::Root;
        self.check_object(body, root);
        for (index, (name, _)) in body.fields().iter().enumerate() {
            if body.fields().iter().take(index).any(|(earlier, _)| earlier == name) {
                self.log.error_about_secret(root.field(name), "this field stands here twice");
            } else if STORED_ONLY.contains(&&**name) {
                self.log.error_about_secret(root.field(name), "unknown field");
            }
        }
    }

    /// Whether there are fields to merge. What is none has no field that says anything, and would change nothing without a word.
    fn check_object(&self, item: &Json, at: Path<'_>) -> bool {
        let is_object = matches!(item, Json::Object(_));
        if !is_object {
            self.log.error_about_secret(at, format!("expected an object, found {}", item.kind()));
        }
        is_object
    }

    fn owner(&mut self, before: &Json, body: &Json) -> Json {
        let after = merged(before.clone(), body, &limits::FIELDS);
        self.limited_owner(after, before, body)
    }

    fn key(&mut self, before: &Json, body: &Json) -> Json {
        let mut after = merged(before.clone(), body, &[&limits::FIELDS[..], &["provider_configs"]].concat());
        if body.field("value").is_some_and(|value| !matches!(value, Json::Null)) {
            after = after.without(&STORED_ONLY);
        }
        if matches!(after.field("allow_all_providers"), None | Some(Json::Null)) {
            after = after.with("allow_all_providers", Json::Bool(false));
        }
        let calendar = Calendar::of(before, &after);
        let after = self.limited_owner(after, before, body);
        self.configs(after, before, body, calendar)
    }

    /// The document with the limits that it has from now on.
    fn limited_owner(&mut self, after: Json, before: &Json, body: &Json) -> Json {
        let named = after.clone();
        let Some(owner) = self.owner_of(&named) else { return after };
        let change = Change { owner, before, body, calendar: Calendar::of(before, &after), is_whole: false };
        self.limited(after, &change, Path::Root)
    }

    fn owner_of<'o>(&self, json: &'o Json) -> Option<Owner<'o>>
    where
        'a: 'o,
    {
        let text = |name| json.field(name).and_then(Json::as_text);
        Some(match self.kind {
            Kind::VirtualKey => Owner::VirtualKey(self.id),
            Kind::Team => Owner::Team(self.id),
            Kind::Customer => Owner::Customer(self.id),
            Kind::ProviderLimits => Owner::Provider(self.id),
            Kind::ModelConfig => {
                Owner::Model { provider: text("provider"), model: text("model_name").unwrap_or_default() }
            }
            _ => return None,
        })
    }

    fn configs(&mut self, after: Json, before: &Json, body: &Json, calendar: Calendar) -> Json {
        let old = before.field("provider_configs").map(Json::items).unwrap_or_default();
        let root = Path::Root;
        let list = root.field("provider_configs");
        let Some(new) = body.field("provider_configs") else {
            // What follows the calendar may have changed.
            old.iter().for_each(|config| self.keep_config(config, calendar));
            return after;
        };
        let taken: Vec<_> = new.items().iter().map(|item| find(old, item)).collect();
        for (index, config) in old.iter().enumerate() {
            if !taken.contains(&Some(index)) {
                let nothing = Json::Object(Vec::new());
                let change = Change {
                    owner: self.config_owner(config),
                    before: config,
                    body: &nothing,
                    calendar,
                    is_whole: true,
                };
                self.limited(Json::Null, &change, list);
            }
        }
        match new {
            Json::Null => after.without(&["provider_configs"]),
            Json::List(items) => {
                let known = items.iter().zip(taken).enumerate();
                let configs = known
                    .map(|(index, (item, known))| {
                        self.config(item, known.and_then(|known| old.get(known)), list.item(index), calendar)
                    })
                    .collect();
                after.with("provider_configs", Json::List(configs))
            }
            // Reading it tells what is wrong.
            other => after.with("provider_configs", other.clone()),
        }
    }

    fn config(&mut self, item: &Json, known: Option<&Json>, path: Path<'_>, calendar: Calendar) -> Json {
        let nothing = Json::Object(Vec::new());
        let is_named = item.field("id").is_some_and(|id| !matches!(id, Json::Null));
        if is_named && known.is_none() && !self.is_new {
            self.log.error(path.field("id"), "this key has no provider config of this id");
        }
        let base = match known {
            Some(known) if is_named => known.clone(),
            Some(known) => known.field("id").map_or(nothing.clone(), |id| nothing.clone().with("id", id.clone())),
            None => nothing.clone(),
        };
        let after = merged(base, item, &limits::FIELDS);
        let named = after.clone();
        let change = Change {
            owner: self.config_owner(&named),
            before: known.unwrap_or(&nothing),
            body: item,
            calendar,
            is_whole: !is_named,
        };
        self.limited(after, &change, path)
    }

    fn keep_config(&mut self, config: &Json, calendar: Calendar) {
        let nothing = Json::Object(Vec::new());
        let change =
            Change { owner: self.config_owner(config), before: config, body: &nothing, calendar, is_whole: false };
        self.limited(Json::Null, &change, Path::Root);
    }

    fn config_owner<'o>(&self, config: &'o Json) -> Owner<'o>
    where
        'a: 'o,
    {
        let provider = config.field("provider").and_then(Json::as_text).unwrap_or_default();
        match config.field("id").and_then(Json::as_id) {
            Some(id) => Owner::ProviderConfig(id),
            None => Owner::UnnamedConfig { key: self.id, provider },
        }
    }
}

/// Whether an owner's budgets follow the calendar.
#[derive(Clone, Copy)]
struct Calendar {
    is_aligned: bool,
    is_changed: bool,
}

impl Calendar {
    fn of(before: &Json, after: &Json) -> Self {
        let [before, after] =
            [before, after].map(|json| matches!(json.field("calendar_aligned"), Some(Json::Bool(true))));
        Self { is_aligned: after, is_changed: before != after }
    }
}

/// The document with the fields of a body but for some: `null` removes.
fn merged(before: Json, body: &Json, but: &[&str]) -> Json {
    let fields = body.fields().iter().filter(|(name, _)| !but.contains(&&**name));
    fields.fold(before, |after, (name, value)| match value {
        Json::Null if !NULLABLE.contains(&&**name) => after.without(&[name]),
        value => after.with(name, value.clone()),
    })
}

/// The place of the provider config that a body's item means: that of its `id`, or without one that of its provider.
fn find(old: &[Json], item: &Json) -> Option<usize> {
    let id = item.field("id").and_then(Json::as_id);
    let provider = item.field("provider").and_then(Json::as_text);
    old.iter().position(|config| match id {
        Some(id) => config.field("id").and_then(Json::as_id) == Some(id),
        None => provider.is_some() && config.field("provider").and_then(Json::as_text) == provider,
    })
}
