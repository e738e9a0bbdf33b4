//! Vendors that operators run themselves.

use policy::declare::read;

use super::*;
use crate::control::vocabulary;

fn provider(json: &str) -> Arc<Provider> {
    let text = format!(r#"{{"providers": {{{json}}}}}"#);
    let (file, _) = read(&text, |_| None, &vocabulary()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let snapshot = compile(&file, Arc::default()).unwrap();
    let provider = snapshot.providers().next().unwrap();
    Arc::clone(provider)
}

#[test]
fn each_key_may_have_a_server_of_its_own() {
    let provider = provider(
        r#""vllm": {"keys": [
            {"name": "a", "vllm_key_config": {"url": "http://rack-1:8000/v1"}},
            {"name": "b", "value": "secret", "vllm_key_config": {"url": "https://rack-2", "model_name": "m"}}
        ]}"#,
    );
    let at = |n: usize| provider.credentials[n].endpoint.as_ref().map(|endpoint| (&*endpoint.host, endpoint.port));
    assert_eq!((at(0), at(1)), (Some(("rack-1", 8000)), Some(("rack-2", 443))));
    assert_eq!((&*provider.endpoint.host, &*provider.endpoint.prefix), ("rack-1", ""));
    assert!(provider.is_self_hosted && !provider.keyless);
    assert!(provider.credentials[0].is_for(&"x".into()) && !provider.credentials[1].is_for(&"x".into()));
}

#[test]
fn a_server_without_keys_is_used_without() {
    let provider = provider(r#""ollama": {"network_config": {"base_url": "http://desk:11434"}}"#);
    assert!(provider.keyless && provider.credentials.iter().all(|credential| credential.is_none()));
    assert_eq!(provider.credentials.len(), 1);
}

#[test]
fn a_vendor_of_the_table_is_where_the_table_says() {
    let provider = provider(r#""groq": {"keys": [{"name": "a", "value": "b"}]}"#);
    assert_eq!((&*provider.endpoint.host, &*provider.endpoint.prefix), ("api.groq.com", "/openai"));
    assert!(!provider.is_self_hosted);
}
