//! Which override counts for an attempt.

use super::*;
use crate::money::PicoUsd;
use crate::price::Unit;
use crate::usage::ServiceTier;

fn exact(name: &str) -> ModelPattern {
    ModelPattern::Exact(name.into())
}

/// An override; its order is its place in its set.
fn own(scope: PriceScope, pattern: ModelPattern) -> PriceOverride {
    let rate = Rate { unit: Unit::Input, tier: ServiceTier::Standard, above_tokens: 0, price: PicoUsd(1) };
    PriceOverride {
        id: "".into(),
        name: "own".into(),
        scope,
        pattern,
        operations: OperationSet::ALL,
        order: 0,
        rates: vec![rate],
    }
}

/// A set of these, whose ids are their places.
fn set(overrides: impl IntoIterator<Item = PriceOverride>) -> PriceOverrides {
    let mut set = PriceOverrides::default();
    for (one, order) in overrides.into_iter().zip(0_u32..) {
        set.put(Arc::new(PriceOverride { id: order.to_string().into(), order, ..one })).unwrap();
    }
    set
}

/// What counts for `models` of openai with the credential `main`, called by `vk`.
fn found(set: &PriceOverrides, models: [&str; 3], operation: Operation) -> Option<String> {
    let attempt = Priced {
        key: Some(&"vk".into()),
        provider: &"openai".into(),
        credential: &"main".into(),
        models: models.map(|name| (!name.is_empty()).then_some(name)),
        operation,
    };
    set.find(&attempt).map(|one| one.id.to_string())
}

fn found_for(set: &PriceOverrides, model: &str) -> Option<String> {
    found(set, [model, "", ""], Operation::ChatCompletion)
}

fn scopes() -> [PriceScope; 6] {
    let (key, provider, credential) =
        (|| VirtualKeyId::from("vk"), || ProviderName::from("openai"), || CredentialName::from("main"));
    [
        PriceScope::KeyAndCredential(key(), provider(), credential()),
        PriceScope::KeyAndProvider(key(), provider()),
        PriceScope::Key(key()),
        PriceScope::Credential(provider(), credential()),
        PriceScope::Provider(provider()),
        PriceScope::Global,
    ]
}

#[test]
fn the_most_specific_scope_counts_whatever_its_pattern() {
    for first in 0..scopes().len() {
        let rest = scopes().into_iter().skip(first);
        let any_then_exact = rest
            .enumerate()
            .map(|(place, scope)| own(scope, if place == 0 { ModelPattern::prefix("") } else { exact("gpt-4o") }));
        // The order of the configuration does not matter here: the most specific one comes last.
        let mut overrides: Vec<_> = any_then_exact.collect();
        overrides.reverse();
        let last = overrides.len() - 1;
        assert_eq!(found_for(&set(overrides), "gpt-4o"), Some(last.to_string()), "{first}");
    }
}

#[test]
fn an_override_of_somebody_else_does_not_count() {
    let others = [
        PriceScope::KeyAndCredential("other".into(), "openai".into(), "main".into()),
        PriceScope::KeyAndCredential("vk".into(), "other".into(), "main".into()),
        PriceScope::KeyAndCredential("vk".into(), "openai".into(), "other".into()),
        PriceScope::KeyAndProvider("other".into(), "openai".into()),
        PriceScope::KeyAndProvider("vk".into(), "other".into()),
        PriceScope::Key("other".into()),
        PriceScope::Credential("openai".into(), "other".into()),
        PriceScope::Credential("other".into(), "main".into()),
        PriceScope::Provider("other".into()),
    ];
    let set = set(others.map(|scope| own(scope, ModelPattern::prefix(""))));
    assert_eq!(found_for(&set, "gpt-4o"), None);
}

#[test]
fn a_call_without_a_key_finds_what_is_about_no_key() {
    let set = set(scopes().map(|scope| own(scope, exact("gpt-4o"))));
    let attempt = Priced {
        key: None,
        provider: &"openai".into(),
        credential: &"main".into(),
        models: [Some("gpt-4o"), None, None],
        operation: Operation::ChatCompletion,
    };
    assert_eq!(set.find(&attempt).map(|one| one.scope.clone()), Some(scopes()[3].clone()));
}

#[test]
fn an_exact_name_comes_before_patterns_and_a_long_one_before_a_short_one() {
    let global = |pattern| own(PriceScope::Global, pattern);
    let set = set([
        global(ModelPattern::prefix("")),
        global(ModelPattern::prefix("gpt-4o")),
        global(ModelPattern::prefix("gpt-")),
        global(exact("gpt-4o")),
    ]);
    for (model, expected) in [("gpt-4o", "3"), ("gpt-4o-mini", "1"), ("gpt-5", "2"), ("claude", "0")] {
        assert_eq!(found_for(&set, model).as_deref(), Some(expected), "{model}");
    }
}

#[test]
fn a_model_is_known_by_each_of_its_names_the_providers_own_first() {
    let set = set(["deployment", "asked", "listed"].map(|name| own(PriceScope::Global, exact(name))));
    let chat = Operation::ChatCompletion;
    assert_eq!(found(&set, ["deployment", "asked", "listed"], chat).as_deref(), Some("0"));
    assert_eq!(found(&set, ["x", "asked", "listed"], chat).as_deref(), Some("1"));
    assert_eq!(found(&set, ["x", "y", "listed"], chat).as_deref(), Some("2"));
    assert_eq!(found(&set, ["x", "y", ""], chat), None);
}

#[test]
fn an_override_counts_for_its_operations_only() {
    let embeddings: OperationSet = [Operation::Embedding].into_iter().collect();
    let set = set([
        PriceOverride { operations: embeddings, ..own(PriceScope::Global, exact("m")) },
        own(PriceScope::Global, ModelPattern::prefix("")),
    ]);
    assert_eq!(found(&set, ["m", "", ""], Operation::Embedding).as_deref(), Some("0"));
    assert_eq!(found(&set, ["m", "", ""], Operation::ChatCompletion).as_deref(), Some("1"));
}

#[test]
fn of_two_for_the_same_the_first_counts_and_an_id_stands_once() {
    let global = || own(PriceScope::Global, exact("m"));
    let mut set = set([global(), global()]);
    assert_eq!(found_for(&set, "m").as_deref(), Some("0"));
    set.put(Arc::new(PriceOverride { id: "0".into(), order: 0, ..own(PriceScope::Global, exact("n")) })).unwrap();
    assert_eq!(found_for(&set, "m").as_deref(), Some("1"));
    set.remove(&"1".into());
    assert_eq!(found_for(&set, "m"), None);
    set.remove(&"0".into());
    assert!(set.is_empty() && set.lists.is_empty());
}

#[test]
fn a_scope_has_a_thousand_overrides_at_most_and_one_of_them_may_change() {
    let one = |number: usize| PriceOverride { id: number.to_string().into(), ..own(PriceScope::Global, exact("m")) };
    let mut set = set((0..MOST_OVERRIDES).map(one));
    let error = set.put(Arc::new(one(MOST_OVERRIDES))).unwrap_err();
    assert_eq!(error, TooManyOverrides(PriceScope::Global));
    assert!(set.put(Arc::new(one(3))).is_ok());
}
