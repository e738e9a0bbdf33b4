//! Virtual keys, teams and customers: are they unique, and is there what they refer to.

use super::super::password::{self, is_password_hash};
use super::super::path::Path;
use super::super::problem::Log;
use super::super::{AuthShape, File, ProviderConfigShape, TeamShape, Version, VirtualKeyShape};
use super::{Known, unique};
use crate::provider::Secret;

pub(super) fn check(file: &File, known: &Known<'_>, log: &Log<'_>) {
    let root = Path::Root;
    let governance = root.field("governance");
    check_keys(file, known, governance.field("virtual_keys"), log);
    check_teams(file, known, governance.field("teams"), log);
    check_customers(file, governance.field("customers"), log);
    check_auth(&file.governance.auth, governance.field("auth_config"), log);
}

fn check_keys(file: &File, known: &Known<'_>, list: Path<'_>, log: &Log<'_>) {
    let keys = &file.governance.virtual_keys;
    let texts = |text: fn(&VirtualKeyShape) -> &str| keys.iter().map(text).enumerate();
    unique(texts(|key| key.id.as_str()), list, "id", log);
    unique(texts(|key| &key.name), list, "name", log);
    unique(texts(|key| key.value.as_ref().map_or("", |value| value.reveal())), list, "value", log);
    for (index, key) in keys.iter().enumerate() {
        check_key(key, file.version, known, list.item(index), log);
    }
    check_config_ids(keys, list, log);
}

pub(super) fn check_key(key: &VirtualKeyShape, version: Version, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    check_belonging(key, version, known, path, log);
    let configs = path.field("provider_configs");
    let named = key.providers.iter().flatten().map(|config| config.provider.as_str());
    unique(named.enumerate(), configs, "provider", log);
    for (index, config) in key.providers.iter().flatten().enumerate() {
        check_config(config, known, configs.item(index), log);
    }
}

fn check_belonging(key: &VirtualKeyShape, version: Version, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    if key.team.is_some() && key.customer.is_some() {
        log.error(path.field("customer_id"), "a key has a `team_id` or a `customer_id`, not both");
    }
    known.teams.expect(key.team.as_ref().map(|id| id.as_str()), path.field("team_id"), log);
    known.customers.expect(key.customer.as_ref().map(|id| id.as_str()), path.field("customer_id"), log);
    let says_nothing = key.providers.is_none() && key.allow_all_providers.is_none();
    if says_nothing && version == Version::V2 {
        let message = "allows no provider: has neither `provider_configs` nor `allow_all_providers`";
        log.warning(path, message);
    }
}

fn check_config(config: &ProviderConfigShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    let provider = config.provider.as_str();
    known.expect_provider(provider, path.field("provider"), log);
    let preferred = path.field("key_ids");
    let written = if log.locate(preferred).0.is_some() { preferred } else { path.field("keys") };
    known.expect_credentials(provider, &config.credentials, written, log);
}

/// Budgets refer to a provider config by its id alone, so it must be unique among all keys.
fn check_config_ids(keys: &[VirtualKeyShape], list: Path<'_>, log: &Log<'_>) {
    let mut seen = std::collections::HashSet::new();
    for (key_index, key) in keys.iter().enumerate() {
        for (index, config) in key.providers.iter().flatten().enumerate() {
            let Some(id) = config.id.as_deref().filter(|id| !id.is_empty()) else { continue };
            if !seen.insert(id) {
                let key = list.item(key_index);
                let configs = key.field("provider_configs");
                log.error(configs.item(index).field("id"), "another provider config has this id; it must be unique");
            }
        }
    }
}

fn check_teams(file: &File, known: &Known<'_>, list: Path<'_>, log: &Log<'_>) {
    let teams = &file.governance.teams;
    unique(teams.iter().map(|team| team.id.as_str()).enumerate(), list, "id", log);
    for (index, team) in teams.iter().enumerate() {
        check_team(team, known, list.item(index), log);
    }
}

pub(super) fn check_team(team: &TeamShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    known.customers.expect(team.customer.as_ref().map(|id| id.as_str()), path.field("customer_id"), log);
}

fn check_customers(file: &File, list: Path<'_>, log: &Log<'_>) {
    let customers = &file.governance.customers;
    unique(customers.iter().map(|customer| customer.id.as_str()).enumerate(), list, "id", log);
}

pub(super) fn check_auth(auth: &AuthShape, path: Path<'_>, log: &Log<'_>) {
    let hash = auth.admin_password.as_ref().map(Secret::reveal).filter(|text| is_password_hash(text));
    if hash.is_some_and(|hash| !password::is_usable(hash)) {
        let message = "begins as an argon2id hash, and is none that can be used: expected \
                       `$argon2id$v=19$m=…,t=…,p=…$salt$hash` with m up to 262144, t and p up to 16";
        log.error_about_secret(path.field("admin_password"), message);
    }
    if !auth.is_enabled {
        return;
    }
    for (name, value) in [("admin_username", &auth.admin_username), ("admin_password", &auth.admin_password)] {
        if value.is_none() && log.locate(path.field(name)).0.is_none() {
            log.error(path.field(name), "required when `is_enabled` is true, but missing");
        }
    }
}
