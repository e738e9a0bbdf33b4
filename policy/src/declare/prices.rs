//! Prices: where the list comes from, and the operator's own in its place.

use std::time::Duration;

use crate::catalog::rate_of_field;
use crate::id::{CredentialName, ProviderName, VirtualKeyId};
use crate::money::PicoUsd;
use crate::price::overrides::{ModelPattern, PriceOverride, PriceScope};
use crate::price::{Rate, Unit};
use crate::request::OperationSet;
use crate::usage::ServiceTier;

use super::File;
use super::json::Json;
use super::nearest::hint;
use super::node::{Node, Read};
use super::scalar::one_of;
use super::world::{FileWorld, World, providers_with_key};

/// Where the price list comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PriceSource {
    /// The lists that are built in, and nothing else.
    #[default]
    BuiltIn,
    /// A file, on top of those.
    File(Box<str>),
    /// An http or https URL, on top of those.
    Url(Box<str>),
}

/// `framework.pricing`
#[derive(Clone, Debug)]
pub struct PricingShape {
    /// `pricing_url`
    pub source: PriceSource,
    /// `pricing_sync_interval`: how long until the source is looked at again.
    pub interval: Duration,
}

/// One entry of `governance.pricing_overrides`.
#[derive(Clone, Debug)]
pub struct PriceOverrideShape {
    /// `id`
    pub id: Box<str>,
    /// `name`
    pub name: Box<str>,
    /// `scope_kind`; `None` only where it cannot be read, which is an error.
    pub scope: Option<PriceScopeKind>,
    /// `virtual_key_id`
    pub virtual_key: Option<VirtualKeyId>,
    /// `provider_id`: the provider's name.
    pub provider: Option<ProviderName>,
    /// `provider_key_id`: the name of the provider's key.
    pub credential: Option<CredentialName>,
    /// `match_type`: whether the pattern ends with a `*`; `None` only where it cannot be read, which is an error.
    pub is_wildcard: Option<bool>,
    /// `pattern`: the model, or how its name begins.
    pub pattern: Box<str>,
    /// `request_types`; absent: all.
    pub operations: OperationSet,
    /// `pricing_patch`: the rates that are set.
    pub patch: Patch,
}

/// `scope_kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceScopeKind {
    /// One virtual key's calls with one key of a provider.
    VirtualKeyProviderKey,
    /// One virtual key's calls to one provider.
    VirtualKeyProvider,
    /// One virtual key's calls.
    VirtualKey,
    /// Calls with one key of a provider.
    ProviderKey,
    /// Calls to one provider.
    Provider,
    /// All calls.
    Global,
}

/// `pricing_patch`: an object of prices, or the text of one.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// The rates that are set.
    pub rates: Vec<Rate>,
}

const KINDS: [(&str, PriceScopeKind); 6] = [
    ("global", PriceScopeKind::Global),
    ("provider", PriceScopeKind::Provider),
    ("provider_key", PriceScopeKind::ProviderKey),
    ("virtual_key", PriceScopeKind::VirtualKey),
    ("virtual_key_provider", PriceScopeKind::VirtualKeyProvider),
    ("virtual_key_provider_key", PriceScopeKind::VirtualKeyProviderKey),
];

/// The prices that a patch can set, without the ends for tiers and steps.
const PRICES: [&str; 11] = [
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
    "input_cost_per_audio_token",
    "output_cost_per_audio_token",
    "input_cost_per_image_token",
    "output_cost_per_image_token",
    "output_cost_per_reasoning_token",
    SEARCH,
];

const SEARCH: &str = "search_context_cost_per_query";

/// What prices of the original that are to come are for.
const LATER_UNITS: [&str; 9] =
    ["character", "image", "pixel", "second", "session", "page", "video", "audio_token_cost", "query"];

/// No token costs as much; such a price was meant for a thousand or a million.
const IMPLAUSIBLE: PicoUsd = PicoUsd(10_000_000_000);

impl PriceScopeKind {
    /// The name in the file.
    pub(super) fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether it is about a virtual key.
    pub(super) fn has_virtual_key(self) -> bool {
        matches!(self, Self::VirtualKeyProviderKey | Self::VirtualKeyProvider | Self::VirtualKey)
    }

    /// Whether it is about a key of a provider.
    pub(super) fn has_credential(self) -> bool {
        matches!(self, Self::VirtualKeyProviderKey | Self::ProviderKey)
    }

    /// Whether it is about a provider as a whole.
    pub(super) fn has_provider(self) -> bool {
        matches!(self, Self::VirtualKeyProvider | Self::Provider)
    }
}

impl Read for PriceOverrideShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            name: fields.required("name"),
            scope: fields.with("scope_kind", |node| one_of(node, &KINDS)).unwrap_or(Some(PriceScopeKind::Global)),
            virtual_key: fields.optional("virtual_key_id"),
            provider: fields.optional("provider_id"),
            credential: fields.optional("provider_key_id"),
            is_wildcard: fields
                .with("match_type", |node| one_of(node, &[("exact", false), ("wildcard", true)]))
                .unwrap_or(Some(false)),
            pattern: fields.required("pattern"),
            operations: fields.or("request_types", OperationSet::ALL),
            patch: fields.required("pricing_patch"),
        })
    }
}

