//! `env.NAME` wherever a text stands.

use super::*;

fn read_with(json: &str, variables: &[(&str, &str)]) -> Result<(File, Vec<Problem>), Vec<Problem>> {
    let env = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    read(json, env, &VOCABULARY)
}

#[test]
fn a_reference_stands_for_its_value_anywhere() {
    let json = r#"{
        "encryption_key": "env.SEAL",
        "providers": {"openai": {
            "keys": [{"name": "env.NAME", "value": "env.KEY", "models": ["env.MODEL"]}],
            "network_config": {"base_url": "env.URL", "extra_headers": {"x-team": "env.TEAM"}}
        }}
    }"#;
    let variables = [
        ("SEAL", "s"),
        ("NAME", "main"),
        ("KEY", "sk-1"),
        ("MODEL", "gpt-4o"),
        ("URL", "https://host"),
        ("TEAM", "ml"),
    ];
    let (file, _) = read_with(json, &variables).unwrap();
    let provider = &file.providers[0];
    assert_eq!(provider.credentials[0].name.as_str(), "main");
    assert_eq!(provider.credentials[0].value.as_ref().unwrap().reveal(), "sk-1");
    assert!(provider.credentials[0].models.names("gpt-4o"));
    assert_eq!(provider.base_url.as_deref(), Some("https://host"));
    assert_eq!(provider.headers_to_send(), [("x-team".into(), "ml".into())]);
    assert_eq!(file.encryption_key.unwrap().reveal(), "s");
}

#[test]
fn every_variable_that_cannot_be_had_is_named_and_causes_no_second_mistake() {
    let json = r#"{
        "providers": {"openai": {"keys": [
            {"name": "env.UNSET", "value": "env.EMPTY"},
            {"name": "b", "value": "env."}
        ]}},
        "governance": {"virtual_keys": [
            {"id": "a", "name": "a", "value": "env.UNSET", "team_id": "env.UNSET", "allow_all_providers": true}
        ]}
    }"#;
    let problems = lines(read_with(json, &[("EMPTY", "")]).unwrap_err());
    assert_eq!(
        problems,
        [
            "providers.openai.keys[0].name = \"env.UNSET\": the environment variable `UNSET` is not set",
            "providers.openai.keys[0].value = \"env.EMPTY\": the environment variable `EMPTY` is empty",
            "providers.openai.keys[1].value = \"env.\": names no environment variable",
            "governance.virtual_keys[0].value = \"env.UNSET\": the environment variable `UNSET` is not set",
            "governance.virtual_keys[0].team_id = \"env.UNSET\": the environment variable `UNSET` is not set",
        ]
    );
}

#[test]
fn a_required_header_from_the_environment_is_compared_not_matched() {
    let json = r#"{"client": {"required_headers": {"X-Code": "env.CODE", "x-stage": "dev|prod", "x-any": "*"}}}"#;
    let (file, _) = read_with(json, &[("CODE", "a.c")]).unwrap();
    let headers = &file.client.required_headers;
    let names: Vec<_> = headers.iter().map(|header| &*header.name).collect();
    assert_eq!(names, ["x-code", "x-stage", "x-any"]);
    let check = |code: &'static str| {
        crate::headers::check_required(headers, |name| match name {
            "x-code" => Some(code),
            _ => Some("dev"),
        })
    };
    assert!(check("a.c").is_ok());
    assert!(check("abc").is_err(), "a dot must not mean any character");
}

#[test]
fn prose_that_begins_like_a_reference_stays_as_it_is() {
    let json = r#"{"governance": {"customers": [{"id": "a", "name": "env.NAME is not resolved in prose"}]}}"#;
    let (file, _) = read_with(json, &[]).unwrap();
    assert_eq!(&*file.governance.customers[0].name, "env.NAME is not resolved in prose");
}
