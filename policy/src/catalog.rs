//! The models that are known: their limits and their prices.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use foldhash::quality::FixedState;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::id::ModelName;
use crate::money::PicoUsd;
use crate::price::{ModelPrice, Rate, Unit};
use crate::usage::{ServiceTier, Usage};

/// The context window of a model that nobody knows.
pub const DEFAULT_CONTEXT_WINDOW: u64 = 128_000;

/// What is known of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Its name in the price list, without the vendor in front.
    pub name: Box<str>,
    /// The vendor, as the price list names it.
    pub vendor: Box<str>,
    /// What it is for: `chat`, `embedding`, …
    pub mode: Box<str>,
    /// The most input tokens.
    pub context_window: Option<u64>,
    /// The most output tokens.
    pub max_output: Option<u64>,
    /// Whether it goes on from an assistant's last words in the request; false also where the list does not say.
    pub supports_assistant_prefill: bool,
    /// What it costs; `None` where the list has no price.
    pub price: Option<ModelPrice>,
}

impl Model {
    fn is_dearer_than(&self, other: &Self) -> bool {
        let million = Usage { input: 1_000_000, output: 1_000_000, ..Usage::default() };
        let cost = |model: &Self| model.price.as_ref().map(|price| price.cost(&million));
        cost(self) > cost(other)
    }
}

/// All known models, by vendor and name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    by_vendor: HashMap<Box<str>, BTreeMap<Box<str>, Arc<Model>>, FixedState>,
    names: HashSet<ModelName, FixedState>,
}

/// A price list that cannot be read.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// It is no JSON of the expected shape.
    #[error("the price list is not readable: {0}")]
    Json(#[from] serde_json::Error),
    /// A price is no amount of money.
    #[error("{model}: {field} is {value}, which is no price")]
    Price {
        /// The model.
        model: String,
        /// The field.
        field: String,
        /// What stands there.
        value: String,
    },
}

/// The fields of one model in a price list, as they stand there.
struct Entry<'a>(HashMap<String, &'a RawValue>);

/// The list's own documentation, written as if it were a model.
const SAMPLE: &str = "sample_spec";

impl Catalog {
    /// Adds the models of a price list in the field's de-facto standard form: one object, model name → fields in US dollars.
    /// A later list replaces models of an earlier one. Gives how many of the list's models have a price.
    ///
    /// # Errors
    /// When it is no such list, or a price in it is no amount. The catalog stays as it was.
    pub fn extend_from_json(&mut self, json: &str) -> Result<usize, CatalogError> {
        let entries: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
        let mut list: HashMap<Box<str>, BTreeMap<Box<str>, Arc<Model>>> = HashMap::new();
        let mut priced = 0;
        for (name, raw) in entries.iter().filter(|(name, _)| *name != SAMPLE) {
            let name = name.as_str();
            let mut model = Entry(serde_json::from_str(raw.get())?).model(name)?;
            if is_size(&model.vendor, name) {
                continue;
            }
            priced += usize::from(model.price.is_some());
            // The list writes some names with their vendor in front and some without; look-ups go without. Where it has
            // both, the dearer one counts: a free one may be a trial's.
            let vendor = vendor_of(&model.vendor);
            let without = |prefix| name.strip_prefix(prefix).and_then(|rest: &str| rest.strip_prefix('/'));
            let bare = without(&*model.vendor).or_else(|| without(vendor)).unwrap_or(name);
            model.name = bare.into();
            let of_vendor = list.entry(vendor.into()).or_default();
            if of_vendor.get(bare).is_none_or(|other| model.is_dearer_than(other)) {
                of_vendor.insert(bare.into(), Arc::new(model));
            }
        }
        for (vendor, models) in list {
            self.names.extend(models.keys().map(|name| ModelName::from(&**name)));
            self.by_vendor.entry(vendor).or_default().extend(models);
        }
        Ok(priced)
    }

    /// The model of a vendor by its exact name.
    #[must_use]
    pub fn exact(&self, vendor: &str, name: &str) -> Option<&Arc<Model>> {
        self.by_vendor.get(vendor_of(vendor))?.get(name)
    }

    /// The model of a vendor by a name as it is used in calls: exact, without a `models/` in front, else without the date or
    /// `-latest` at its end.
    #[must_use]
    pub fn find(&self, vendor: &str, name: &ModelName) -> Option<&Arc<Model>> {
        let models = self.by_vendor.get(vendor_of(vendor))?;
        let name = name.as_str();
        let name = name.strip_prefix("models/").unwrap_or(name);
        models.get(name).or_else(|| models.get(base_name(name)?))
    }

    /// A name as one that can be kept: that of a known model is there already, and is shared.
    #[must_use]
    pub fn name(&self, name: &str) -> ModelName {
        self.names.get(name).cloned().unwrap_or_else(|| name.into())
    }

