//! Servers that operators run themselves: where they are, and what they need not have.

use super::*;

fn of(providers: &str) -> Vec<String> {
    problems(&format!(r#"{{"providers": {{{providers}}}}}"#))
}

#[test]
fn an_own_server_needs_an_address_and_no_key() {
    for fine in [
        r#""ollama": {"network_config": {"base_url": "http://a:1"}}"#,
        r#""ollama": {"keys": [{"name": "a", "ollama_key_config": {"url": "http://a:1"}}]}"#,
        r#""sgl": {"keys": [{"name": "a", "value": "s", "sgl_key_config": {"url": "http://a:1"}}]}"#,
        r#""vllm": {"network_config": {"base_url": "http://a:1"}, "keys": [{"name": "a"}]}"#,
        r#""x": {"custom_provider_config": {"base_provider_type": "vllm"},
                 "keys": [{"name": "a", "vllm_key_config": {"url": "http://a:1"}}]}"#,
    ] {
        assert_eq!(of(fine), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn an_address_that_is_missing_is_named_where_it_may_stand() {
    for (providers, expected) in [
        (
            r#""ollama": {}"#,
            "providers.ollama.network_config.base_url: required, but missing: this vendor has no address of its own, \
             and no key has `ollama_key_config.url`",
        ),
        (
            r#""vllm": {"keys": [{"name": "a", "vllm_key_config": {"url": "http://a:1"}}, {"name": "b"}]}"#,
            "providers.vllm.keys[1].vllm_key_config.url: required, but missing, as there is no `network_config.base_url`",
        ),
        (
            r#""databricks": {"keys": [{"name": "a", "value": "b"}]}"#,
            "providers.databricks.network_config.base_url: required, but missing: this vendor has no address of its own",
        ),
    ] {
        assert_eq!(of(providers), [expected]);
    }
}

#[test]
fn a_server_in_a_key_must_be_one_of_the_vendor() {
    let found =
        of(r#""openai": {"keys": [{"name": "a", "value": "b", "ollama_key_config": {"url": "http://canary:1"}}]}"#);
    let expected = "providers.openai.keys[0].ollama_key_config: is for the keys of vendor `ollama`, and this provider is of another";
    assert_eq!(found, [expected]);
    let found = of(r#""ollama": {"keys": [{"name": "a", "ollama_key_config": {"url": "localhost"}}]}"#);
    assert_eq!(found, ["providers.ollama.keys[0].ollama_key_config.url: no base URL"]);
}

#[test]
fn a_server_with_one_model_is_for_no_other() {
    let with = |fields: &str| {
        format!(
            r#""vllm": {{"keys": [{{"name": "a", "vllm_key_config": {{"url": "http://a:1", "model_name": "m"}}, {fields}}}]}}"#
        )
    };
    for fine in [r#""models": ["*"]"#, r#""models": ["m"]"#, r#""models": ["fast"], "aliases": {"fast": "m"}"#] {
        let file = right(&format!(r#"{{"providers": {{{}}}}}"#, with(fine)));
        let key = file.providers[0].credentials[0].to_policy(None);
        assert!(key.is_for(&"m".into()) && !key.is_for(&"other".into()), "{fine}");
    }
    let found = of(&with(r#""models": ["m", "other"]"#));
    let expected = "providers.vllm.keys[0].vllm_key_config.model_name = \"m\": the server's only model, and `models` names `other` too";
    assert_eq!(found, [expected]);
}
