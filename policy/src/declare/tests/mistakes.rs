//! Mistakes within one value or object: each is found, with its place, and none gives a secret away.

use super::*;

#[test]
fn all_mistakes_of_a_file_are_found_at_once_in_its_order() {
    let json = r#"{
        "verson": 2,
        "client": {"drain_ms": -1, "enable_logging": "yes", "trusted_proxies": ["10.0.0.0/33"]},
        "providers": {"openai": {"keys": [{"name": "a", "value": "b", "weight": -1, "enable": true}]}},
        "governance": {
            "virtual_keys": [
                {"id": "a", "name": "a", "team_id": "mll", "provider_configs": [
                    {"provider": "openai", "allowed_model": ["x"], "key_ids": ["*", "b"], "weight": "abc"}
                ]},
                "not an object"
            ],
            "teams": [{"id": "ml", "name": "ML"}],
            "budgets": [{"id": "b", "max_limit": 5, "reset_duration": "1x"}]
        }
    }"#;
    assert_eq!(
        errors(&problems(json)),
        [
            "verson: unknown field; did you mean `version`?",
            "client.drain_ms = -1: expected a whole number from 0 to 600000",
            "client.enable_logging = \"yes\": expected true or false, found a text",
            "client.trusted_proxies[0] = \"10.0.0.0/33\": expected an IP address or a block of them, as in \"10.0.0.0/8\"",
            "providers.openai.keys[0].weight = -1: must not be negative",
            "providers.openai.keys[0].enable: unknown field; did you mean `enabled`?",
            "governance.virtual_keys[0].team_id = \"mll\": no team has this id; did you mean `ml`?",
            "governance.virtual_keys[0].provider_configs[0].allowed_model: unknown field; did you mean `allowed_models`?",
            "governance.virtual_keys[0].provider_configs[0].key_ids: `*` means all and cannot stand beside names",
            "governance.virtual_keys[0].provider_configs[0].weight = \"abc\": expected a number, found a text",
            "governance.virtual_keys[1]: expected an object, found a text",
            "governance.budgets[0].reset_duration = \"1x\": \
             expected a whole number and one of s m h d w M Q Y, as in \"30s\" or \"1M\"",
        ]
    );
}

#[test]
fn what_is_no_json_says_where() {
    let message = |json: &str| read_text(json).unwrap_err()[0].to_string();
    assert_eq!(message("{\n  \"client\": {,}\n}"), "not JSON: key must be a string at line 2 column 14");
    assert_eq!(message("{\n  \"client\": {"), "not JSON: ends too early, at line 2");
    assert_eq!(message("[]"), "expected an object, found a list");
}

