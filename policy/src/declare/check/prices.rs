//! Overrides of prices.

use std::collections::HashMap;

use super::super::path::Path;
use super::super::prices::PriceScopeKind;
use super::super::problem::Log;
use super::super::world::providers_with_key;
use super::super::{File, PriceOverrideShape};
use super::{Known, unique};
use crate::price::overrides::{MOST_OVERRIDES, PriceOverride};
use crate::request::OperationSet;

pub(super) fn check(file: &File, known: &Known<'_>, log: &Log<'_>) {
    let root = Path::Root;
    let governance = root.field("governance");
    let list = governance.field("pricing_overrides");
    let overrides = &file.governance.price_overrides;
    unique(overrides.iter().map(|one| &*one.id).enumerate(), list, "id", log);
    for (index, one) in overrides.iter().enumerate() {
        check_override(one, known, list.item(index), log);
    }
    check_scopes(&file.price_overrides(), list, log);
}

pub(super) fn check_override(one: &PriceOverrideShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    if let Some(kind) = one.scope {
        check_ids(one, kind, path, log);
    }
    check_references(one, known, path, log);
    check_pattern(one, path, log);
    if log.locate(path.field("request_types")).0.is_some_and(|types| types.is_empty_list()) {
        log.error(path.field("request_types"), "must name at least one request type");
    }
}

/// A scope has just those ids that say whose it is.
fn check_ids(one: &PriceOverrideShape, kind: PriceScopeKind, path: Path<'_>, log: &Log<'_>) {
    let name = kind.as_str();
    // A provider's key is known by its name, which another provider's may have too.
    let may_have_provider = kind.has_provider() || kind.has_credential();
    let ids = [
        ("virtual_key_id", one.virtual_key.is_some(), kind.has_virtual_key(), kind.has_virtual_key()),
        ("provider_id", one.provider.is_some(), kind.has_provider(), may_have_provider),
        ("provider_key_id", one.credential.is_some(), kind.has_credential(), kind.has_credential()),
    ];
    for (field, is_there, must_be, may_be) in ids {
        let at = path.field(field);
        if is_there && !may_be {
            log.error(at, format!("an override of scope \"{name}\" has no `{field}`; set `scope_kind`"));
        } else if must_be && !is_there {
            log.error(at, format!("required where `scope_kind` is \"{name}\", but missing"));
        }
    }
}

fn check_references(one: &PriceOverrideShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    known.virtual_keys.expect(one.virtual_key.as_ref().map(|id| id.as_str()), path.field("virtual_key_id"), log);
    let at = path.field("provider_key_id");
    match (&one.provider, &one.credential) {
        (Some(provider), credential) => {
            known.expect_provider(provider.as_str(), path.field("provider_id"), log);
            if let Some(credential) = credential {
                known.expect_credential(provider.as_str(), credential.as_str(), at, log);
            }
        }
        (None, Some(credential)) if !credential.as_str().is_empty() => {
            match providers_with_key(known.world, credential.as_str()).len() {
                0 => log.misfit(at, "no provider has a key of this name"),
                1 => {}
                _ => log.misfit(at, "several providers have a key of this name: set `provider_id` too"),
            }
        }
        (None, _) => {}
    }
}

fn check_pattern(one: &PriceOverrideShape, path: Path<'_>, log: &Log<'_>) {
    let at = path.field("pattern");
    let start = one.pattern.strip_suffix('*');
    match one.is_wildcard {
        Some(false) if one.pattern.contains('*') => {
            log.error(at, "is no model's name; a pattern needs `\"match_type\": \"wildcard\"`");
        }
        Some(true) if start.is_none() && !one.pattern.is_empty() => {
            log.error(at, "must end with `*`, and stands for all names that begin so");
        }
        Some(true) if start.is_some_and(|start| start.contains('*')) => {
            log.error(at, "may have one `*` only, at its end");
        }
        _ => {}
    }
}

/// A scope is not too full, and no override of it stands behind another for the same.
fn check_scopes(overrides: &[PriceOverride], list: Path<'_>, log: &Log<'_>) {
    let mut count_of = HashMap::new();
    let mut seen: HashMap<_, Vec<&PriceOverride>> = HashMap::new();
    for one in overrides {
        *count_of.entry(&one.scope).or_insert(0_usize) += 1;
        let same = seen.entry((&one.scope, &one.pattern)).or_default();
        let covers = |earlier: &&&PriceOverride| earlier.operations.intersection(one.operations) == one.operations;
        if let Some(earlier) = same.iter().find(covers).filter(|_| one.operations != OperationSet::from_iter([])) {
            let index = usize::try_from(one.order).unwrap_or(usize::MAX);
            let message = format!("is never used: `{}` comes first and is for the same calls", earlier.id);
            log.warning(list.item(index).field("id"), message);
        }
        same.push(one);
    }
    for (scope, count) in count_of.into_iter().filter(|(_, count)| *count > MOST_OVERRIDES) {
        log.error(list, format!("{scope} has {count} overrides, more than {MOST_OVERRIDES}"));
    }
}
