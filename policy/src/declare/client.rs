//! The `client` section: what every call must carry, and the bounds of what is held for it.

use std::time::Duration;

use crate::headers::RequiredHeader;
use crate::route::balance::Balance;
use crate::settings::{Compat, Logging, StreamRecovery};

use super::header::required_headers;
use super::network::Network;
use super::node::{Fields, Node, Read};
use super::scalar::{any_text, balance, days, one_of};

/// The `client` section.
#[derive(Clone, Debug)]
pub struct ClientShape {
    /// `enforce_auth_on_inference`: whether a call needs a virtual key; `None` where nothing is said.
    pub enforce_auth_on_inference: Option<bool>,
    /// `allow_direct_keys`: whether a credential that is no virtual key is passed on as the caller's own.
    pub allow_direct_keys: bool,
    /// `required_headers`: headers that every inference call must carry.
    pub required_headers: Vec<RequiredHeader>,
    /// `virtual_key_prefix`: what is recognised as meant to be a virtual key; empty: nothing is.
    pub virtual_key_prefix: Box<str>,
    /// `default_max_output_tokens`: assumed for a model whose limit is not known.
    pub default_max_output_tokens: u64,
    /// `max_request_body_size_mb`, in bytes: the largest body that is accepted.
    pub max_request_body_bytes: u64,
    /// `max_buffered_bytes`: the most that all bodies together may take.
    pub max_buffered_bytes: u64,
    /// `request_body_timeout_ms`: how long receiving a body may take.
    pub request_body_timeout: Duration,
    /// `drain_ms`: how long an answer is read on for a client that left.
    pub drain: Duration,
    /// `trusted_proxies`: whose word on the client's address is believed.
    pub trusted_proxies: Vec<Network>,
    /// `auth_failures_per_minute`: how many failed authentications one client address may have; 0: any number.
    pub auth_failures_per_minute: u32,
    /// `enable_logging`, `log_retention_days`, `disable_content_logging`, `allow_per_request_content_storage_override`: what is written down of calls.
    pub logging: Logging,
    /// `load_balancing`: how traffic is spread where neither the rule nor the key says.
    pub balance: Balance,
    /// `stream_recovery`: what becomes of a streamed answer that breaks off.
    pub stream_recovery: StreamRecovery,
    /// `prompt_cache_affinity`: whether calls whose prompts begin alike go the same way.
    pub prompt_cache_affinity: bool,
    /// `routing_chain_max_depth`: how many rules a call may go through, one after the other.
    pub chain_depth: u8,
    /// `unpriced_models`: whether a model without a price is refused where a hard budget applies.
    pub refuse_unpriced: bool,
    /// `min_clamped_tokens`: no output limit is lowered further to fit a budget.
    pub min_clamped_tokens: u64,
    /// `compat`: what is done to requests that the target cannot be asked as they are.
    pub compat: Compat,
}

const STREAM_RECOVERIES: [(&str, StreamRecovery); 3] =
    [("error", StreamRecovery::Error), ("resume", StreamRecovery::Resume), ("buffer", StreamRecovery::Buffer)];

/// Whether they are refused.
const UNPRICED_MODELS: [(&str, bool); 2] = [("refuse", true), ("allow", false)];

const MIB: u64 = 1024 * 1024;

impl Read for ClientShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            enforce_auth_on_inference: fields.optional("enforce_auth_on_inference"),
            allow_direct_keys: fields.or("allow_direct_keys", false),
            required_headers: fields.with("required_headers", required_headers).unwrap_or_default(),
            virtual_key_prefix: fields.with("virtual_key_prefix", key_prefix).unwrap_or_else(|| "sk-bf-".into()),
            default_max_output_tokens: fields.whole("default_max_output_tokens", 4_096, 1..=100_000_000),
            max_request_body_bytes: fields.whole("max_request_body_size_mb", 100, 1..=4_096) * MIB,
            max_buffered_bytes: fields.whole("max_buffered_bytes", 1024 * MIB, MIB..=u64::MAX),
            request_body_timeout: fields.millis("request_body_timeout_ms", Duration::from_mins(1), 1..=86_400_000),
            drain: fields.millis("drain_ms", Duration::from_secs(2), 0..=600_000),
            trusted_proxies: fields.list("trusted_proxies"),
            auth_failures_per_minute: u32::try_from(fields.whole(
                "auth_failures_per_minute",
                60,
                0..=u64::from(u32::MAX),
            ))
            .unwrap_or(u32::MAX),
            logging: logging(fields),
            balance: fields.with("load_balancing", balance).flatten().unwrap_or_default(),
            stream_recovery: fields
                .with("stream_recovery", |node| one_of(node, &STREAM_RECOVERIES))
                .flatten()
                .unwrap_or_default(),
            prompt_cache_affinity: fields.or("prompt_cache_affinity", false),
            chain_depth: fields.small("routing_chain_max_depth", 10, 1..=10),
            refuse_unpriced: fields
                .with("unpriced_models", |node| one_of(node, &UNPRICED_MODELS))
                .flatten()
                .unwrap_or(true),
            min_clamped_tokens: fields.whole("min_clamped_tokens", 256, 1..=100_000_000),
            compat: fields.with("compat", compat).unwrap_or_default(),
        })
    }
}

fn compat(node: Node<'_>) -> Compat {
    node.object(|fields| {
        fields.or("should_convert_params", false);
        Compat {
            drops_params: fields.or("should_drop_params", false),
            text_to_chat: fields.or("convert_text_to_chat", false),
            chat_to_responses: fields.or("convert_chat_to_responses", false),
        }
    })
}

fn logging(fields: &mut Fields<'_>) -> Logging {
    Logging {
        is_enabled: fields.or("enable_logging", true),
        retention_days: fields.with("log_retention_days", days),
        keeps_content: !fields.or("disable_content_logging", true),
        is_content_asked: fields.or("allow_per_request_content_storage_override", false),
    }
}

fn key_prefix(node: Node<'_>) -> Box<str> {
    let prefix = any_text(node);
    if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.error("contains a blank or another character that a token cannot have");
    }
    prefix
}
