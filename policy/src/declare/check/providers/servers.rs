//! Addresses: what has none of its own must be given one; a server that stands in a key must be one of the vendor's.

use super::super::super::path::Path;
use super::super::super::problem::Log;
use super::super::super::provider::OWN_SERVERS;
use super::super::super::{CredentialShape, OwnServerShape, ProviderShape, Vocabulary};
use super::require;
use crate::id::ModelName;

pub(super) fn check(provider: &ProviderShape, path: Path<'_>, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    let keys = path.field("keys");
    for (index, key) in provider.credentials.iter().enumerate() {
        let path = keys.item(index);
        for (section, vendor) in OWN_SERVERS {
            if vendor != provider.vendor() && log.locate(path.field(section)).0.is_some() {
                let message = format!("is for the keys of vendor `{vendor}`, and this provider is of another");
                log.error_about_secret(path.field(section), message);
            }
        }
        if let Some(server) = own(key, provider) {
            check_server(server, key, provider.vendor(), path.field(server.section), vocabulary, log);
        }
    }
    check_address(provider, path, vocabulary, log);
}

/// The server that stands in the section of this vendor.
fn own<'a>(key: &'a CredentialShape, provider: &ProviderShape) -> Option<&'a OwnServerShape> {
    let server = key.server.as_ref()?;
    OWN_SERVERS.contains(&(server.section, provider.vendor())).then_some(server)
}

fn check_server(
    server: &OwnServerShape,
    key: &CredentialShape,
    vendor: &str,
    path: Path<'_>,
    vocabulary: &Vocabulary<'_>,
    log: &Log<'_>,
) {
    if let Some(url) = server.url.as_deref().filter(|url| !url.is_empty())
        && let Err(message) = (vocabulary.check_base_url)(vendor, url)
    {
        log.error_about_secret(path.field("url"), message);
    }
    let Some(model) = &server.model else { return };
    let resolved = |name: &str| key.aliases.get(&ModelName::from(name)).map_or(name.into(), ModelName::clone);
    let mut listed = key.models.as_names().into_iter().flatten();
    if let Some(other) = listed.find(|name| resolved(name) != *model) {
        log.error(path.field("model_name"), format!("the server's only model, and `models` names `{other}` too"));
    }
}

/// An address is needed where the vendor has none, or the first key's: keys without one go there.
fn check_address(provider: &ProviderShape, path: Path<'_>, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    let vendor = provider.vendor();
    let is_given = |url: &Option<Box<str>>| url.as_deref().is_some_and(|url| !url.is_empty());
    if !vocabulary.without_address.contains(&vendor) || is_given(&provider.base_url) {
        return;
    }
    let network = path.field("network_config");
    let place = network.field("base_url");
    let Some((section, _)) = OWN_SERVERS.iter().find(|(_, of)| *of == vendor) else {
        return require(place, "required, but missing: this vendor has no address of its own", log);
    };
    let keys = path.field("keys");
    for (index, key) in provider.credentials.iter().enumerate() {
        if !own(key, provider).is_some_and(|server| is_given(&server.url)) && log.locate(place).0.is_none() {
            let key = keys.item(index);
            let server = key.field(section);
            require(server.field("url"), "required, but missing, as there is no `network_config.base_url`", log);
        }
    }
    if provider.credentials.is_empty() {
        let message =
            format!("required, but missing: this vendor has no address of its own, and no key has `{section}.url`");
        require(place, &message, log);
    }
}
