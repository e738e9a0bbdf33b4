//! Providers: is the vendor known, do the keys fit.

use super::super::nearest::hint;
use super::super::path::Path;
use super::super::problem::Log;
use super::super::{File, ProviderShape, Vocabulary};
use super::{Known, unique};

mod servers;

pub(super) fn check(file: &File, known: &Known<'_>, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    let root = Path::Root;
    let providers = root.field("providers");
    for provider in &file.providers {
        check_provider(provider, known, vocabulary, providers.field(provider.name.as_str()), log);
    }
}

pub(super) fn check_provider(
    provider: &ProviderShape,
    known: &Known<'_>,
    vocabulary: &Vocabulary<'_>,
    path: Path<'_>,
    log: &Log<'_>,
) {
    check_vendor(provider, path, vocabulary, log);
    let is_self_hosted = vocabulary.self_hosted.contains(&provider.vendor());
    let may_be_none = is_self_hosted || provider.is_keyless() || known.world.allows_direct_keys();
    check_keys(provider, path, may_be_none, log);
    check_values(provider, path, is_self_hosted || provider.is_keyless(), log);
    servers::check(provider, path, vocabulary, log);
}

fn check_vendor(provider: &ProviderShape, path: Path<'_>, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    let vendor = provider.vendor();
    if vocabulary.vendors.contains(&vendor) {
        return check_base_url(provider, path, vocabulary, log);
    }
    if vendor.is_empty() || vocabulary.vendors_later.contains(&vendor) {
        return;
    }
    let hint = hint(vendor, vocabulary.vendors.iter().copied());
    if provider.custom.is_some() {
        let custom = path.field("custom_provider_config");
        log.error(custom.field("base_provider_type"), format!("unknown vendor{hint}"));
    } else {
        let message = format!("unknown vendor (a provider of another name needs `custom_provider_config`){hint}");
        log.error(path, message);
    }
}

/// What is no URL is not shown: it may hold a password, or be a key in the wrong place.
fn check_base_url(provider: &ProviderShape, path: Path<'_>, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    let Some(url) = provider.base_url.as_deref().filter(|url| !url.is_empty()) else { return };
    if let Err(message) = (vocabulary.check_base_url)(provider.vendor(), url) {
        let network = path.field("network_config");
        log.error_about_secret(network.field("base_url"), message);
    }
}

fn check_keys(provider: &ProviderShape, path: Path<'_>, may_be_none: bool, log: &Log<'_>) {
    let keys = path.field("keys");
    let names = provider.credentials.iter().map(|key| key.name.as_str());
    unique(names.enumerate(), keys, "name", log);
    match (provider.is_keyless(), provider.credentials.is_empty()) {
        (true, false) => log.warning(keys, "the provider is key-less: its keys are never used"),
        (_, true) if !may_be_none => log.warning(path, "has no keys, so nothing goes to it"),
        _ => {}
    }
}

fn check_values(provider: &ProviderShape, path: Path<'_>, may_lack: bool, log: &Log<'_>) {
    for (index, key) in provider.credentials.iter().enumerate() {
        if key.value.is_none() && !key.has_vendor_section && !may_lack {
            let value = path.field("keys");
            let value = value.item(index);
            require(value.field("value"), "required, but missing", log);
        }
    }
}

/// Notes that a value is missing, unless it is there and could not be had from the environment, which is reported already.
fn require(path: Path<'_>, message: &str, log: &Log<'_>) {
    if log.locate(path).0.is_none() {
        log.error(path, message);
    }
}