/// `(configuration, its only error)`
const ONE_MISTAKE: &[(&str, &str)] = &[
    (r#"{"version": 3}"#, "version = 3: expected a whole number from 1 to 2"),
    (
        r#"{"server": {"shutdown_grace": "30"}}"#,
        "server.shutdown_grace = \"30\": expected a whole number and one of ms s m h, as in \"30s\"",
    ),
    (r#"{"server": {"threads": 0}}"#, "server.threads = 0: expected a whole number from 1 to 1024"),
    (
        r#"{"client": {"request_body_timeout_ms": 0}}"#,
        "client.request_body_timeout_ms = 0: expected a whole number from 1 to 86400000",
    ),
    (
        r#"{"client": {"max_request_body_size_mb": 1.5}}"#,
        "client.max_request_body_size_mb = 1.5: expected a whole number from 1 to 4096",
    ),
    (
        r#"{"client": {"max_buffered_bytes": 2000000}}"#,
        "client.max_buffered_bytes = 2000000: smaller than one body may be (`max_request_body_size_mb`)",
    ),
    (
        r#"{"client": {"required_headers": {"x-a": "("}}}"#,
        "client.required_headers.x-a = \"(\": not a regular expression: unclosed group",
    ),
    (
        r#"{"client": {"required_headers": ["x-a", "X-A"]}}"#,
        "client.required_headers[1]: this header stands here twice (case does not matter)",
    ),
    (
        r#"{"client": {"required_headers": ["x a"]}}"#,
        "client.required_headers[0]: not a header name: letters, digits and - are allowed",
    ),
    (
        r#"{"client": {"required_headers": true}}"#,
        "client.required_headers: expected a list of header names, or an object of names and patterns, found a boolean",
    ),
    (r#"{"client": {"drain_ms": 1, "drain_ms": 2}}"#, "client.drain_ms: this field stands here twice"),
    (
        r#"{"client": {"enforce_governance_header": true}}"#,
        "client.enforce_governance_header: unknown field; did you mean `enforce_auth_on_inference`?",
    ),
    (r#"{"tls": {"cert": "a"}}"#, "tls.key: required, but missing"),
    (r#"{"tls": {"cert": "", "key": "a"}}"#, "tls.cert = \"\": must not be empty"),
    (r#"{"tls": {"certificate": "a", "cert": "a", "key": "b"}}"#, "tls.certificate: unknown field; known: cert, key"),
    (r#"{"admin": {"address": "a"}}"#, "admin.address: unknown field; known: listen"),
    (r#"{"admin": {"listen": ""}}"#, "admin.listen = \"\": must not be empty"),
    (
        r#"{"admin": {"listen": "127.0.0.1"}}"#,
        "admin.listen = \"127.0.0.1\": expected an address and a port, as in \"127.0.0.1:9090\"",
    ),
    (
        r#"{"admin": {"listen": ":9090"}}"#,
        "admin.listen = \":9090\": expected an address and a port, as in \"127.0.0.1:9090\"",
    ),
    (
        r#"{"admin": {"listen": "[::1]:99999"}}"#,
        "admin.listen = \"[::1]:99999\": expected an address and a port, as in \"127.0.0.1:9090\"",
    ),
    (
        r#"{"providers": {"a/b": {"keys": [], "custom_provider_config": {"base_provider_type": "openai"}}}}"#,
        "providers[\"a/b\"]: a provider's name must not be empty and must not contain `/`",
    ),
    (
        r#"{"providers": {"openai": {"keys": []}, "openai": {"keys": []}}}"#,
        "providers.openai: this name stands here twice",
    ),
    (
        r#"{"providers": {"opena": {"keys": []}}}"#,
        "providers.opena: unknown vendor (a provider of another name needs `custom_provider_config`); did you mean `openai`?",
    ),
    (
        r#"{"providers": {"x": {"keys": [], "custom_provider_config": {"base_provider_type": "x"}}}}"#,
        "providers.x.custom_provider_config.base_provider_type = \"x\": unknown vendor; known: openai, anthropic, gemini, groq, mistral, fireworks, ollama, sgl, vllm, databricks",
    ),
    (
        r#"{"providers": {"x": {"keys": [], "custom_provider_config": {}}}}"#,
        "providers.x.custom_provider_config.base_provider_type: required, but missing",
    ),
    (
        r#"{"providers": {"openai": {"keys": [{"name": "a"}]}}}"#,
        "providers.openai.keys[0].value: required, but missing",
    ),
    (
        r#"{"providers": {"openai": {"keys": [{"name": "a", "value": "b\n"}]}}}"#,
        "providers.openai.keys[0].value: contains a blank, a line break or another character that a token cannot have",
    ),
    (
        r#"{"providers": {"openai": {"keys": [{"name": "a", "value": "b", "aliases": {"x": "y"}, "deployments": {"z": "y"}}]}}}"#,
        "providers.openai.keys[0].deployments: means the same as `aliases`: write only one of them",
    ),
    (
        r#"{"providers": {"openai": {"keys": [{"name": "a", "value": "b"}, {"name": "a", "value": "c"}]}}}"#,
        "providers.openai.keys[1].name: the same as `providers.openai.keys[0].name`; it must be unique",
    ),
    (
        r#"{"providers": {"openai": {"keys": [], "network_config": {"base_url": "host"}}}}"#,
        "providers.openai.network_config.base_url: no base URL",
    ),
    (
        r#"{"providers": {"openai": {"keys": [], "network_config": {"extra_headers": {"Host": "a"}}}}}"#,
        "providers.openai.network_config.extra_headers.Host: this header is set by the gateway itself",
    ),
    (
        r#"{"providers": {"openai": {"keys": [], "network_config": {"extra_headers": {"x-a": "b\r\nc"}}}}}"#,
        "providers.openai.network_config.extra_headers.x-a: contains a line break or another control character",
    ),
    (
        r#"{"providers": {"openai": {"keys": [], "network_config": {"ca_cert_pem": "/etc/ca.pem"}}}}"#,
        "providers.openai.network_config.ca_cert_pem: expected the text of a PEM certificate (\"-----BEGIN CERTIFICATE-----…\"), not a file name",
    ),
    (
        r#"{"governance": {"auth_config": {"is_enabled": true, "admin_username": "a"}}}"#,
        "governance.auth_config.admin_password: required when `is_enabled` is true, but missing",
    ),
    (
        r#"{"plugins": [{"name": "governance", "config": {"is_vk_mandatry": true}}]}"#,
        "plugins[0].config.is_vk_mandatry: unknown field; did you mean `is_vk_mandatory`?",
    ),
    (r#"{"plugins": {"governance": {"enabled": true}}}"#, "plugins: expected a list, found an object"),
    (
        r#"{"config_store": {"enabled": true, "type": "postgre"}}"#,
        "config_store.type = \"postgre\": unknown; did you mean `postgres`?",
    ),
    (r#"{"logs_store": {"config": {"path": "a"}}}"#, "logs_store.type: required, but missing"),
    (
        r#"{"logs_store": {"retention_days": 0}}"#,
        "logs_store.retention_days = 0: expected a whole number from 1 to 36500",
    ),
    (
        r#"{"logs_store": {"max_size_mb": -1}}"#,
        "logs_store.max_size_mb = -1: expected a whole number from 1 to 1000000000",
    ),
    (
        r#"{"client": {"log_retention_days": 0}}"#,
        "client.log_retention_days = 0: expected a whole number from 1 to 36500",
    ),
    (
        r#"{"client": {"log_retention_days": "ever"}}"#,
        "client.log_retention_days = \"ever\": expected a whole number, found a text",
    ),
    (r#"{"config_store": {"enabled": true}}"#, "config_store.type: required, but missing"),
    (r#"{"config_store": {"enabled": true, "type": "postgres"}}"#, "config_store.config: required, but missing"),
    (
        r#"{"config_store": {"type": "postgres", "config": {"user": "u", "db_name": "d"}}}"#,
        "config_store.config.host: required, but missing",
    ),
    (
        r#"{"config_store": {"type": "postgres", "config": {"host": "h", "user": "u", "db_name": "d", "port": "70000"}}}"#,
        "config_store.config.port = \"70000\": expected a port from 1 to 65535",
    ),
    (
        r#"{"config_store": {"type": "postgres", "config": {"host": "h", "user": "u", "db_name": "d", "ssl_mode": "allow"}}}"#,
        "config_store.config.ssl_mode = \"allow\": unknown; known: disable, prefer, require, verify-ca, verify-full",
    ),
    (
        r#"{"config_store": {"type": "sqlite", "config": {"host": "h"}}}"#,
        "config_store.config.host: unknown field; known: path",
    ),
];

#[test]
fn each_mistake_is_told_as_it_should_be() {
    for (json, expected) in ONE_MISTAKE {
        assert_eq!(errors(&problems(json)), [*expected], "{json}");
    }
}

/// `(fields of a virtual key, the error behind the key's path)`
const MISTAKES_OF_A_KEY: &[(&str, &str)] = &[
    (
        r#""expires_at": "tomorrow""#,
        "expires_at = \"tomorrow\": expected a date and time with its zone, as in \"2027-01-31T00:00:00Z\"",
    ),
    (
        r#""expires_at": "2027-01-31""#,
        "expires_at = \"2027-01-31\": expected a date and time with its zone, as in \"2027-01-31T00:00:00Z\"",
    ),
    (
        r#""allowed_request_types": ["chat"]"#,
        "allowed_request_types[0] = \"chat\": unknown operation; known: chat_completion, text_completion, responses, embedding, count_tokens, list_models",
    ),
    (
        r#""allowed_request_types": ["embeddings"]"#,
        "allowed_request_types[0] = \"embeddings\": unknown operation; did you mean `embedding`?",
    ),
    (
        r#""provider_configs": [{"provider": "openai", "allowed_models": ["a", "a"]}]"#,
        "provider_configs[0].allowed_models[1] = \"a\": this name stands here twice",
    ),
    (
        r#""provider_configs": [{"provider": "openai", "allowed_models": "a"}]"#,
        "provider_configs[0].allowed_models: expected a list, found a text",
    ),
    (
        r#""provider_configs": [{"provider": "openai", "blacklisted_models": ["*", "a"]}]"#,
        "provider_configs[0].blacklisted_models: `*` means all and cannot stand beside names",
    ),
    (
        r#""provider_configs": [{"provider": "openai", "weight": 1e30}]"#,
        "provider_configs[0].weight = 1000000000000000000000000000000: too large",
    ),
    (
        r#""provider_configs": [{"provider": "openai", "weight": -0.5}]"#,
        "provider_configs[0].weight = -0.5: must not be negative",
    ),
    (
        r#""provider_configs": [{"provider": "openai", "key_ids": ["main"], "keys": ["main"]}]"#,
        "provider_configs[0].keys: means the same as `key_ids`: write only one of them",
    ),
    (r#""provider_configs": [{"provider": ""}]"#, "provider_configs[0].provider = \"\": must not be empty"),
    (r#""provider_configs": [{}]"#, "provider_configs[0].provider: required, but missing"),
];

#[test]
fn each_mistake_of_a_virtual_key_is_told_as_it_should_be() {
    for (fields, expected) in MISTAKES_OF_A_KEY {
        let expected = format!("governance.virtual_keys[0].{expected}");
        assert_eq!(errors(&problems(&with_key(fields))), [expected], "{fields}");
    }
}

/// Wherever a secret stands, rightly or wrongly, no problem repeats it.
#[test]
fn no_problem_gives_a_secret_away() {
    const SECRET: &str = "canary-4711";
    let json = r#"{
        "encryption_key": ["canary-4711"],
        "client": {"required_headers": ["canary-4711 canary-4711"]},
        "providers": {
            "openai": {
                "keys": [
                    {"name": "a", "values": "canary-4711", "value": "canary-4711\n"},
                    {"name": "b", "value": {"secret": "canary-4711"}},
                    "canary-4711"
                ],
                "network_config": {
                    "base_url": "ftp://me:canary-4711@host",
                    "ca_cert_pem": "canary-4711",
                    "extra_headers": {"authorization": "canary-4711\n", "te": "canary-4711", "x": ["canary-4711"]}
                }
            },
            "anthropic": {"keys": "canary-4711", "network_config": "canary-4711"}
        },
        "governance": {
            "auth_config": {"is_enabled": "env.CANARY", "admin_pasword": "canary-4711"},
            "virtual_keys": [
                {"id": "a", "name": "a", "value": "canary-4711"},
                {"id": "b", "name": "b", "value": "canary-4711", "team_id": "env.CANARY", "weight": "canary-4711"},
                {"id": "c", "name": "c", "value": "canary-4711 "}
            ],
            "budgets": [{"id": "a", "max_limit": "env.CANARY", "reset_duration": "env.CANARY"}]
        },
        "config_store": {"enabled": true, "type": "postgres", "config": {"password": 1, "pasword": "canary-4711"}}
    }"#;
    let problems = read(json, |_| Some(SECRET.to_owned()), &VOCABULARY).unwrap_err();
    assert!(problems.len() > 25, "{}", problems.len());
    for problem in problems {
        let shown = format!("{problem} {problem:?}");
        assert!(!shown.contains("4711"), "{shown}");
    }
}

#[test]
fn a_file_that_was_read_does_not_show_its_secrets_when_printed() {
    let file = right(
        r#"{"encryption_key": "canary-4711",
            "providers": {"openai": {"keys": [{"name": "a", "value": "canary-4711"}],
                "network_config": {"extra_headers": {"x-key": "canary-4711"}}}},
            "governance": {
                "auth_config": {"admin_password": "canary-4711"},
                "virtual_keys": [{"id": "a", "name": "a", "value": "canary-4711", "allow_all_providers": true}]
            }}"#,
    );
    assert!(!format!("{file:?}").contains("4711"));
}
