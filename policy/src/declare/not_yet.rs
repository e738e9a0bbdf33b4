//! What is read and checked, but not built yet. One table names it all; a configuration that asks for it is refused.

use super::Vocabulary;
use super::entity::Kind;
use super::json::Json;
use super::operations;
use super::path::{Path, Step};
use super::prices::has_later_price;
use super::problem::Log;
use super::sections::BUILT_IN;

/// One thing that is not built yet.
#[derive(Clone, Copy, Debug)]
pub struct NotYet {
    /// Where it stands; `*` is any name, `[]` any item.
    pub path: &'static str,
    /// What it is.
    pub what: &'static str,
    when: When,
}

/// Which values ask for what is not built; the others mean no more than saying nothing.
#[derive(Clone, Copy, Debug)]
enum When {
    /// All but `null`, `false`, `""`, `[]` and `{}`.
    Filled,
    /// All but what is not filled, and objects that say `"enabled": false`.
    NotDisabled,
    /// A patch with a price that is to come.
    LaterPrice,
    /// All but `["*"]`, and what is not filled.
    NotAll,
    /// A provider under the name of a vendor that is to come.
    ProviderOfLaterVendor,
    /// The name of a vendor that is to come.
    LaterVendor,
    /// The name of an operation that is to come.
    LaterOperation,
    /// `allowed_requests` with an operation that is to come, or with streams allowed apart from the operation.
    LaterFlags,
    /// A model written as a pattern, `regex:…`.
    ModelPattern,
    /// A plugin that is not built in, and is not switched off.
    ForeignPlugin,
    /// A built-in plugin that is switched off, or has a configuration that does nothing.
    AlteredPlugin,
}

const fn row(path: &'static str, what: &'static str, when: When) -> NotYet {
    NotYet { path, what, when }
}

use When::{
    AlteredPlugin, Filled, ForeignPlugin, LaterFlags, LaterOperation, LaterPrice, LaterVendor, ModelPattern, NotAll,
    NotDisabled, ProviderOfLaterVendor,
};

