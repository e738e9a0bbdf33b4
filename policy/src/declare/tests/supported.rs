//! Defaults of what is supported, and the list of what is not yet.

use std::time::Duration;

use crate::provider::{Deadlines, Retries};
use crate::request::Operation;
use crate::route::balance::Balance;
use crate::settings::{Compat, Logging, StreamRecovery};

use super::super::not_yet::NOT_SUPPORTED_YET;
use super::*;

#[test]
fn an_empty_file_has_the_documented_defaults() {
    let File { version, client, server, tls, encryption_key, .. } = right("{}");
    assert_eq!(version, Version::V2);
    assert!(encryption_key.is_none() && tls.is_none());
    assert_eq!(client.enforce_auth_on_inference, None);
    assert!(!client.allow_direct_keys && client.logging == Logging::default());
    assert_eq!(&*client.virtual_key_prefix, "sk-bf-");
    assert_eq!(client.default_max_output_tokens, 4_096);
    assert_eq!(client.max_request_body_bytes, 100 * 1024 * 1024);
    assert_eq!(client.max_buffered_bytes, 1024 * 1024 * 1024);
    assert_eq!(client.request_body_timeout, Duration::from_mins(1));
    assert_eq!(client.drain, Duration::from_secs(2));
    assert_eq!(client.auth_failures_per_minute, 60);
    assert_eq!((client.balance, client.stream_recovery), (Balance::Weighted, StreamRecovery::Error));
    assert!(!client.prompt_cache_affinity);
    assert_eq!(client.chain_depth, 10);
    assert!(client.refuse_unpriced);
    assert_eq!(client.min_clamped_tokens, 256);
    assert_eq!(client.compat, Compat::default());
    assert!(client.trusted_proxies.is_empty() && client.required_headers.is_empty());
    assert_eq!(server.threads, None);
    assert!(server.work_stealing);
    assert_eq!(server.shutdown_grace, Duration::from_secs(30));
    assert_eq!(server.shutdown_delay, Duration::ZERO);
    assert_eq!(server.upstream_pool_size, 1_024);
    assert_eq!(server.dns_ttl, Duration::from_secs(30));
    assert_eq!((server.max_header_bytes, server.max_header_count), (65_536, 128));
}

#[test]
fn null_is_as_good_as_absent() {
    let file = right(
        r#"{"client": {"drain_ms": null}, "tls": null, "governance": {"teams": null, "virtual_keys": [
            {"id": "a", "name": "a", "value": null, "team_id": null, "expires_at": null, "provider_configs": []}
        ]}}"#,
    );
    assert_eq!(file.client.drain, Duration::from_secs(2));
    assert!(file.governance.virtual_keys[0].value.is_none());
}

#[test]
fn a_provider_is_read_whole() {
    let file = right(
        r#"{"providers": {
            "openai": {"keys": [{"name": "a", "value": "sk"}], "network_config": {"connect_timeout_ms": 100,
                "stream_header_timeout_ms": 200, "stream_first_token_timeout_ms": 250, "stream_idle_timeout_in_seconds": 3,
                "default_request_timeout_in_seconds": 4}},
            "anthropic": {"keys": [{"name": "a", "value": "sk"}]},
            "local": {"custom_provider_config": {"base_provider_type": "openai", "is_key_less": true,
                "allowed_requests": {"chat_completion": true, "embedding": false, "speech": false}}}
        }}"#,
    );
    let [openai, anthropic, local] = &*file.providers else { panic!("not three") };
    let ms = Duration::from_millis;
    let first_token = Some(ms(250));
    let deadlines =
        Deadlines { connect: ms(100), stream_header: ms(200), first_token, stream_idle: ms(3_000), total: ms(4_000) };
    assert_eq!(openai.deadlines, deadlines);
    let unsaid = Deadlines {
        connect: ms(5_000),
        stream_header: ms(30_000),
        first_token: None,
        stream_idle: ms(30_000),
        total: ms(600_000),
    };
    assert_eq!(anthropic.deadlines, unsaid);
    assert_eq!((openai.vendor(), anthropic.vendor(), local.vendor()), ("openai", "anthropic", "openai"));
    assert!(local.is_keyless() && !openai.is_keyless());
    let allowed = local.custom.as_ref().and_then(|custom| custom.allowed).unwrap();
    assert!(allowed.contains(Operation::ChatCompletion) && !allowed.contains(Operation::Embedding));
}

