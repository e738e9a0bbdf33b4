//! Checks across entries: what refers to what, and what may stand only once. Everything is gone through, so that all
//! mistakes are found at once. Stand-ins (empty names) are passed over: their mistake is noted already.

mod budgets;
mod keys;
mod limits;
mod prices;
mod providers;
mod reach;
mod rules;

use std::collections::{HashMap, HashSet};

use crate::list::AllowList;

use super::nearest::hint;
use super::path::Path;
use super::problem::Log;
use super::{File, LimitsShape, ProviderShape, Vocabulary};

/// Checks the whole file.
pub(super) fn check(file: &File, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    let known = Known::of(file);
    providers::check(file, vocabulary, log);
    keys::check(file, &known, log);
    limits::check(file, &known, log);
    rules::check(file, &known, log);
    prices::check(file, &known, log);
    reach::check(file, log);
    check_client(file, log);
}

fn check_client(file: &File, log: &Log<'_>) {
    if file.client.max_buffered_bytes < file.client.max_request_body_bytes {
        let root = Path::Root;
        let client = root.field("client");
        log.error(client.field("max_buffered_bytes"), "smaller than one body may be (`max_request_body_size_mb`)");
    }
}

/// What can be referred to.
struct Known<'a> {
    providers: HashMap<&'a str, &'a ProviderShape>,
    provider_names: Vec<&'a str>,
    virtual_keys: Ids<'a>,
    teams: Ids<'a>,
    customers: Ids<'a>,
    budgets: Ids<'a>,
    rate_limits: Ids<'a>,
    provider_configs: Ids<'a>,
}

/// The ids of one kind of entry.
struct Ids<'a> {
    what: &'static str,
    in_order: Vec<&'a str>,
    set: HashSet<&'a str>,
}

impl<'a> Ids<'a> {
    fn new(what: &'static str, ids: impl Iterator<Item = &'a str>) -> Self {
        let in_order: Vec<_> = ids.filter(|id| !id.is_empty()).collect();
        let set = in_order.iter().copied().collect();
        Self { what, in_order, set }
    }

    /// Notes an error when there is no such id.
    fn expect(&self, id: Option<&str>, path: Path<'_>, log: &Log<'_>) {
        if let Some(id) = id.filter(|id| !id.is_empty() && !self.set.contains(id)) {
            log.error(path, format!("no {} has this id{}", self.what, hint(id, self.in_order.iter().copied())));
        }
    }
}

impl<'a> Known<'a> {
    fn of(file: &'a File) -> Self {
        let governance = &file.governance;
        let configs = governance.virtual_keys.iter().flat_map(|key| key.providers.iter().flatten());
        let limits = || governance.entities().map(|entity| entity.limits);
        let inline_budgets = limits().flat_map(LimitsShape::inline_budgets).filter_map(|budget| budget.id.as_deref());
        let inline_limits = limits().filter_map(|limits| limits.rate_limit.as_ref()?.id.as_deref());
        Self {
            providers: file.providers.iter().map(|provider| (provider.name.as_str(), provider)).collect(),
            provider_names: file.providers.iter().map(|provider| provider.name.as_str()).collect(),
            virtual_keys: Ids::new("virtual key", governance.virtual_keys.iter().map(|key| key.id.as_str())),
            teams: Ids::new("team", governance.teams.iter().map(|team| team.id.as_str())),
            customers: Ids::new("customer", governance.customers.iter().map(|customer| customer.id.as_str())),
            budgets: Ids::new("budget", governance.budgets.iter().map(|budget| &*budget.id).chain(inline_budgets)),
            rate_limits: Ids::new("rate limit", governance.rate_limits.iter().map(|one| &*one.id).chain(inline_limits)),
            provider_configs: Ids::new("provider config", configs.filter_map(|config| config.id.as_deref())),
        }
    }

    /// Notes a warning when no such provider is configured.
    fn expect_provider(&self, name: &str, path: Path<'_>, log: &Log<'_>) {
        if !name.is_empty() && !self.providers.contains_key(name) {
            let guess = super::nearest::nearest(name, self.provider_names.iter().copied());
            let guess = guess.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            log.warning(path, format!("no provider of this name is configured, so nothing goes to it{guess}"));
        }
    }

    /// Checks that a provider has the key of that name. Of a provider that is not configured, that is a warning.
    fn expect_credential(&self, provider: &str, credential: &str, path: Path<'_>, log: &Log<'_>) {
        if provider.is_empty() || credential.is_empty() {
            return;
        }
        let Some(shape) = self.providers.get(provider) else {
            return log.warning(path, "its provider is not configured, so this key is not there yet");
        };
        let names = shape.credentials.iter().map(|known| known.name.as_str());
        if !names.clone().any(|name| name == credential) {
            log.error(path, format!("provider `{provider}` has no key of this name{}", hint(credential, names)));
        }
    }

    /// Checks each name of a list of a provider's keys.
    fn expect_credentials(&self, provider: &str, list: &AllowList, path: Path<'_>, log: &Log<'_>) {
        // The list is a set and has forgotten the order; the log can tell where a name stands.
        for name in list.as_names().into_iter().flatten() {
            let index = log.index_of(path, name).unwrap_or(0);
            self.expect_credential(provider, name, path.item(index), log);
        }
    }
}

/// Notes an error for every text that stands a second time. Empty ones are stand-ins.
fn unique<'a>(entries: impl Iterator<Item = (usize, &'a str)>, list: Path<'_>, field: &'static str, log: &Log<'_>) {
    let mut first_of = HashMap::new();
    for (index, text) in entries.filter(|(_, text)| !text.is_empty()) {
        if let Some(first) = first_of.get(text) {
            let first = list.item(*first);
            let message = format!("the same as `{first}.{field}`; it must be unique");
            log.error_about_secret(list.item(index).field(field), message);
        } else {
            first_of.insert(text, index);
        }
    }
}