/// All that is not built yet.
pub const NOT_SUPPORTED_YET: &[NotYet] = &[
    row("access_profiles", "access profiles", Filled),
    row("alerting_config", "alerts", Filled),
    row("audit_logs", "audit logs", Filled),
    row("auth_config", "`auth_config` at the top; it has its place in `governance`", Filled),
    row("cluster_config", "clusters", NotDisabled),
    row("guardrails_config", "guardrails", Filled),
    row("logs_store.object_storage", "contents in object storage", Filled),
    row("logs_store.object_storage_exclude_fields", "contents in object storage", Filled),
    row("mcp", "MCP", Filled),
    row("vault", "vaults", Filled),
    row("vector_store", "vector stores", NotDisabled),
    row("websocket", "WebSockets", Filled),
    row("plugins[]", "plugins other than governance, logging and telemetry", ForeignPlugin),
    row("plugins[]", "switching off or configuring this plugin", AlteredPlugin),
    row("client.allowed_headers", "CORS", Filled),
    row("client.allowed_origins", "CORS", NotAll),
    row("client.async_job_result_ttl", "asynchronous jobs", Filled),
    row("client.compat.should_convert_params", "conversions of single parameters", Filled),
    row("client.delete_expired_virtual_keys", "deleting expired keys", Filled),
    row("client.disable_db_pings_in_health", "a configuration store", Filled),
    row("client.drop_excess_requests", "queues for providers", Filled),
    row("client.header_filter_config", "filters for headers", Filled),
    row("client.initial_pool_size", "queues for providers", Filled),
    row("client.logging_headers", "headers in logs", Filled),
    row("client.mcp_agent_depth", "MCP", Filled),
    row("client.mcp_code_mode_binding_level", "MCP", Filled),
    row("client.mcp_disable_auto_tool_inject", "MCP", Filled),
    row("client.mcp_external_client_url", "MCP", Filled),
    row("client.mcp_external_server_url", "MCP", Filled),
    row("client.mcp_tool_execution_timeout", "MCP", Filled),
    row("client.mcp_tool_sync_interval", "MCP", Filled),
    row("client.prometheus_labels", "labels of metrics", Filled),
    row("client.vk_rotation_cooldown", "rotation of keys", Filled),
    row("client.whitelisted_routes", "routes without authentication", Filled),
    row("governance.business_units", "business units", Filled),
    row("governance.model_configs[].rate_limit_ids", "several rate limits of one model", Filled),
    row("governance.pricing_overrides[].pricing_patch", "prices of what is not sold by the token", LaterPrice),
    row("governance.pricing_overrides[].request_types[]", "this operation", LaterOperation),
    row("governance.providers[].send_back_raw_request", "raw requests in answers", Filled),
    row("governance.providers[].send_back_raw_response", "raw answers in answers", Filled),
    row("governance.virtual_keys[].allowed_request_types[]", "this operation", LaterOperation),
    row("governance.virtual_keys[].delete_after_expire", "deleting expired keys", Filled),
    row("governance.virtual_keys[].mcp_configs", "MCP", Filled),
    row("governance.virtual_keys[].metadata", "metadata of keys", Filled),
    row("governance.virtual_keys[].provider_configs[].allowed_models[]", "patterns of models", ModelPattern),
    row("governance.virtual_keys[].provider_configs[].blacklisted_models[]", "patterns of models", ModelPattern),
    row("providers.*", "this vendor", ProviderOfLaterVendor),
    row("providers.*.concurrency_and_buffer_size", "queues for providers", Filled),
    row("providers.*.custom_provider_config.allowed_requests", "one of these operations", LaterFlags),
    row("providers.*.custom_provider_config.base_provider_type", "this vendor", LaterVendor),
    row("providers.*.custom_provider_config.request_path_overrides", "paths of its own", Filled),
    row("providers.*.keys[].azure_key_config", "Azure", Filled),
    row("providers.*.keys[].bedrock_key_config", "Bedrock", Filled),
    row("providers.*.keys[].replicate_key_config", "Replicate", Filled),
    row("providers.*.keys[].vertex_key_config", "Vertex", Filled),
    row("providers.*.keys[].blacklisted_models[]", "patterns of models", ModelPattern),
    row("providers.*.keys[].models[]", "patterns of models", ModelPattern),
    row("providers.*.keys[].use_for_batch_api", "batches", Filled),
    row("providers.*.network_config.beta_header_overrides", "beta headers", Filled),
    row("providers.*.network_config.enforce_http2", "HTTP/2 to providers", Filled),
    row("providers.*.network_config.max_conns_per_host", "a bound on connections to one host", Filled),
    row("providers.*.proxy_config", "proxies on the way to providers", Filled),
    row("providers.*.send_back_raw_request", "raw requests in answers", Filled),
    row("providers.*.send_back_raw_response", "raw answers in answers", Filled),
];

impl NotYet {
    /// The steps from the document to it. `None`: it is not in a document of this kind.
    fn steps(&self, kind: Option<Kind>) -> Option<impl Iterator<Item = Want> + use<>> {
        let rest = kind.map_or(Some(self.path), |kind| self.path.strip_prefix(kind.place()));
        let rest = rest.filter(|rest| kind.is_none() || rest.is_empty() || rest.starts_with(['.', '[']))?;
        Some(rest.split('.').flat_map(|part| {
            let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
            let field = match name {
                "" => None,
                "*" => Some(Want::AnyField),
                name => Some(Want::Field(name)),
            };
            [field, is_list.then_some(Want::Item)].into_iter().flatten()
        }))
    }
}

