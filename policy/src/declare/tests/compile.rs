//! What is written, as decisions see it.

use crate::id::ModelName;
use crate::key::{Access, TokenHash};
use crate::request::{Operation, OperationSet};
use crate::route::Weight;
use crate::settings::{Compat, KeyRequirement};

use super::*;

#[test]
fn whether_a_key_is_needed_is_decided_in_this_order() {
    let auth = |fields: &str| format!(r#""governance": {{"auth_config": {{{fields}}}}}"#);
    let client = |value: &str| format!(r#""client": {{"enforce_auth_on_inference": {value}}}"#);
    let plugin = |value: &str| {
        format!(r#""plugins": [{{"enabled": true, "name": "governance", "config": {{"is_vk_mandatory": {value}}}}}]"#)
    };
    let disabled = auth(r#""disable_auth_on_inference": true"#);
    let not_disabled = auth(r#""disable_auth_on_inference": false"#);
    use KeyRequirement::{Always, Never, WhenKeysExist};
    for (sections, expected) in [
        (vec![], WhenKeysExist),
        (vec![not_disabled.clone()], WhenKeysExist),
        (vec![client("true")], Always),
        (vec![client("false")], Never),
        (vec![plugin("true")], Always),
        (vec![plugin("false")], Never),
        (vec![client("false"), plugin("true")], Always),
        (vec![client("true"), plugin("false")], Always),
        (vec![client("true"), plugin("true"), disabled], Never),
        (vec![client("true"), not_disabled], Always),
    ] {
        let settings = right(&format!("{{{}}}", sections.join(","))).settings();
        assert_eq!(settings.key_requirement, expected, "{sections:?}");
        assert_eq!(settings.key_requirement_reason == "no setting says otherwise", expected == WhenKeysExist);
    }
}

#[test]
fn administration_with_a_password_asks_for_keys_too() {
    let mut file = right("{}");
    file.governance.auth.is_enabled = true;
    assert_eq!(file.settings().key_requirement, KeyRequirement::Always);
}

#[test]
fn settings_are_those_of_the_client_section() {
    let settings = right(
        r#"{"client": {"virtual_key_prefix": "tg-", "allow_direct_keys": true, "default_max_output_tokens": 7,
            "unpriced_models": "allow", "min_clamped_tokens": 64,
            "compat": {"should_drop_params": true, "convert_text_to_chat": true, "should_convert_params": false},
            "required_headers": ["X-Tenant"]}}"#,
    )
    .settings();
    assert!(settings.looks_like_key("TG-1") && !settings.looks_like_key("sk-bf-1"));
    assert!(settings.allow_direct_keys);
    assert_eq!(settings.default_max_output_tokens, 7);
    assert!(!settings.refuse_unpriced);
    assert_eq!(settings.min_clamped_tokens, 64);
    assert_eq!(settings.compat, Compat { drops_params: true, text_to_chat: true, chat_to_responses: false });
    assert_eq!(&*settings.required_headers[0].name, "x-tenant");
}

fn compiled(version: u8, fields: &str) -> crate::key::VirtualKey {
    let json = with_key(fields).replacen('{', &format!("{{\"version\": {version},"), 1);
    let (file, _) = read_text(&json).unwrap_or_else(|problems| panic!("{problems:#?}"));
    normal_key(&file, "vk")
}

#[test]
fn what_is_absent_means_what_the_version_says() {
    let openai_allowed = |version, fields: &str| compiled(version, fields).access("openai").is_allowed();
    for (fields, in_1, in_2) in [
        (r#""is_active": true"#, true, false),
        (r#""provider_configs": []"#, false, false),
        (r#""provider_configs": [], "allow_all_providers": true"#, true, true),
        (r#""allow_all_providers": true"#, true, true),
        (r#""allow_all_providers": false"#, false, false),
        (r#""provider_configs": [{"provider": "openai"}]"#, true, true),
    ] {
        assert_eq!(openai_allowed(1, fields), in_1, "version 1: {fields}");
        assert_eq!(openai_allowed(2, fields), in_2, "version 2: {fields}");
    }
}

#[test]
fn absent_lists_of_a_provider_config_allow_and_empty_ones_deny() {
    let model = ModelName::from("gpt-4o");
    let allows = |config: &str| {
        let key = compiled(2, &format!(r#""provider_configs": [{{"provider": "openai", {config}}}]"#));
        let access = key.access("openai");
        (access.allows_model(&model, &model), access.allows_credential(&"main".into()))
    };
    assert_eq!(allows(r#""weight": 1"#), (true, true));
    assert_eq!(allows(r#""allowed_models": [], "key_ids": []"#), (false, false));
    assert_eq!(allows(r#""allowed_models": ["*"], "keys": ["*"]"#), (true, true));
    assert_eq!(allows(r#""allowed_models": ["gpt-4o"], "key_ids": ["main"]"#), (true, true));
    assert_eq!(allows(r#""allowed_models": ["*"], "blacklisted_models": ["gpt-4o"]"#), (false, true));
}

#[test]
fn a_weight_is_one_unless_written_and_none_when_null() {
    let weight = |text: &str| {
        let key = compiled(2, &format!(r#""provider_configs": [{{"provider": "openai"{text}}}]"#));
        match key.access("openai") {
            Access::Listed(access) => access.weight,
            _ => panic!("not listed"),
        }
    };
    assert_eq!(weight(""), Some(Weight::ONE));
    assert_eq!(weight(r#", "weight": 1.0"#), Some(Weight::ONE));
    assert_eq!(weight(r#", "weight": 0.5"#), Weight::from_text("0.5"));
    assert_eq!(weight(r#", "weight": null"#), None);
}

#[test]
fn the_rest_of_a_key_is_taken_over() {
    let key = compiled(
        2,
        r#""provider_configs": [], "is_active": false, "expires_at": "1970-01-01T00:00:01.5+00:00",
           "allowed_request_types": ["embedding"]"#,
    );
    assert_eq!(*key.tokens, [TokenHash::of("token")]);
    assert!(!key.is_active);
    assert_eq!(key.expires_at_ms, Some(1_500));
    assert!(key.operations.contains(Operation::Embedding) && !key.operations.contains(Operation::ChatCompletion));
    let open = compiled(2, r#""provider_configs": [], "allowed_request_types": ["*"]"#);
    assert_eq!(open.operations, OperationSet::ALL);
    let shut = compiled(2, r#""provider_configs": [], "allowed_request_types": []"#);
    assert!(!shut.operations.contains(Operation::ListModels));
}

#[test]
fn a_key_without_a_value_says_so() {
    let file = right(r#"{"governance": {"virtual_keys": [{"id": "a", "name": "a", "allow_all_providers": true}]}}"#);
    assert!(file.governance.virtual_keys[0].value.is_none());
}

#[test]
fn a_credential_is_taken_over() {
    let file = right(
        r#"{"providers": {"openai": {"keys": [
            {"name": "a", "value": "sk", "models": ["gpt-4o"], "blacklisted_models": ["gpt-4"], "weight": null,
             "deployments": {"fast": "gpt-4o"}, "enabled": false},
            {"name": "b", "value": "sk"}
        ]}}}"#,
    );
    let [a, b] = &*file.providers[0].credentials else { panic!("not two") };
    let (a, b) = (a.to_policy(None), b.to_policy(None));
    assert_eq!((a.weight, a.is_enabled), (None, false));
    assert_eq!(a.secret.reveal(), "sk");
    assert!(a.is_for(&"fast".into()) && !a.is_for(&"gpt-4".into()));
    assert_eq!((b.weight, b.is_enabled), (Some(Weight::ONE), true));
    assert!(b.is_for(&"anything".into()));
}

#[test]
fn teams_and_customers_are_taken_over() {
    let file = right(
        r#"{"governance": {"teams": [{"id": "ml", "name": "ML", "customer_id": "acme"}],
            "customers": [{"id": "acme", "name": "Acme"}]}}"#,
    );
    let team = normal_team(&file, "ml");
    assert_eq!(team.customer, Some("acme".into()));
    assert_eq!(&*normal_customer(&file, "acme").name, "Acme");
}
