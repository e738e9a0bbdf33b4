//! What an operator writes: the shapes of `config.json`, and what must hold between them. Pure: the text and the
//! environment are arguments. One pass finds every mistake, each with its place.

mod check;
mod client;
mod compile;
pub mod entity;
mod env;
mod framework;
mod governance;
mod header;
mod json;
mod limits;
pub mod network;
mod node;
pub mod not_yet;
mod operations;
mod owner;
mod password;
mod path;
mod pause;
mod prices;
mod problem;
mod provider;
mod rules;
mod scalar;
mod sections;
mod server;
mod store;
mod world;

pub use client::ClientShape;
pub use compile::limits::FileLimits;
pub use framework::FrameworkShape;
pub use governance::{AuthShape, CustomerShape, GovernanceShape, ProviderConfigShape, TeamShape, VirtualKeyShape};
pub use limits::{
    BudgetShape, BudgetTerms, CountLimit, InlineBudget, InlineRateLimit, LimitsShape, ModelConfigShape,
    ProviderLimitsShape, RateLimitShape, RateTerms,
};
pub use owner::Owner;
pub use password::is_password_hash;
pub use prices::{Patch, PriceOverrideShape, PriceScopeKind, PriceSource, PricingShape};
pub use problem::{Problem, Severity};
pub use provider::{CredentialShape, CustomShape, OwnServerShape, ProviderShape};
pub use rules::{RuleShape, Scope, TargetShape};
pub use scalar::Decimal;
pub use sections::PluginShape;
pub use server::{AdminShape, ServerShape, TlsShape};
pub use store::{LogsStoreShape, PostgresShape, SslMode, StoreShape};
pub use world::World;

use crate::nearest;
use crate::provider::Secret;

use json::Json;
use node::{Node, Read};
use problem::Log;

/// A whole configuration file.
#[derive(Clone, Debug)]
pub struct File {
    /// `version`
    pub version: Version,
    /// `encryption_key`: seals what is stored.
    pub encryption_key: Option<Secret>,
    /// `client`
    pub client: ClientShape,
    /// `providers`, in the order of the file.
    pub providers: Vec<ProviderShape>,
    /// `governance`
    pub governance: GovernanceShape,
    /// `plugins`
    pub plugins: Vec<PluginShape>,
    /// `framework`
    pub framework: FrameworkShape,
    /// `server`
    pub server: ServerShape,
    /// `tls`; `None`: plain HTTP.
    pub tls: Option<TlsShape>,
    /// `admin`
    pub admin: AdminShape,
    /// `config_store`; `None`: a file in the data folder.
    pub config_store: Option<StoreShape>,
    /// `logs_store`
    pub logs_store: LogsStoreShape,
    /// `source_of_truth`: whether what the file does not declare is removed from the store.
    pub is_only_source: bool,
}

/// What an absent `provider_configs` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Every provider is allowed.
    V1,
    /// No provider is allowed. The default.
    V2,
}

/// The vendors that a provider can be of.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// Those that can be used.
    pub vendors: &'a [&'a str],
    /// Those of them that have no address of their own: it must be configured.
    pub without_address: &'a [&'a str],
    /// Those of them that operators run themselves: they may want no credential.
    pub self_hosted: &'a [&'a str],
    /// Those that are known and refused with "not supported yet".
    pub vendors_later: &'a [&'a str],
    /// Says what is wrong with a base URL (the second argument) for a vendor (the first), without repeating it.
    pub check_base_url: fn(&str, &str) -> Result<(), String>,
}

/// Reads a configuration, and gives it with its warnings. `env` gives the value of an environment variable.
///
/// # Errors
/// All problems, warnings among them, in the order of the file, when one of them keeps the configuration from being used.
pub fn read(
    json: &str,
    env: impl Fn(&str) -> Option<String>,
    vocabulary: &Vocabulary<'_>,
) -> Result<(File, Vec<Problem>), Vec<Problem>> {
    let written = json::parse(json)?;
    let (_, file, warnings) = read_file(&written, &env, vocabulary)?;
    Ok((file, warnings))
}

/// Reads a parsed file: gives it as JSON with its references resolved, as shapes, and its warnings.
fn read_file(
    written: &Json,
    env: &dyn Fn(&str) -> Option<String>,
    vocabulary: &Vocabulary<'_>,
) -> Result<(Json, File, Vec<Problem>), Vec<Problem>> {
    let log = Log::new(written);
    let document = env::resolve(written, env, &log);
    let log = log.onto(&document);
    let file = File::read(Node::document(&document, &log));
    check::check(&file, vocabulary, &log);
    not_yet::check(&document, "", vocabulary, &log);
    let problems = log.into_problems();
    if problems.iter().all(Problem::is_warning) { Ok((document, file, problems)) } else { Err(problems) }
}

impl Read for File {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| {
            fields.with("$schema", scalar::any_text);
            let file = Self {
                version: fields.with("version", version).unwrap_or(Version::V2),
                encryption_key: fields.optional("encryption_key"),
                client: fields.section("client"),
                providers: fields.with("providers", provider::providers).unwrap_or_default(),
                governance: fields.section("governance"),
                plugins: fields.list("plugins"),
                framework: fields.section("framework"),
                server: fields.section("server"),
                tls: fields.optional("tls"),
                admin: fields.section("admin"),
                config_store: fields.with("config_store", store::read).flatten(),
                logs_store: fields.with("logs_store", store::read_logs).unwrap_or_default(),
                is_only_source: fields.with("source_of_truth", sections::source_of_truth).unwrap_or(false),
            };
            fields.with("access_profiles", sections::access_profiles);
            file
        })
    }
}

fn version(node: Node<'_>) -> Version {
    match scalar::whole(node, &(1..=2)) {
        1 => Version::V1,
        _ => Version::V2,
    }
}

#[cfg(test)]
mod tests;