#[derive(Clone, Copy)]
enum Want {
    Field(&'static str),
    AnyField,
    Item,
}

/// The names that the table knows in the object at `path` of a document of a kind.
pub(super) fn fields_of(kind: Option<Kind>, path: Path<'_>) -> Vec<&'static str> {
    let here = path.steps();
    let name_in_here = |row: &NotYet| {
        let mut wanted = row.steps(kind)?;
        let leads_here = here.iter().all(|step| match (wanted.next(), step) {
            (Some(Want::Field(name)), Step::Field(field)) => name == *field,
            (Some(Want::AnyField), Step::Field(_)) | (Some(Want::Item), Step::Item(_)) => true,
            _ => false,
        });
        match (leads_here, wanted.next(), wanted.next()) {
            (true, Some(Want::Field(name)), None) => Some(name),
            _ => None,
        }
    };
    NOT_SUPPORTED_YET.iter().filter_map(name_in_here).collect()
}

/// Notes all of the document that asks for what is not built. `id` is the entity's, if the document is one.
pub(super) fn check(document: &Json, id: &str, vocabulary: &Vocabulary<'_>, log: &Log<'_>) {
    for row in NOT_SUPPORTED_YET {
        let Some(steps) = row.steps(log.kind()) else { continue };
        let steps: Vec<_> = steps.collect();
        let ask = |json: &Json, path: Path<'_>| {
            let name = if let Path::Field(_, name) = path { name } else { id };
            if row.when.holds(json, name, vocabulary) {
                log.not_yet(path, row.what);
            }
        };
        visit(document, Path::Root, &steps, &ask);
    }
}

fn visit(json: &Json, path: Path<'_>, steps: &[Want], ask: &dyn Fn(&Json, Path<'_>)) {
    let Some((step, rest)) = steps.split_first() else { return ask(json, path) };
    match (step, json) {
        (Want::Field(name), _) => {
            if let Some(value) = json.field(name) {
                visit(value, path.field(name), rest, ask);
            }
        }
        (Want::AnyField, Json::Object(entries)) => {
            for (name, value) in entries {
                visit(value, path.field(name), rest, ask);
            }
        }
        (Want::Item, Json::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                visit(item, path.item(index), rest, ask);
            }
        }
        _ => {}
    }
}

impl When {
    /// `name` is that of the field.
    fn holds(self, json: &Json, name: &str, vocabulary: &Vocabulary<'_>) -> bool {
        let text = json.as_text().unwrap_or_default();
        let is_later = |vendor: &str| vocabulary.vendors_later.contains(&vendor);
        match self {
            Self::Filled => is_filled(json),
            Self::LaterPrice => has_later_price(json),
            Self::NotDisabled => is_filled(json) && !is_disabled(json),
            Self::NotAll => {
                let is_star =
                    |items: &Vec<Json>| items.len() == 1 && items.iter().all(|item| item.as_text() == Some("*"));
                is_filled(json) && !matches!(json, Json::List(items) if is_star(items))
            }
            Self::ProviderOfLaterVendor => is_later(name) && json.field("custom_provider_config").is_none(),
            Self::LaterVendor => is_later(text),
            Self::LaterOperation => operations::is_later(text),
            Self::LaterFlags => has_later_flags(json),
            Self::ModelPattern => text.starts_with("regex:"),
            Self::ForeignPlugin => plugin(json).is_some_and(|name| !BUILT_IN.contains(&name)) && !is_disabled(json),
            Self::AlteredPlugin => plugin(json).is_some_and(|name| {
                let has_config = json.field("config").is_some_and(is_filled);
                BUILT_IN.contains(&name) && (is_disabled(json) || (name != "governance" && has_config))
            }),
        }
    }
}

fn is_filled(json: &Json) -> bool {
    match json {
        Json::Null | Json::Nothing | Json::Bool(false) => false,
        Json::Bool(true) | Json::Number(_) => true,
        Json::Text(text) => !text.text.is_empty(),
        Json::List(items) => !items.is_empty(),
        Json::Object(entries) => !entries.is_empty(),
    }
}

fn is_disabled(json: &Json) -> bool {
    matches!(json.field("enabled"), Some(Json::Bool(false)))
}

fn plugin(json: &Json) -> Option<&str> {
    json.field("name")?.as_text().filter(|name| !name.is_empty())
}

/// Streams are allowed together with their operation: `chat_completion_stream` may only repeat `chat_completion`.
fn has_later_flags(json: &Json) -> bool {
    let Json::Object(entries) = json else { return false };
    let allows = |name: &str| matches!(json.field(name), Some(Json::Bool(true)));
    entries.iter().any(|(name, _)| match name.strip_suffix("_stream") {
        _ if operations::is_later(name) => allows(name),
        Some(plain) => allows(plain) != allows(name),
        None => false,
    })
}