    /// Whether any vendor has a model of this name.
    #[must_use]
    pub fn knows(&self, name: &ModelName) -> bool {
        self.by_vendor.keys().any(|vendor| self.find(vendor, name).is_some())
    }

    /// The models of a vendor, by name.
    pub fn of_vendor(&self, vendor: &str) -> impl Iterator<Item = (&str, &Arc<Model>)> {
        self.by_vendor.get(vendor_of(vendor)).into_iter().flatten().map(|(name, model)| (&**name, model))
    }

    /// How many models there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_vendor.values().map(BTreeMap::len).sum()
    }

    /// Whether there is no model at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_vendor.values().all(BTreeMap::is_empty)
    }
}

/// The list splits some vendors by API, and has other names for some; the gateway does not.
fn vendor_of(listed: &str) -> &str {
    match listed {
        "text-completion-openai" => "openai",
        "fireworks_ai" => "fireworks",
        "nvidia_nim" => "nvidia",
        "together_ai" => "together",
        other => other,
    }
}

/// Whether an entry is no model but what one of a size costs (`together-ai-8.1b-21b`).
fn is_size(vendor: &str, name: &str) -> bool {
    vendor == "together_ai" && !name.contains('/')
}

/// `gpt-4o-2024-08-06` → `gpt-4o`, `claude-sonnet-4-5-20250929` → `claude-sonnet-4-5`, `gemini-2.5-pro-latest` → `gemini-2.5-pro`.
pub(crate) fn base_name(name: &str) -> Option<&str> {
    if let Some(base) = name.strip_suffix("-latest") {
        return Some(base);
    }
    [(10, "dddd-dd-dd"), (8, "dddddddd")].into_iter().find_map(|(length, shape)| {
        let (base, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        let base = base.strip_suffix('-')?;
        let is_date = date.bytes().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        });
        is_date.then_some(base)
    })
}

impl<'a> Entry<'a> {
    fn field<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, CatalogError> {
        let written = self.0.get(name).filter(|raw| raw.get() != "null");
        written.map(|raw| serde_json::from_str(raw.get())).transpose().map_err(CatalogError::from)
    }

    /// A number of tokens; what is written otherwise says nothing.
    fn tokens(&self, name: &str) -> Option<u64> {
        self.field(name).ok().flatten()
    }

    fn model(&self, name: &str) -> Result<Model, CatalogError> {
        let mut rates = Vec::new();
        for (field, raw) in self.0.iter().filter(|(_, raw)| raw.get() != "null") {
            if let Some((unit, tier, above_tokens)) = rate_of_field(field) {
                let text = raw.get();
                let price = PicoUsd::from_usd_text(text).ok_or_else(|| CatalogError::Price {
                    model: name.to_owned(),
                    field: field.clone(),
                    value: text.to_owned(),
                })?;
                rates.push(Rate { unit, tier, above_tokens, price });
            }
        }
        rates.extend(self.search_rate()?);
        let price = ModelPrice::new(rates);
        // Lists of the same form write either.
        let vendor = self.field("litellm_provider")?.or(self.field("provider")?);
        Ok(Model {
            name: name.into(),
            vendor: vendor.unwrap_or_default(),
            mode: self.field("mode")?.unwrap_or_default(),
            context_window: self.tokens("max_input_tokens"),
            max_output: self.tokens("max_output_tokens"),
            supports_assistant_prefill: self.field("supports_assistant_prefill")?.unwrap_or_default(),
            price: price.has_token_rates().then_some(price),
        })
    }

    /// Searches are listed by context size; calls do not report it, so the dearest is charged.
    fn search_rate(&self) -> Result<Option<Rate>, CatalogError> {
        let sizes: Option<HashMap<String, &RawValue>> = self.field("search_context_cost_per_query")?;
        let price = sizes.iter().flat_map(HashMap::values).filter_map(|raw| PicoUsd::from_usd_text(raw.get())).max();
        Ok(price.map(|price| Rate { unit: Unit::Search, tier: ServiceTier::Standard, above_tokens: 0, price }))
    }
}