#[test]
fn retries_are_read_as_milliseconds_or_as_durations() {
    let retries = |fields: &str| {
        let json = format!(
            r#"{{"providers": {{"openai": {{"keys": [{{"name": "a", "value": "b"}}], "network_config": {{{fields}}}}}}}}}"#
        );
        let file = right(&json);
        let Retries { max, backoff_initial, backoff_max, .. } = file.providers[0].retries;
        (max, backoff_initial.as_millis(), backoff_max.as_millis())
    };
    assert_eq!(retries(""), (2, 500, 5_000));
    assert_eq!(retries(r#""max_retries": 0, "retry_backoff_initial": 100, "retry_backoff_max": 100"#), (0, 100, 100));
    assert_eq!(retries(r#""retry_backoff_initial": "1.5s", "retry_backoff_max": "1m0.25s""#), (2, 1_500, 60_250));
    assert_eq!(retries(r#""retry_backoff_initial": "8s""#), (2, 8_000, 8_000));
    assert_eq!(retries(r#""retry_backoff_max": "100ms""#), (2, 100, 100));
    assert_eq!(retries(r#""retry_backoff_initial": "0""#), (2, 0, 5_000));
}

#[test]
fn pauses_that_are_none_are_refused() {
    for (fields, path, message) in [
        (r#""max_retries": 11"#, "max_retries = 11", "expected a whole number from 0 to 10"),
        (r#""retry_backoff_initial": "soon""#, "retry_backoff_initial = \"soon\"", "expected a number of milliseconds"),
        (r#""retry_backoff_initial": "-1s""#, "retry_backoff_initial = \"-1s\"", "expected a number of milliseconds"),
        (r#""retry_backoff_initial": ".s""#, "retry_backoff_initial = \".s\"", "expected a number of milliseconds"),
        (r#""retry_backoff_max": "25h""#, "retry_backoff_max = \"25h\"", "expected a number of milliseconds"),
        (r#""retry_backoff_max": 1.5"#, "retry_backoff_max = 1.5", "expected a whole number"),
        (
            r#""retry_backoff_initial": "6s", "retry_backoff_max": 5000"#,
            "retry_backoff_max = 5000",
            "smaller than `retry_backoff_initial`",
        ),
    ] {
        let json = format!(
            r#"{{"providers": {{"openai": {{"keys": [{{"name": "a", "value": "b"}}], "network_config": {{{fields}}}}}}}}}"#
        );
        let found = problems(&json);
        assert_eq!(found.len(), 1, "{json}: {found:#?}");
        assert!(found[0].starts_with(&format!("providers.openai.network_config.{path}: {message}")), "{found:#?}");
    }
}

#[test]
fn how_calls_are_spread_and_broken_streams_mended_is_read() {
    let file = right(
        r#"{"client": {"load_balancing": "adaptive", "stream_recovery": "buffer", "prompt_cache_affinity": true,
                "routing_chain_max_depth": 3},
            "governance": {"virtual_keys": [
                {"id": "a", "name": "a", "allow_all_providers": true, "load_balancing": "weighted"},
                {"id": "b", "name": "b", "allow_all_providers": true}
            ]}}"#,
    );
    let settings = file.settings();
    assert_eq!((settings.balance, settings.stream_recovery), (Balance::Adaptive, StreamRecovery::Buffer));
    assert!(settings.prompt_cache_affinity);
    assert_eq!(settings.chain_depth, 3);
    let balances = ["a", "b"].map(|id| normal_key(&file, id).balance);
    assert_eq!(balances, [Some(Balance::Weighted), None]);
    let found = problems(r#"{"client": {"load_balancing": "adaptiv", "routing_chain_max_depth": 11}}"#);
    assert_eq!(
        found,
        [
            "client.load_balancing = \"adaptiv\": unknown; did you mean `adaptive`?",
            "client.routing_chain_max_depth = 11: expected a whole number from 1 to 10",
        ]
    );
}

/// This list shrinks with every part that is built. Whoever changes it changes `docs/configuration.md` too.
#[test]
fn the_list_of_what_is_not_supported_yet_is_this() {
    let listed: Vec<_> = NOT_SUPPORTED_YET.iter().map(|row| row.path).collect();
    let expected = include_str!("not-supported-yet.txt");
    assert_eq!(listed.join("\n"), expected.trim_end());
}

/// `(configuration, the path that is refused)`: one for each row of the list.
const REFUSED: &[(&str, &str)] = &[
    (r#"{"access_profiles": [{"name": "a"}]}"#, "access_profiles"),
    (r#"{"alerting_config": {"a": 1}}"#, "alerting_config"),
    (r#"{"audit_logs": {"disabled": true}}"#, "audit_logs"),
    (r#"{"auth_config": {"is_enabled": true}}"#, "auth_config"),
    (r#"{"cluster_config": {"enabled": true}}"#, "cluster_config"),
    (r#"{"guardrails_config": {"a": 1}}"#, "guardrails_config"),
    (r#"{"logs_store": {"object_storage": {"type": "s3"}}}"#, "logs_store.object_storage"),
    (r#"{"mcp": {"client_configs": []}}"#, "mcp"),
    (r#"{"vault": {"type": "hashicorp"}}"#, "vault"),
    (r#"{"vector_store": {"type": "redis"}}"#, "vector_store"),
    (r#"{"websocket": {"a": 1}}"#, "websocket"),
    (r#"{"plugins": [{"name": "otel", "enabled": true}]}"#, "plugins[0]"),
    (r#"{"plugins": [{"name": "governance", "enabled": false}]}"#, "plugins[0]"),
    (r#"{"client": {"allowed_origins": ["https://a"]}}"#, "client.allowed_origins"),
    (r#"{"client": {"initial_pool_size": 300}}"#, "client.initial_pool_size"),
    (r#"{"client": {"drop_excess_requests": true}}"#, "client.drop_excess_requests"),
    (
        r#"{"governance": {"pricing_overrides": [{"id": "a", "name": "a", "pattern": "dall-e-3",
            "pricing_patch": {"output_cost_per_image": 0.04}}]}}"#,
        "governance.pricing_overrides[0].pricing_patch",
    ),
    (
        r#"{"governance": {"pricing_overrides": [{"id": "a", "name": "a", "pattern": "whisper",
            "request_types": ["transcription"], "pricing_patch": {"input_cost_per_token": 1e-6}}]}}"#,
        "governance.pricing_overrides[0].request_types[0]",
    ),
    (
        r#"{"governance": {"model_configs": [{"id": "a", "model_name": "gpt-4o", "rate_limit_ids": ["x"],
            "rate_limit": {"max_concurrent_requests": 1}}]}}"#,
        "governance.model_configs[0].rate_limit_ids",
    ),
    (
        r#"{"providers": {"openai": {"keys": [{"name": "a", "value": "b"}]}},
            "governance": {"providers": [{"name": "openai", "rate_limit": {"max_concurrent_requests": 1},
                "send_back_raw_request": true}]}}"#,
        "governance.providers[0].send_back_raw_request",
    ),
    (
        r#"{"providers": {"openai": {"keys": [{"name": "a", "value": "b"}]}},
            "governance": {"providers": [{"name": "openai", "rate_limit": {"max_concurrent_requests": 1},
                "send_back_raw_response": true}]}}"#,
        "governance.providers[0].send_back_raw_response",
    ),
    (r#"{"providers": {"vertex": {"keys": [{"name": "a", "value": "b"}]}}}"#, "providers.vertex"),
    (
        r#"{"providers": {"x": {"keys": [{"name": "a", "value": "b"}],
            "custom_provider_config": {"base_provider_type": "cohere"}}}}"#,
        "providers.x.custom_provider_config.base_provider_type",
    ),
    (
        r#"{"providers": {"x": {"keys": [{"name": "a", "value": "b"}], "custom_provider_config":
            {"base_provider_type": "openai", "allowed_requests": {"speech": true}}}}}"#,
        "providers.x.custom_provider_config.allowed_requests",
    ),
    (
        r#"{"providers": {"x": {"keys": [{"name": "a", "value": "b"}], "custom_provider_config":
            {"base_provider_type": "openai",
             "allowed_requests": {"chat_completion": true, "chat_completion_stream": false}}}}}"#,
        "providers.x.custom_provider_config.allowed_requests",
    ),
];

#[test]
fn what_is_not_supported_yet_is_refused() {
    for (json, path) in REFUSED {
        let found = problems(json);
        assert_eq!(found.len(), 1, "{json}: {found:#?}");
        assert!(found[0].starts_with(&format!("{LATER}{path}: not supported yet: ")), "{json}: {found:#?}");
        assert!(read_text(json).is_err());
    }
}

#[test]
fn parts_of_providers_that_are_not_supported_yet_are_refused() {
    for (place, field) in [
        ("", r#""concurrency_and_buffer_size": {"concurrency": 1}"#),
        ("", r#""proxy_config": {"type": "http"}"#),
        ("", r#""send_back_raw_request": true"#),
        ("", r#""send_back_raw_response": true"#),
        ("network_config", r#""beta_header_overrides": {"a": true}"#),
        ("network_config", r#""enforce_http2": true"#),
        ("network_config", r#""max_conns_per_host": 5000"#),
    ] {
        let name = field.split('"').nth(1).unwrap();
        let (path, fields) = match place {
            "" => (name.to_owned(), field.to_owned()),
            section => (format!("{section}.{name}"), format!(r#""{section}": {{{field}}}"#)),
        };
        let json = format!(r#"{{"providers": {{"openai": {{"keys": [{{"name": "a", "value": "b"}}], {fields}}}}}}}"#);
        let found = problems(&json);
        assert_eq!(found.len(), 1, "{json}: {found:#?}");
        assert!(found[0].starts_with(&format!("{LATER}providers.openai.{path}: ")), "{found:#?}");
    }
    for field in
        [r#""azure_key_config": {"endpoint": "x"}"#, r#""use_for_batch_api": true"#, r#""models": ["regex:x"]"#]
    {
        let json = format!(r#"{{"providers": {{"openai": {{"keys": [{{"name": "a", "value": "b", {field}}}]}}}}}}"#);
        let found = problems(&json);
        assert_eq!(later(&found).len(), 1, "{json}: {found:#?}");
        assert_eq!(errors(&found), Vec::<&str>::new());
    }
}

#[test]
fn parts_of_keys_that_are_not_supported_yet_are_refused() {
    for field in [
        r#""delete_after_expire": true"#,
        r#""mcp_configs": [{"mcp_client_name": "x"}]"#,
        r#""metadata": {"a": "b"}"#,
        r#""allowed_request_types": ["speech"]"#,
        r#""provider_configs": [{"provider": "openai", "allowed_models": ["regex:gpt-.*"]}]"#,
    ] {
        let found = problems(&with_key(&format!(r#""allow_all_providers": true, {field}"#)));
        assert_eq!(found.len(), 1, "{field}: {found:#?}");
        assert_eq!(later(&found).len(), 1, "{field}: {found:#?}");
    }
}

#[test]
fn what_says_no_more_than_nothing_is_not_refused() {
    right(
        r#"{
            "config_store": {"enabled": false, "type": "sqlite", "config": {"path": "./config.db"}},
            "logs_store": {"enabled": false},
            "mcp": {},
            "client": {"drop_excess_requests": false, "allowed_origins": ["*"], "prometheus_labels": []},
            "plugins": [{"enabled": true, "name": "telemetry"}, {"enabled": false, "name": "otel"}],
            "governance": {"budgets": [], "auth_config": {"is_enabled": false}, "virtual_keys": [
                {"id": "a", "name": "a", "provider_configs": [], "calendar_aligned": false, "budget_id": null}
            ]},
            "providers": {"openai": {"keys": [{"name": "a", "value": "b", "use_for_batch_api": false}],
                "network_config": {"max_retries": 0, "enforce_http2": false}, "send_back_raw_request": false}}
        }"#,
    );
}

#[test]
fn a_store_is_read_whole_and_is_a_file_in_the_data_folder_unless_it_is_enabled() {
    assert!(right("{}").config_store.is_none());
    let server = r#"{"host": "db", "user": "u", "db_name": "d", "password": "canary-4711", "port": "6432"}"#;
    let with = |is_enabled: bool, kind: &str, config: &str| {
        let json = format!(r#"{{"config_store": {{"enabled": {is_enabled}, "type": "{kind}", "config": {config}}}}}"#);
        right(&json).config_store
    };
    assert!(with(false, "postgres", server).is_none());
    let Some(StoreShape::Postgres(postgres)) = with(true, "postgres", server) else { panic!("it is a server") };
    assert_eq!((&*postgres.host, postgres.port, &*postgres.user, &*postgres.db_name), ("db", 6432, "u", "d"));
    assert_eq!((postgres.max_idle_conns, postgres.max_open_conns, postgres.ssl_mode), (5, 50, SslMode::Prefer));
    assert_eq!(postgres.password.as_ref().map(Secret::reveal), Some("canary-4711"));
    assert!(!format!("{postgres:?}").contains("4711"));
    let Some(StoreShape::Sqlite { path }) = with(true, "sqlite", r#"{"path": "./config.db"}"#) else {
        panic!("it is a file")
    };
    assert_eq!(path.as_deref(), Some("./config.db"));
    assert!(matches!(with(true, "sqlite", "{}"), Some(StoreShape::Sqlite { path: None })));
}

#[test]
fn logs_are_kept_for_as_long_and_in_as_much_room_as_is_said() {
    let file = right(
        r#"{"client": {"enable_logging": false, "log_retention_days": 1},
            "logs_store": {"retention_days": 36500, "max_size_mb": 2}}"#,
    );
    assert_eq!(file.settings().logging, Logging { is_enabled: false, retention_days: Some(1), ..Logging::default() });
    assert!(file.logs_store.is_enabled);
    assert_eq!((file.logs_store.retention_days, file.logs_store.max_bytes), (Some(36_500), Some(2 << 20)));
    let unsaid = right("{}");
    assert_eq!(unsaid.settings().logging, Logging::default());
    assert!(unsaid.logs_store.is_enabled && unsaid.logs_store.max_bytes.is_none());
    assert!(!right(r#"{"logs_store": {"enabled": false, "type": "postgres"}}"#).logs_store.is_enabled);
}

#[test]
fn logs_may_name_the_database_of_everything_else_and_no_other() {
    let with = |kept: &str, logs: &str| {
        let json = format!(r#"{{"config_store": {kept}, "logs_store": {logs}}}"#);
        problems(&json)
    };
    let (in_folder, in_file) = ("null", r#"{"enabled": true, "type": "sqlite", "config": {"path": "./config.db"}}"#);
    let server = |user: &str, host: &str| {
        format!(
            r#"{{"enabled": true, "type": "postgres",
                "config": {{"host": "{host}", "user": "{user}", "db_name": "d", "password": "canary-4711"}}}}"#
        )
    };
    let file = |path: &str| format!(r#"{{"enabled": true, "type": "sqlite", "config": {{"path": "{path}"}}}}"#);
    for (kept, logs) in [
        (in_folder, r#"{"type": "sqlite"}"#.to_owned()),
        (in_file, r#"{"enabled": true, "type": "sqlite", "config": {}}"#.to_owned()),
        (in_file, file("./config.db")),
        (&server("a", "db"), server("b", "db")),
        (&server("a", "db"), r#"{"retention_days": 1}"#.to_owned()),
    ] {
        assert_eq!(with(kept, &logs), Vec::<String>::new(), "{kept} {logs}");
    }
    for (kept, logs, path, possible) in [
        (in_folder, file("./logs.db"), "logs_store.config.path", "the file of `config_store`"),
        (in_file, file("./logs.db"), "logs_store.config.path", "the file of `config_store`"),
        (in_file, server("a", "db"), "logs_store.type", "`config_store`, which is `sqlite`"),
        (&server("a", "db"), file("./logs.db"), "logs_store.type", "`config_store`, which is `postgres`"),
        (&server("a", "db"), server("a", "other"), "logs_store.config", "`host`, `port` and `db_name`"),
    ] {
        let found = with(kept, &logs);
        assert_eq!(found.len(), 1, "{kept} {logs}: {found:#?}");
        assert!(found[0].starts_with(&format!("{path}: a database of its own")), "{found:#?}");
        assert!(found[0].contains(possible) && !found[0].contains("4711"), "{found:#?}");
    }
}

#[test]
fn contents_are_kept_where_it_is_said_by_the_call_before_the_key_before_the_client() {
    let of = |client: &str| right(&format!(r#"{{"client": {client}}}"#)).settings().logging;
    let said = [None, Some(false), Some(true)];
    let all = |logging: Logging| said.map(|key| said.map(|header| logging.keeps_content_of(key, header)));
    let by_key = |kept: bool| [[kept; 3], [false; 3], [true; 3]];
    assert_eq!(all(of("{}")), by_key(false), "nothing is kept unasked");
    assert_eq!(all(of(r#"{"disable_content_logging": true}"#)), by_key(false));
    assert_eq!(all(of(r#"{"disable_content_logging": false}"#)), by_key(true));
    let asked = of(r#"{"disable_content_logging": false, "allow_per_request_content_storage_override": true}"#);
    assert_eq!(all(asked), [[true, false, true], [false, false, true], [true, false, true]]);
    let off = of(r#"{"enable_logging": false, "disable_content_logging": false}"#);
    assert_eq!(all(off), [[false; 3]; 3]);
    let file = right(&with_key(r#""allow_all_providers": true, "disable_content_logging": false"#));
    assert_eq!(file.governance.virtual_keys[0].keeps_content, Some(true));
}

#[test]
fn contents_are_refused_by_name_on_a_server() {
    let server = r#"{"enabled": true, "type": "postgres", "config": {"host": "h", "user": "u", "db_name": "d"}}"#;
    let key = r#"{"id": "a", "name": "a", "allow_all_providers": true, "disable_content_logging": false}"#;
    let json = format!(
        r#"{{"config_store": {server}, "governance": {{"virtual_keys": [{key}]}},
            "client": {{"disable_content_logging": false, "allow_per_request_content_storage_override": true}}}}"#
    );
    let found = problems(&json);
    let places = [
        "client.disable_content_logging = false",
        "client.allow_per_request_content_storage_override = true",
        "governance.virtual_keys[0].disable_content_logging = false",
    ];
    assert_eq!(found.len(), places.len(), "{found:#?}");
    for place in places {
        let is_refused = |line: &String| line.starts_with(&format!("{place}: what is said in calls is not kept in"));
        assert!(found.iter().any(is_refused), "{place}: {found:#?}");
    }
}
