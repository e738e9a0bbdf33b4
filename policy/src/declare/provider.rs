//! The `providers` section: where providers are, how they are reached, and their keys.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::{CredentialName, ModelName, ProviderName};
use crate::list::AllowList;
use crate::provider::{Deadlines, Retries, Secret, TlsTrust};
use crate::request::OperationSet;
use crate::route::Weight;

use super::header::extra_headers;
use super::node::{Fields, Node, Read};
use super::operations::flags;
use super::pause::pause;
use super::scalar::{header_secret, whole};

/// One entry of `providers`.
#[derive(Clone, Debug)]
pub struct ProviderShape {
    /// The name under which it stands in the file.
    pub name: ProviderName,
    /// `keys`: its credentials.
    pub credentials: Vec<CredentialShape>,
    /// `network_config.base_url`; `None`: the vendor's own.
    pub base_url: Option<Box<str>>,
    /// `network_config.extra_headers`, names in lower case.
    pub extra_headers: Vec<(Box<str>, Secret)>,
    /// The time-outs of `network_config`.
    pub deadlines: Deadlines,
    /// `network_config.max_retries`, `retry_backoff_initial`, `retry_backoff_max` and
    /// `circuit_breaker`.
    pub retries: Retries,
    /// `network_config.ca_cert_pem` and `insecure_skip_verify`.
    pub tls: TlsTrust,
    /// `custom_provider_config`: set for a provider whose name is not its vendor's.
    pub custom: Option<CustomShape>,
}

/// `custom_provider_config`: a provider of another name that works like one of the vendors.
#[derive(Clone, Debug)]
pub struct CustomShape {
    /// `base_provider_type`: the vendor.
    pub vendor: Box<str>,
    /// `allowed_requests`; `None`: all that the vendor can do.
    pub allowed: Option<OperationSet>,
    /// `is_key_less`: whether it wants no credential.
    pub keyless: bool,
}

/// One entry of a provider's `keys`.
#[derive(Clone, Debug)]
pub struct CredentialShape {
    /// `name`: unique within the provider.
    pub name: CredentialName,
    /// `value`: the credential itself.
    pub value: Option<Secret>,
    /// `models`: those it is for; absent: all.
    pub models: AllowList,
    /// `blacklisted_models`: those it is not for, whatever `models` says.
    pub denied_models: AllowList,
    /// `weight`: absent 1; `null`: used only when pinned by name.
    pub weight: Option<Weight>,
    /// `aliases` (or `deployments`): what is asked for → what the provider calls it.
    pub aliases: BTreeMap<ModelName, ModelName>,
    /// `enabled`: whether it may be used.
    pub is_enabled: bool,
    /// `ollama_key_config`, `sgl_key_config` or `vllm_key_config`: the server that it is for.
    pub server: Option<OwnServerShape>,
    /// Whether a vendor's own section, such as `azure_key_config`, stands beside or instead of `value`.
    pub(super) has_vendor_section: bool,
}

/// A server that the operator runs himself.
#[derive(Clone, Debug)]
pub struct OwnServerShape {
    /// The name of the section that it stands in.
    pub section: &'static str,
    /// `url`: where it is.
    pub url: Option<Box<str>>,
    /// `model_name`: the only model that it has.
    pub model: Option<ModelName>,
}

/// The sections of keys that say where a server is, and the vendor of each.
pub(super) const OWN_SERVERS: [(&str, &str); 3] =
    [("ollama_key_config", "ollama"), ("sgl_key_config", "sgl"), ("vllm_key_config", "vllm")];

impl ProviderShape {
    /// The vendor's name: that of the base provider type, else its own.
    #[must_use]
    pub fn vendor(&self) -> &str {
        self.custom.as_ref().map_or(self.name.as_str(), |custom| &custom.vendor)
    }

    /// Whether it wants no credential.
    #[must_use]
    pub fn is_keyless(&self) -> bool {
        self.custom.as_ref().is_some_and(|custom| custom.keyless)
    }
}

/// Reads `providers`, in the order of the file.
pub(super) fn providers(node: Node<'_>) -> Vec<ProviderShape> {
    node.map(provider)
}

/// Reads one of them.
pub(super) fn provider(name: &str, node: Node<'_>) -> ProviderShape {
    if name.is_empty() || name.contains('/') {
        node.log.error_about_secret(node.path, "a provider's name must not be empty and must not contain `/`");
    }
    node.object(|fields| {
        for flag in ["send_back_raw_request", "send_back_raw_response"] {
            fields.optional::<bool>(flag);
        }
        let network: NetworkConfig = fields.section("network_config");
        ProviderShape {
            name: name.into(),
            credentials: fields.list("keys"),
            base_url: network.base_url,
            extra_headers: network.extra_headers,
            deadlines: network.deadlines,
            retries: network.retries,
            tls: network.tls,
            custom: fields.optional("custom_provider_config"),
        }
    })
}

