//! Configurations: a base that tests change.

use loadtest::fake::FakeProvider;
use serde_json::{Value, json};

/// Opens everything of the three vendors.
pub(crate) const KEY: &str = "sk-bf-canary-everything";
/// The three vendors, by dialect.
pub(crate) const VENDORS: [&str; 3] = ["openai", "anthropic", "gemini"];
/// How every vendor credential begins; no client and no log may ever see it.
pub(crate) const VENDOR_SECRET: &str = "canary-vendor-secret";

/// The credential of a provider.
pub(crate) fn vendor_secret(provider: &str) -> String {
    format!("{VENDOR_SECRET}-{provider}")
}

/// One provider with one credential.
pub(crate) fn provider(name: &str, base_url: &str) -> Value {
    json!({
        "keys": [{"name": format!("{name}-main"), "value": vendor_secret(name)}],
        "network_config": {"base_url": base_url},
    })
}

/// All three vendors at one address, and one key that may use them all.
pub(crate) fn config(base_url: &str) -> Value {
    let mut config = json!({
        "client": {"enforce_auth_on_inference": true},
        "providers": {},
        "governance": {"virtual_keys": [key("everything", KEY, &VENDORS)]},
    });
    for vendor in VENDORS {
        config["providers"][vendor] = provider(vendor, base_url);
    }
    config
}

/// A virtual key that may use these providers, in that order.
pub(crate) fn key(name: &str, token: &str, providers: &[&str]) -> Value {
    let configs: Vec<_> =
        providers.iter().map(|provider| json!({"provider": provider, "allowed_models": ["*"]})).collect();
    json!({"id": format!("vk-{name}"), "name": name, "value": token, "provider_configs": configs})
}

/// Two providers of one vendor's kind, `first` and `second`, always tried in that order, each once.
pub(crate) fn pair(vendor: &str, first_url: &str, second_url: &str) -> Value {
    let mut config = json!({
        "client": {"enforce_auth_on_inference": true},
        "providers": {},
        "governance": {"virtual_keys": [key("everything", KEY, &["first", "second"])]},
    });
    for (name, url) in [("first", first_url), ("second", second_url)] {
        config["providers"][name] = provider(name, url);
        config["providers"][name]["custom_provider_config"] = json!({"base_provider_type": vendor});
        config["providers"][name]["network_config"]["max_retries"] = json!(0);
    }
    let configs = &mut config["governance"]["virtual_keys"][0]["provider_configs"];
    configs[0]["weight"] = json!(1);
    configs[1]["weight"] = json!(0);
    config
}

/// Lets each provider be asked once for each call, however often it failed before.
pub(crate) fn without_circuits(config: &mut Value) {
    for (_, provider) in config["providers"].as_object_mut().unwrap() {
        provider["network_config"]["circuit_breaker"] = json!(false);
        provider["network_config"]["max_retries"] = json!(0);
    }
}

/// Adds a virtual key.
pub(crate) fn add_key(config: &mut Value, key: Value) {
    config["governance"]["virtual_keys"].as_array_mut().unwrap().push(key);
}

/// A fake provider of the test's own.
pub(crate) fn fake() -> FakeProvider {
    FakeProvider::local().unwrap()
}