/// Reads a field's name: `<base>[_above_1hr][_above_<n>k_tokens][_batches|_priority|_flex|_ultrafast|_fast]`.
pub(crate) fn rate_of_field(field: &str) -> Option<(Unit, ServiceTier, u64)> {
    let tiers = [
        ("_batches", ServiceTier::Batch),
        ("_priority", ServiceTier::Priority),
        ("_flex", ServiceTier::Flex),
        ("_ultrafast", ServiceTier::Ultrafast),
        ("_fast", ServiceTier::Fast),
    ];
    let (rest, tier) = tiers
        .into_iter()
        .find_map(|(suffix, tier)| field.strip_suffix(suffix).map(|rest| (rest, tier)))
        .unwrap_or((field, ServiceTier::Standard));
    let (rest, above_tokens) = match rest.strip_suffix("k_tokens").and_then(|rest| rest.rsplit_once("_above_")) {
        Some((rest, thousands)) => (rest, thousands.parse::<u64>().ok()?.checked_mul(1_000)?),
        None => (rest, 0),
    };
    let unit = match rest {
        "input_cost_per_token" => Unit::Input,
        "input_cost_per_audio_token" => Unit::InputAudio,
        "input_cost_per_image_token" => Unit::InputImage,
        "cache_read_input_token_cost" => Unit::CacheRead,
        "cache_creation_input_token_cost" => Unit::CacheWrite,
        "cache_creation_input_token_cost_above_1hr" => Unit::CacheWrite1h,
        "output_cost_per_token" => Unit::Output,
        "output_cost_per_reasoning_token" => Unit::Reasoning,
        "output_cost_per_audio_token" => Unit::OutputAudio,
        "output_cost_per_image_token" => Unit::OutputImage,
        _ => return None,
    };
    Some((unit, tier, above_tokens))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::NanoUsd;

    const LIST: &str = include_str!("../../conf/model-prices.json");
    const EXTRA: &str = include_str!("../../conf/model-prices-extra.json");

    fn shipped() -> Catalog {
        let mut catalog = Catalog::default();
        catalog.extend_from_json(LIST).unwrap();
        catalog.extend_from_json(EXTRA).unwrap();
        catalog
    }

    #[test]
    fn every_model_of_the_documented_examples_has_a_price() {
        let catalog = shipped();
        let named = [
            ("openai", "gpt-4o"),
            ("openai", "gpt-4o-mini"),
            ("azure", "gpt-4o"),
            ("groq", "llama-3.3-70b-versatile"),
            ("anthropic", "claude-3-5-sonnet-20241022"),
        ];
        for (vendor, name) in named {
            let model = catalog.find(vendor, &name.into());
            assert!(model.is_some_and(|model| model.price.is_some()), "{vendor}/{name}");
        }
    }

    #[test]
    fn listed_prices_are_what_the_vendor_charges() {
        let catalog = shipped();
        let cost = |vendor, name: &str, usage: Usage| {
            catalog.find(vendor, &name.into()).unwrap().price.as_ref().unwrap().cost(&usage)
        };
        let million = Usage { input: 1_000_000, output: 1_000_000, ..Usage::default() };
        assert_eq!(cost("openai", "gpt-4o", million), NanoUsd(12_500_000_000));
        let cached = Usage { cache_read: 1_000_000, ..Usage::default() };
        assert_eq!(cost("openai", "gpt-4o", cached), NanoUsd(1_250_000_000));
        assert_eq!(cost("anthropic", "claude-3-5-sonnet-20241022", million), NanoUsd(18_000_000_000));
    }

    #[test]
    fn the_shipped_list_says_who_goes_on_from_an_assistants_words() {
        let catalog = shipped();
        let supports = |vendor, name: &str| catalog.find(vendor, &name.into()).unwrap().supports_assistant_prefill;
        assert!(supports("anthropic", "claude-sonnet-4-5"));
        assert!(!supports("bedrock_converse", "anthropic.claude-fable-5"), "the list says no");
        assert!(!supports("openai", "gpt-4o"), "the list says nothing");
    }

    #[test]
    fn names_are_found_with_and_without_vendor_date_and_latest() {
        let json = r#"{
            "openai/known": {"litellm_provider":"openai","mode":"chat","input_cost_per_token":1e-06},
            "plain": {"litellm_provider":"openai","mode":"chat"}
        }"#;
        let mut catalog = Catalog::default();
        catalog.extend_from_json(json).unwrap();
        for name in ["known", "known-latest", "known-2024-08-06", "known-20240806", "models/known"] {
            assert!(catalog.find("openai", &name.into()).is_some(), "{name}");
        }
        for name in ["known-2", "unknown", "known-2024-08", "20240806"] {
            assert!(catalog.find("openai", &name.into()).is_none(), "{name}");
        }
        assert!(catalog.find("openai", &"plain".into()).unwrap().price.is_none());
    }

    #[test]
    fn the_list_calls_some_vendors_by_other_names_and_has_prices_of_sizes() {
        let catalog = shipped();
        for (vendor, name) in [
            ("fireworks", "accounts/fireworks/models/gpt-oss-120b"),
            ("together", "openai/gpt-oss-120b"),
            ("together_ai", "openai/gpt-oss-120b"),
            ("mistral", "mistral-large-latest"),
            ("deepseek", "deepseek-chat"),
            ("xai", "grok-4.20"),
            ("cerebras", "gpt-oss-120b"),
            ("nebius", "BAAI/bge-en-icl"),
            ("databricks", "databricks-bge-large-en"),
            ("perplexity", "anthropic/claude-haiku-4-5"),
        ] {
            let model = catalog.find(vendor, &name.into());
            assert!(model.is_some_and(|model| model.price.is_some()), "{vendor}/{name}");
        }
        assert_eq!(catalog.of_vendor("together").find(|(name, _)| name.starts_with("together-ai-")), None);
    }

    #[test]
    fn of_a_name_with_and_without_its_vendor_the_dearer_one_counts() {
        let one = |name: &str, price: &str| {
            format!(r#""{name}": {{"litellm_provider":"gemini","mode":"chat","input_cost_per_token":{price}}}"#)
        };
        for (bare, prefixed) in [("3e-07", "0"), ("0", "3e-07")] {
            let mut catalog = Catalog::default();
            catalog.extend_from_json(&format!("{{{}, {}}}", one("m", bare), one("gemini/m", prefixed))).unwrap();
            let price = catalog.find("gemini", &"m".into()).unwrap().price.clone().unwrap();
            assert_eq!(price.cost(&Usage { input: 10, ..Usage::default() }), NanoUsd(3_000));
        }
    }

    #[test]
    fn a_later_list_replaces_models_of_an_earlier_one_even_with_a_lower_price() {
        let list = |price: &str| {
            format!(r#"{{"m": {{"litellm_provider":"openai","mode":"chat","input_cost_per_token":{price}}}}}"#)
        };
        let mut catalog = Catalog::default();
        catalog.extend_from_json(&list("2e-06")).unwrap();
        catalog.extend_from_json(&list("1e-06")).unwrap();
        let price = catalog.find("openai", &"m".into()).unwrap().price.clone().unwrap();
        assert_eq!(price.cost(&Usage { input: 1, ..Usage::default() }), NanoUsd(1_000));
    }

    #[test]
    fn field_names_carry_tier_and_step() {
        let cases = [
            ("input_cost_per_token_above_272k_tokens_priority", (Unit::Input, ServiceTier::Priority, 272_000)),
            (
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
                (Unit::CacheWrite1h, ServiceTier::Standard, 200_000),
            ),
            ("output_cost_per_token_batches", (Unit::Output, ServiceTier::Batch, 0)),
            ("input_cost_per_token_above_272k_tokens_ultrafast", (Unit::Input, ServiceTier::Ultrafast, 272_000)),
            ("output_cost_per_token_fast", (Unit::Output, ServiceTier::Fast, 0)),
        ];
        for (field, expected) in cases {
            assert_eq!(rate_of_field(field), Some(expected), "{field}");
        }
        assert_eq!(rate_of_field("input_cost_per_token_decisions"), None);
    }

    #[test]
    fn what_lists_of_this_form_have_besides_models_is_passed_over() {
        let json = r#"{
            "sample_spec": {"litellm_provider": "one of …", "mode": "one of …", "max_input_tokens": "a number",
                "input_cost_per_token": 0.0},
            "a\/b": {"provider":"openai","mode":"chat","input_cost_per_token":1e-06,"max_input_tokens":"8k",
                "output_cost_per_token":null,"max_output_tokens":null,"note":"\u00fc"},
            "without": {"litellm_provider":"openai","mode":"chat"}
        }"#;
        let mut catalog = Catalog::default();
        assert_eq!(catalog.extend_from_json(json).unwrap(), 1);
        assert_eq!(catalog.len(), 2);
        let model = catalog.exact("openai", "a/b").unwrap();
        assert_eq!((model.context_window, model.max_output), (None, None));
        assert!(model.price.is_some());
    }

    #[test]
    fn a_list_that_is_refused_leaves_the_catalog_as_it_was() {
        let mut catalog = Catalog::default();
        let good = r#"{"m": {"litellm_provider":"openai","input_cost_per_token":1}}"#;
        catalog.extend_from_json(good).unwrap();
        for bad in
            ["", "[]", r#"{"n": 1}"#, r#"{"a": {"litellm_provider":"openai"}, "n": {"input_cost_per_token":-1}}"#]
        {
            assert!(catalog.extend_from_json(bad).is_err(), "{bad}");
        }
        assert_eq!(catalog.len(), 1);
        assert_eq!(catalog.extend_from_json("{}").unwrap(), 0);
    }

    #[test]
    fn a_price_that_is_no_amount_names_model_and_field() {
        let json = r#"{"m": {"litellm_provider":"openai","mode":"chat","input_cost_per_token":-1}}"#;
        let error = Catalog::default().extend_from_json(json).unwrap_err().to_string();
        assert_eq!(error, "m: input_cost_per_token is -1, which is no price");
    }
}
