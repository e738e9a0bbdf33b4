//! In which order providers and credentials are tried: by weight where there are weights, else by kinship with the model.

use std::sync::Arc;

use super::candidates::{Wanted, known};
use super::{Caller, Dice, Weight};
use crate::id::ModelName;
use crate::key::{Access, VirtualKey};
use crate::provider::{Credential, Provider};
use crate::request::Dialect;
use crate::snapshot::Snapshot;

/// Orders the providers of a call: one drawn by the key's weights, then the other weighted ones by falling weight, then
/// those without a weight: the model's own vendor, the vendor of the client's dialect, the order of the configuration.
pub(super) fn in_order(
    snapshot: &Snapshot,
    wanted: &Wanted,
    providers: Vec<Arc<Provider>>,
    key: Option<&VirtualKey>,
    dialect: Dialect,
    dice: &mut dyn Dice,
) -> Vec<Arc<Provider>> {
    let (weighted, mut others): (Vec<_>, Vec<_>) = providers
        .into_iter()
        .map(|provider| (weight_of(key, &provider), provider))
        .partition(|(weight, _)| weight.is_some());
    let mut ordered = draw(weighted.into_iter().filter_map(|(weight, provider)| Some((weight?, provider))), dice);
    others.sort_by_key(|(_, provider)| kinship(snapshot, provider, &wanted.model, dialect));
    ordered.extend(others.into_iter().map(|(_, provider)| provider));
    ordered
}

/// The credentials of a provider that the key may use for a model: one drawn by weight, then the others by falling weight.
pub(super) fn credentials(
    provider: &Provider,
    model: &ModelName,
    caller: &Caller,
    dice: &mut dyn Dice,
) -> Vec<Arc<Credential>> {
    let usable = usable_credentials(provider, model, caller);
    draw(usable.map(|(weight, credential)| (weight, Arc::clone(credential))), dice)
}

/// The credentials of a provider that a caller may use for a model, with their weights. One whose weight is `null` is used only by
/// a key that names it, and then after the others.
pub fn usable_credentials<'a>(
    provider: &'a Provider,
    model: &'a ModelName,
    caller: &'a Caller,
) -> impl Iterator<Item = (Weight, &'a Arc<Credential>)> {
    let access = caller.key.as_ref().map_or(Access::Unlisted, |key| key.access(provider.name.as_str()));
    let needs_secret = !provider.keyless && caller.own_credential.is_none();
    let usable = provider.enabled_credentials().filter(move |credential| {
        credential.is_for(model)
            && !(needs_secret && credential.secret.reveal().is_empty())
            && access.allows_credential(&credential.name)
            && access.allows_model(model, credential.resolve(model))
    });
    usable.filter_map(move |credential| {
        let named = || access.names_credential(&credential.name).then_some(Weight::ZERO);
        Some((credential.weight.or_else(named)?, credential))
    })
}

fn weight_of(key: Option<&VirtualKey>, provider: &Provider) -> Option<Weight> {
    match key?.access(provider.name.as_str()) {
        Access::Listed(listed) => listed.weight,
        Access::Denied | Access::Unlisted => None,
    }
}

/// 0: a vendor whose own model it is; 1: the vendor of the client's dialect; 2: any other.
fn kinship(snapshot: &Snapshot, provider: &Provider, model: &ModelName, dialect: Dialect) -> u8 {
    let is_vendor = !provider.is_custom;
    if is_vendor && known(snapshot, provider, model).is_some() {
        0
    } else if is_vendor && provider.vendor == dialect.as_str() {
        1
    } else {
        2
    }
}

/// One drawn by weight comes first, the rest follow by falling weight. A weight of zero is never drawn while another is there.
fn draw<T>(weighted: impl Iterator<Item = (Weight, T)>, dice: &mut dyn Dice) -> Vec<T> {
    let mut left: Vec<(Weight, T)> = weighted.collect();
    let total: u64 = left.iter().map(|(weight, _)| weight.0).fold(0, u64::saturating_add);
    let mut point = if left.len() > 1 { dice.below(total) } else { 0 };
    let drawn = left.iter().position(|(weight, _)| match point.checked_sub(weight.0) {
        Some(rest) => {
            point = rest;
            false
        }
        None => true,
    });
    let mut ordered = Vec::with_capacity(left.len());
    if let Some(index) = drawn {
        ordered.push(left.remove(index).1);
    }
    left.sort_by(|(one, _), (other, _)| other.cmp(one));
    ordered.extend(left.into_iter().map(|(_, item)| item));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);

    impl Dice for Fixed {
        fn below(&mut self, bound: u64) -> u64 {
            self.0.min(bound.saturating_sub(1))
        }
    }

    fn drawn_at(point: u64) -> Vec<&'static str> {
        let weighted = [("azure", "0.2"), ("openai", "0.7"), ("never", "0"), ("groq", "0.1")];
        let weighted = weighted.map(|(name, text)| (Weight::from_text(text).unwrap(), name));
        draw(weighted.into_iter(), &mut Fixed(point))
    }

    #[test]
    fn each_point_belongs_to_one_weight() {
        assert_eq!(drawn_at(0), ["azure", "openai", "groq", "never"]);
        assert_eq!(drawn_at(199_999), ["azure", "openai", "groq", "never"]);
        assert_eq!(drawn_at(200_000), ["openai", "azure", "groq", "never"]);
        assert_eq!(drawn_at(899_999), ["openai", "azure", "groq", "never"]);
        assert_eq!(drawn_at(900_000), ["groq", "openai", "azure", "never"]);
        assert_eq!(drawn_at(u64::MAX), ["groq", "openai", "azure", "never"]);
    }

    #[test]
    fn weights_of_zero_alone_still_give_an_order() {
        let weighted = [(Weight::from_text("0").unwrap(), "a"), (Weight::from_text("0").unwrap(), "b")];
        assert_eq!(draw(weighted.into_iter(), &mut Fixed(0)), ["a", "b"]);
    }
}