struct NetworkConfig {
    base_url: Option<Box<str>>,
    extra_headers: Vec<(Box<str>, Secret)>,
    deadlines: Deadlines,
    retries: Retries,
    tls: TlsTrust,
}

impl Read for NetworkConfig {
    fn read(node: Node<'_>) -> Self {
        let default = Deadlines::default();
        node.object(|fields| Self {
            base_url: fields.optional("base_url"),
            extra_headers: fields.with("extra_headers", extra_headers).unwrap_or_default(),
            deadlines: Deadlines {
                connect: fields.millis("connect_timeout_ms", default.connect, 1..=600_000),
                stream_header: fields.millis("stream_header_timeout_ms", default.stream_header, 1..=86_400_000),
                first_token: fields.with("stream_first_token_timeout_ms", |node| {
                    Duration::from_millis(whole(node, &(1..=86_400_000)))
                }),
                stream_idle: fields.seconds("stream_idle_timeout_in_seconds", default.stream_idle),
                total: fields.seconds("default_request_timeout_in_seconds", default.total),
            },
            retries: retries(fields),
            tls: TlsTrust {
                skip_verify: fields.with("insecure_skip_verify", skip_verify).unwrap_or(false),
                ca_pem: fields.with("ca_cert_pem", ca_pem).map(Into::into),
            },
        })
    }
}

/// Of the two pauses one may be left out; then it is as far from the other as it must be.
fn retries(fields: &mut Fields<'_>) -> Retries {
    let default = Retries::default();
    let max = fields.small("max_retries", default.max, 0..=10);
    let initial = fields.with("retry_backoff_initial", pause);
    let most = fields.with("retry_backoff_max", |node| {
        let most = pause(node);
        if initial.is_some_and(|initial| initial > most) {
            node.error("smaller than `retry_backoff_initial`");
        }
        most
    });
    let backoff_initial =
        initial.unwrap_or_else(|| most.map_or(default.backoff_initial, |most| default.backoff_initial.min(most)));
    let backoff_max = most.unwrap_or_else(|| default.backoff_max.max(backoff_initial));
    let circuit_breaker = fields.or("circuit_breaker", default.circuit_breaker);
    Retries { max, backoff_initial, backoff_max, circuit_breaker }
}

fn skip_verify(node: Node<'_>) -> bool {
    let skip = bool::read(node);
    if skip {
        node.log.warning(node.path, "accepts any certificate: anyone in between can read and change the traffic");
    }
    skip
}

fn ca_pem(node: Node<'_>) -> Box<str> {
    let pem = Box::<str>::read(node);
    if !pem.is_empty() && !pem.contains("-----BEGIN CERTIFICATE-----") {
        let message = "expected the text of a PEM certificate (\"-----BEGIN CERTIFICATE-----…\"), not a file name";
        node.log.error_about_secret(node.path, message);
    }
    pem
}

impl Read for CustomShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            vendor: fields.required("base_provider_type"),
            allowed: fields.with("allowed_requests", flags),
            keyless: fields.or("is_key_less", false),
        })
    }
}

impl Read for CredentialShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| {
            fields.optional::<bool>("use_for_batch_api");
            Self {
                name: fields.required("name"),
                value: fields.with("value", header_secret),
                models: fields.or("models", AllowList::All),
                denied_models: fields.or("blacklisted_models", AllowList::nothing()),
                weight: fields.weight("weight"),
                aliases: fields.either::<Aliases>("aliases", "deployments").unwrap_or_default().0,
                is_enabled: fields.or("enabled", true),
                server: own_server(fields),
                has_vendor_section: fields.any(|name| name.ends_with("_key_config")),
            }
        })
    }
}

/// Of several sections the last one is taken; the others are not the vendor's, and the checks say so.
fn own_server(fields: &mut Fields<'_>) -> Option<OwnServerShape> {
    let mut server = None;
    for (section, vendor) in OWN_SERVERS {
        let found = fields.with(section, |node| {
            node.object(|fields| OwnServerShape {
                section,
                url: fields.optional("url"),
                model: if vendor == "vllm" { fields.optional("model_name") } else { None },
            })
        });
        server = found.or(server);
    }
    server
}

#[derive(Default)]
struct Aliases(BTreeMap<ModelName, ModelName>);

impl Read for Aliases {
    fn read(node: Node<'_>) -> Self {
        Self(node.map(|name, node| (ModelName::from(name), ModelName::read(node))).into_iter().collect())
    }
}
