//! The limits of what a body changes: those written in place become entities, those no longer named are let go.

use super::super::super::json::{self, Json};
use super::super::super::owner::Owner;
use super::super::super::path::Path;
use super::super::Kind;
use super::super::split::{LIMITS, naming};
use super::{Calendar, Merge, Written, merged};
use crate::limit::Limits;
use crate::window::ResetDuration;

/// The fields that say what limits an entity.
pub(super) const FIELDS: [&str; 6] = LIMITS;

/// The limits that a body changes.
#[derive(Default)]
pub(super) struct Limited {
    pub(super) budgets: Vec<Written>,
    pub(super) rate_limits: Vec<Written>,
    pub(super) removed: Vec<(Kind, Box<str>)>,
}

/// What becomes of one entity that has limits.
pub(super) struct Change<'a> {
    pub(super) owner: Owner<'a>,
    /// Its document as it was.
    pub(super) before: &'a Json,
    /// What the body says of it.
    pub(super) body: &'a Json,
    pub(super) calendar: Calendar,
    /// Whether it has no limits but those that the body says.
    pub(super) is_whole: bool,
}

impl Change<'_> {
    /// What the body says in a field: `Some(None)` where it says `null`.
    fn said(&self, field: &str) -> Option<Option<&Json>> {
        let said = self.body.field(field).map(|value| Some(value).filter(|value| !matches!(value, Json::Null)));
        said.or(self.is_whole.then_some(None))
    }

    /// The budgets that it had.
    fn budgets(&self) -> Vec<Box<str>> {
        let ids = self.before.field("budget_ids").map(Json::items).unwrap_or_default();
        ids.iter().filter_map(Json::as_text).map(Into::into).collect()
    }

    /// The rate limit that it had.
    fn rate_limit(&self) -> Option<Box<str>> {
        self.before.field("rate_limit_id").and_then(Json::as_text).map(Into::into)
    }

    /// Whether a budget was made for it.
    fn is_own_budget(&self, id: &str) -> bool {
        let rest = id.strip_prefix(&*self.owner.to_string()).and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|reset| !reset.contains('/'))
    }
}