impl Read for Patch {
    fn read(node: Node<'_>) -> Self {
        let Some(text) = node.json.as_text() else { return Self::of_object(node) };
        match serde_json::from_str::<Json>(text) {
            Ok(json) => Self::of_object(Node { json: &json, ..node }),
            Err(error) => {
                node.log.error_about_secret(node.path, format!("must be an object, or the text of one: {error}"));
                Self::default()
            }
        }
    }
}

impl Patch {
    fn of_object(node: Node<'_>) -> Self {
        let rates = node.map(|name, node| {
            if matches!(node.json, Json::Null) {
                return None;
            }
            let (unit, tier, above_tokens) = unit_of(name).or_else(|| {
                if !is_later(name) {
                    node.log.error_about_secret(node.path, format!("unknown field{}", hint(name, PRICES)));
                }
                None
            })?;
            Some(Rate { unit, tier, above_tokens, price: price(node, unit)? })
        });
        let has_later = matches!(node.json, Json::Object(entries) if entries.iter().any(|(name, _)| is_later(name)));
        if matches!(node.json, Json::Object(_)) && rates.is_empty() && !has_later {
            node.log.error(node.path, "must set at least one price");
        }
        Self { rates: rates.into_iter().flatten().collect() }
    }
}

fn unit_of(name: &str) -> Option<(Unit, ServiceTier, u64)> {
    rate_of_field(name).or_else(|| (name == SEARCH).then_some((Unit::Search, ServiceTier::Standard, 0)))
}

fn is_later(name: &str) -> bool {
    unit_of(name).is_none() && name.contains("cost") && LATER_UNITS.iter().any(|unit| name.contains(unit))
}

/// Whether a patch sets a price that is to come.
pub(super) fn has_later_price(patch: &Json) -> bool {
    let written = patch.as_text().and_then(|text| serde_json::from_str::<Json>(text).ok());
    match written.as_ref().unwrap_or(patch) {
        Json::Object(entries) => entries.iter().any(|(name, _)| is_later(name)),
        _ => false,
    }
}

fn price(node: Node<'_>, unit: Unit) -> Option<PicoUsd> {
    let Json::Number(digits) = node.json else {
        node.wrong_kind("a number");
        return None;
    };
    let price = PicoUsd::from_usd_text(digits);
    match price {
        None if digits.starts_with('-') => node.error("must not be negative"),
        None => node.error("too large"),
        Some(price) if unit != Unit::Search && price > IMPLAUSIBLE => {
            let message =
                format!("is $ {digits} for each single token; a price of $ 3 for a million is written as 0.000003");
            node.log.warning(node.path, message);
        }
        Some(_) => {}
    }
    price
}

impl File {
    /// The overrides of prices as decisions see them.
    #[must_use]
    pub fn price_overrides(&self) -> Vec<PriceOverride> {
        self.overrides().zip(0_u32..).filter_map(|(shape, order)| shape.to_policy(order)).collect()
    }

    /// The overrides, each with the provider of the key that it names.
    pub(super) fn overrides(&self) -> impl Iterator<Item = PriceOverrideShape> {
        let world = FileWorld::of(self);
        self.governance.price_overrides.iter().map(move |shape| shape.clone().with_provider(&world))
    }
}

impl PriceOverrideShape {
    /// The override with the provider of the key that it names, where only one has such a key.
    pub(super) fn with_provider(mut self, world: &dyn World) -> Self {
        if let (None, Some(credential)) = (&self.provider, &self.credential) {
            let found = providers_with_key(world, credential.as_str());
            self.provider = if let [name] = found[..] { Some(name.into()) } else { None };
        }
        self
    }

    /// The override as decisions see it, if it says its provider. `None` where what it is about is not there: it prices
    /// nothing.
    #[must_use]
    pub fn to_policy(&self, order: u32) -> Option<PriceOverride> {
        let pattern = match self.pattern.strip_suffix('*').filter(|_| self.is_wildcard == Some(true)) {
            Some(start) => ModelPattern::prefix(start),
            None => ModelPattern::Exact(self.pattern.clone()),
        };
        Some(PriceOverride {
            id: (*self.id).into(),
            name: self.name.clone(),
            scope: self.to_scope()?,
            pattern,
            operations: self.operations,
            order,
            rates: self.patch.rates.clone(),
        })
    }

    fn to_scope(&self) -> Option<PriceScope> {
        let key = || self.virtual_key.clone();
        let credential = || Some((self.provider.clone()?, self.credential.clone()?));
        Some(match self.scope? {
            PriceScopeKind::VirtualKeyProviderKey => {
                let (provider, name) = credential()?;
                PriceScope::KeyAndCredential(key()?, provider, name)
            }
            PriceScopeKind::VirtualKeyProvider => PriceScope::KeyAndProvider(key()?, self.provider.clone()?),
            PriceScopeKind::VirtualKey => PriceScope::Key(key()?),
            PriceScopeKind::ProviderKey => {
                let (provider, name) = credential()?;
                PriceScope::Credential(provider, name)
            }
            PriceScopeKind::Provider => PriceScope::Provider(self.provider.clone()?),
            PriceScopeKind::Global => PriceScope::Global,
        })
    }
}
