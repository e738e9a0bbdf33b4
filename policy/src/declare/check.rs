//! Checks across entries: what refers to what, and what may stand only once. Everything is gone through, so that all
//! mistakes are found at once. Stand-ins (empty names) are passed over: their mistake is noted already.

mod budgets;
mod keys;
mod limits;
mod one;
mod prices;
mod providers;
mod reach;
mod rules;

use std::collections::HashMap;

use crate::list::AllowList;

use super::entity::Kind;
use super::nearest::hint;
use super::path::Path;
use super::problem::Log;
use super::world::{FileWorld, Ids, World};
use super::{ClientShape, File, StoreShape, Vocabulary};

pub(super) use one::check_one;

/// Checks the whole file.
pub(super) fn check(file: &File, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    let world = FileWorld::of(file);
    let configs = file.governance.virtual_keys.iter().flat_map(|key| key.providers.iter().flatten());
    let known = Known::of(&world, Ids::new(configs.filter_map(|config| config.id.as_deref())));
    providers::check(file, &known, vocabulary, log);
    keys::check(file, &known, log);
    limits::check(file, &known, log);
    rules::check(file, &known, log);
    prices::check(file, &known, log);
    reach::check(file, log);
    check_client(&file.client, Path::Root.field("client"), log);
    file.logs_store.check(file.config_store.as_ref(), Path::Root.field("logs_store"), log);
    if matches!(file.config_store, Some(StoreShape::Postgres(_))) {
        refuse_contents(file, log);
    }
}

/// Notes an error wherever it is asked for that what is said in calls is kept.
fn refuse_contents(file: &File, log: &Log<'_>) {
    let refuse = |path: Path<'_>, possible: &str| {
        log.error(
            path,
            format!("what is said in calls is not kept in PostgreSQL yet: set this to {possible}, or leave it out"),
        );
    };
    let (client, logging) = (Path::Root.field("client"), &file.client.logging);
    if logging.keeps_content {
        refuse(client.field("disable_content_logging"), "true");
    }
    if logging.is_content_asked {
        refuse(client.field("allow_per_request_content_storage_override"), "false");
    }
    let governance = Path::Root.field("governance");
    let keys = governance.field("virtual_keys");
    for (index, _) in file.governance.virtual_keys.iter().enumerate().filter(|(_, key)| key.keeps_content == Some(true))
    {
        refuse(keys.item(index).field("disable_content_logging"), "true");
    }
}

fn check_client(client: &ClientShape, path: Path<'_>, log: &Log<'_>) {
    if client.max_buffered_bytes < client.max_request_body_bytes {
        let message = "smaller than one body may be (`max_request_body_size_mb`)";
        log.error(path.field("max_buffered_bytes"), message);
    }
}

/// What can be referred to.
struct Known<'a> {
    world: &'a dyn World,
    virtual_keys: Refs<'a>,
    teams: Refs<'a>,
    customers: Refs<'a>,
    budgets: Refs<'a>,
    rate_limits: Refs<'a>,
    provider_configs: Configs<'a>,
}

/// The entities of one kind.
struct Refs<'a> {
    kind: Kind,
    world: &'a dyn World,
}

impl Refs<'_> {
    /// Notes an error when there is no such id.
    fn expect(&self, id: Option<&str>, path: Path<'_>, log: &Log<'_>) {
        if let Some(id) = id.filter(|id| !id.is_empty() && !self.world.has(self.kind, id)) {
            log.error(path, format!("no {} has this id{}", self.kind.label(), hint(id, self.world.ids(self.kind))));
        }
    }
}

/// The entries of `provider_configs` that have an id; only budgets of a file refer to them.
struct Configs<'a>(Ids<'a>);

impl Configs<'_> {
    /// Notes an error when there is no such id.
    fn expect(&self, id: Option<&str>, path: Path<'_>, log: &Log<'_>) {
        if let Some(id) = id.filter(|id| !id.is_empty() && !self.0.contains(id)) {
            log.error(path, format!("no provider config has this id{}", hint(id, self.0.in_order())));
        }
    }
}

impl<'a> Known<'a> {
    fn of(world: &'a dyn World, provider_configs: Ids<'a>) -> Self {
        let refs = |kind| Refs { kind, world };
        Self {
            world,
            virtual_keys: refs(Kind::VirtualKey),
            teams: refs(Kind::Team),
            customers: refs(Kind::Customer),
            budgets: refs(Kind::Budget),
            rate_limits: refs(Kind::RateLimit),
            provider_configs: Configs(provider_configs),
        }
    }

    /// Notes a warning when no such provider is configured.
    fn expect_provider(&self, name: &str, path: Path<'_>, log: &Log<'_>) {
        if !name.is_empty() && !self.world.has(Kind::Provider, name) {
            let guess = super::nearest::nearest(name, self.world.ids(Kind::Provider));
            let guess = guess.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            log.warning(path, format!("no provider of this name is configured, so nothing goes to it{guess}"));
        }
    }

    /// Checks that a provider has the key of that name. Of a provider that is not configured, that is a warning.
    fn expect_credential(&self, provider: &str, credential: &str, path: Path<'_>, log: &Log<'_>) {
        if provider.is_empty() || credential.is_empty() {
            return;
        }
        let Some(names) = self.world.keys_of(provider) else {
            return log.warning(path, "its provider is not configured, so this key is not there yet");
        };
        if !names.contains(&credential) {
            log.misfit(path, format!("provider `{provider}` has no key of this name{}", hint(credential, names)));
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