impl Merge<'_> {
    /// The document with the limits that it has from now on.
    pub(super) fn limited(&mut self, after: Json, change: &Change<'_>, path: Path<'_>) -> Json {
        let budgets = self.budgets(change, path);
        let rate_limit = self.rate_limit(change, path);
        for old in change.budgets().into_iter().filter(|old| !budgets.contains(old) && change.is_own_budget(old)) {
            self.changed.removed.push((Kind::Budget, old));
        }
        let was_own = change.rate_limit().filter(|old| **old == *change.owner.to_string());
        if let Some(old) = was_own.filter(|old| rate_limit.as_ref() != Some(old)) {
            self.changed.removed.push((Kind::RateLimit, old));
        }
        self.align(change, &budgets);
        let limits = Limits {
            budgets: budgets.iter().map(|id| (&**id).into()).collect(),
            rate_limit: rate_limit.as_deref().map(Into::into),
        };
        naming(after, &limits)
    }

    fn budgets(&mut self, change: &Change<'_>, path: Path<'_>) -> Vec<Box<str>> {
        let said = ["budget_id", "budget_ids", "budget", "budgets"].map(|field| change.said(field));
        if said.iter().all(Option::is_none) {
            return change.budgets();
        }
        let [id, ids, one, several] = said.map(Option::flatten);
        let mut all: Vec<Box<str>> = Vec::new();
        for (named, at) in [(id, path.field("budget_id")), (ids, path.field("budget_ids"))] {
            let Some(named) = named else { continue };
            let texts = if let Json::List(items) = named { items } else { std::slice::from_ref(named) };
            for text in texts {
                match text.as_text() {
                    Some(text) => all.push(text.into()),
                    None => self.log.error(at, format!("expected the id of a budget, found {}", text.kind())),
                }
            }
        }
        let list = path.field("budgets");
        if let Some(one) = one {
            self.budget(one, change, path.field("budget"), &mut all);
        }
        match several {
            Some(Json::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.budget(item, change, list.item(index), &mut all);
                }
            }
            Some(other) => self.log.error_about_secret(list, format!("expected a list, found {}", other.kind())),
            None => {}
        }
        all
    }

    /// A budget that is written in place, as an entity.
    fn budget(&mut self, item: &Json, change: &Change<'_>, at: Path<'_>, all: &mut Vec<Box<str>>) {
        if !self.check_object(item, at) {
            return;
        }
        let current = change.budgets();
        let reset = item.field("reset_duration").and_then(Json::as_text);
        let known = match (item.field("id").and_then(Json::as_text), reset) {
            (Some(id), _) => current.iter().find(|old| ***old == *id),
            (None, Some(reset)) => current.iter().find(|old| self.has_duration(old, reset)),
            // It says no duration, so it is meant to be the one that there is.
            (None, None) => current.first().filter(|_| current.len() == 1),
        };
        let id = match (known, item.field("id").and_then(Json::as_text)) {
            (Some(known), _) => known.clone(),
            (None, Some(id)) => id.into(),
            (None, None) => made(change.owner, reset).into(),
        };
        if all.contains(&id) {
            return self
                .log
                .error(at.field("reset_duration"), "another budget of the same owner has the same duration");
        }
        let before = self.row(Kind::Budget, &id);
        if known.is_none() && before.is_some() {
            return self.taken("budget", &id, item, at);
        }
        let mut after = merged(before.unwrap_or(Json::Object(Vec::new())), item, &[]);
        if change.calendar.is_aligned && after.field("calendar_aligned").is_none() {
            after = after.with("calendar_aligned", Json::Bool(true));
        }
        let after = after.with_first("id", Json::text(&id));
        self.changed.budgets.push(written(Kind::Budget, &id, &after, at));
        all.push(id);
    }

    fn rate_limit(&mut self, change: &Change<'_>, path: Path<'_>) -> Option<Box<str>> {
        let current = change.rate_limit();
        let at = path.field("rate_limit");
        match (change.said("rate_limit"), change.said("rate_limit_id")) {
            (None, None) => current,
            (Some(Some(_)), Some(Some(_))) => {
                self.log.error_about_secret(at, "there is a `rate_limit_id` already: write only one of them");
                None
            }
            (Some(Some(item)), _) if !says_none(item) => self.inline_rate_limit(item, change, at),
            (_, Some(Some(named))) => {
                if named.as_text().is_none() {
                    let message = format!("expected the id of a rate limit, found {}", named.kind());
                    self.log.error(path.field("rate_limit_id"), message);
                }
                named.as_text().map(Into::into)
            }
            _ => None,
        }
    }

    /// A rate limit that is written in place, as an entity.
    fn inline_rate_limit(&mut self, item: &Json, change: &Change<'_>, at: Path<'_>) -> Option<Box<str>> {
        if !self.check_object(item, at) {
            return None;
        }
        let written_id = item.field("id").and_then(Json::as_text);
        let known = change.rate_limit().filter(|old| written_id.is_none_or(|id| **old == *id));
        let id = known.clone().or(written_id.map(Into::into)).unwrap_or_else(|| change.owner.to_string().into());
        let before = self.row(Kind::RateLimit, &id);
        if known.is_none() && before.is_some() {
            self.taken("rate limit", &id, item, at);
            return None;
        }
        let mut after = merged(before.unwrap_or(Json::Object(Vec::new())), item, &[]);
        for (most, window) in WINDOWS {
            // A limit that is taken away takes its window with it.
            if matches!(item.field(most), Some(Json::Null)) && item.field(window).is_none() {
                after = after.without(&[window]);
            }
        }
        let after = after.with_first("id", Json::text(&id));
        self.changed.rate_limits.push(written(Kind::RateLimit, &id, &after, at));
        Some(id)
    }

    /// Lets an owner's budgets follow the calendar, or no longer. Those that others may have too are not taken off it.
    fn align(&mut self, change: &Change<'_>, budgets: &[Box<str>]) {
        let Calendar { is_aligned, is_changed } = change.calendar;
        for id in budgets.iter().filter(|_| is_changed) {
            let is_written = self.changed.budgets.iter().any(|one| one.id == *id);
            if is_written || !(is_aligned || change.is_own_budget(id)) {
                continue;
            }
            if let Some(before) = self.row(Kind::Budget, id) {
                let after = before.with("calendar_aligned", Json::Bool(is_aligned));
                self.changed.budgets.push(written(Kind::Budget, id, &after, Path::Root.field("calendar_aligned")));
            }
        }
    }

    fn has_duration(&self, id: &str, reset: &str) -> bool {
        let row = self.row(Kind::Budget, id);
        let has = row.as_ref().and_then(|row| row.field("reset_duration")).and_then(Json::as_text);
        match (has.map(str::parse::<ResetDuration>), reset.parse::<ResetDuration>()) {
            (Some(Ok(has)), Ok(reset)) => has == reset,
            _ => false,
        }
    }

    fn row(&self, kind: Kind, id: &str) -> Option<Json> {
        json::parse(&(self.rows)(kind, id)?).ok()
    }

    fn taken(&self, what: &str, id: &str, item: &Json, at: Path<'_>) {
        if item.field("id").is_some() {
            self.log.error(at.field("id"), format!("another {what} has this id; it must be unique"));
        } else {
            self.log.error(at, format!("another {what} has the id `{id}`: give this one an `id`"));
        }
    }
}

const WINDOWS: [(&str, &str); 2] =
    [("request_max_limit", "request_reset_duration"), ("token_max_limit", "token_reset_duration")];

/// Whether a rate limit says that there is none: its limits are `null`, and it has no other.
fn says_none(item: &Json) -> bool {
    let is_null = |field: &str| matches!(item.field(field), Some(Json::Null));
    WINDOWS.iter().all(|(most, _)| is_null(most))
        && matches!(item.field("max_concurrent_requests"), None | Some(Json::Null))
}

/// The id of a budget that is made for its owner. Where its duration is none, reading it tells so.
fn made(owner: Owner<'_>, reset: Option<&str>) -> String {
    let written = reset.unwrap_or_default();
    let reset = written.parse::<ResetDuration>().map_or_else(|_| written.to_owned(), |reset| reset.to_string());
    format!("{owner}/{reset}")
}

fn written(kind: Kind, id: &str, json: &Json, at: Path<'_>) -> Written {
    Written { kind, id: id.into(), document: json.compact(), at: at.to_string() }
}
