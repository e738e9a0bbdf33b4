//! `GET …/models`: what the caller may use, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use policy::catalog::Model;
use policy::decision::Refusal;
use policy::id::ModelName;
use policy::key::Access;
use policy::provider::Provider;
use policy::request::{Dialect, Operation, OperationSet};
use policy::route::{Caller, usable_credentials};
use policy::settings::Compat;
use policy::snapshot::Snapshot;
use providers::models::{ListedModel, anthropic_list, gemini_list, openai_list, superset_list};

use super::ctx::RequestCtx;
use super::route::{Asked, ModelList};
use super::{Edge, fail};

/// When a model came out is not known; SDKs want a number.
const CREATED: u64 = 1_700_000_000;

impl Edge {
    /// Answers with the list, or says why the caller gets none.
    pub(super) async fn list_models(
        &self,
        session: &mut Session,
        ctx: &mut RequestCtx,
        list: ModelList,
    ) -> std::result::Result<Result<()>, Refusal> {
        let dialect = match list {
            ModelList::Superset => Dialect::OpenAi,
            ModelList::Of(dialect) => dialect,
        };
        let asked = Asked { dialect, operation: Operation::ListModels, gemini: None };
        ctx.record.asked = Some((dialect, Operation::ListModels));
        ctx.asked = Some(asked.clone());
        let snapshot = self.live.snapshot();
        let caller = self.identify(&snapshot, session, ctx, &asked)?;
        let body = render(list, &usable(&snapshot, &caller, list));
        Ok(tell(session, ctx, body).await)
    }
}

async fn tell(session: &mut Session, ctx: &mut RequestCtx, body: Vec<u8>) -> Result<()> {
    let mut header = ResponseHeader::build(200, Some(5))?;
    header.insert_header(http::header::CONTENT_TYPE, "application/json")?;
    fail::respond(session, header, Bytes::from(body), ctx).await
}

/// The models that the caller may use, by the name to call them by, with the provider that comes first.
fn usable(snapshot: &Snapshot, caller: &Caller, list: ModelList) -> BTreeMap<ModelName, Listed> {
    let mut models = BTreeMap::new();
    let key = caller.key.as_deref();
    let compat = snapshot.settings().compat;
    for provider in snapshot.providers() {
        let access = key.map_or(Access::Unlisted, |key| key.access(provider.name.as_str()));
        if !access.is_allowed() {
            continue;
        }
        for (name, known) in names(snapshot, provider) {
            let operations = served(list, provider, operations(provider, known.as_deref()), known.as_deref(), compat);
            let operations = key.map_or(operations, |key| operations.intersection(key.operations));
            if !operations.has_any_that_costs() || usable_credentials(provider, &name, caller).next().is_none() {
                continue;
            }
            let callable = if access.is_only_by_name() { format!("{}/{name}", provider.name).into() } else { name };
            models.entry(callable).or_insert_with(|| Listed { provider: Arc::clone(provider), known, operations });
        }
    }
    models
}

/// One model in a list.
struct Listed {
    provider: Arc<Provider>,
    known: Option<Arc<Model>>,
    operations: OperationSet,
}

/// What of a model's operations clients of a list can ask for: in a dialect's own list also what is translated from that dialect.
fn served(
    list: ModelList,
    provider: &Provider,
    operations: OperationSet,
    known: Option<&Model>,
    compat: Compat,
) -> OperationSet {
    let ModelList::Of(dialect) = list else { return operations };
    let is_served = |operation: &Operation| {
        let served = provider.served_as(dialect, *operation, known, compat);
        // A direct one must be the model's own, and so must what stands for it.
        served.is_some_and(|served| operations.contains(served))
    };
    Operation::ALL.iter().copied().filter(is_served).collect()
}

/// What a provider is known to have: the price list's models of operations served here, and what its credentials name.
fn names(snapshot: &Snapshot, provider: &Provider) -> Vec<(ModelName, Option<Arc<Model>>)> {
    let vendor = if provider.is_custom { provider.name.as_str() } else { provider.vendor };
    let listed = snapshot.catalog().of_vendor(vendor).filter(|(_, model)| is_served(&model.mode));
    let mut names: Vec<_> = listed.map(|(name, model)| (ModelName::from(name), Some(Arc::clone(model)))).collect();
    for credential in provider.enabled_credentials() {
        let own = credential.models.as_names().into_iter().flatten().map(|name| ModelName::from(&**name));
        let own = own.chain(credential.aliases.keys().cloned());
        names.extend(own.map(|name| {
            let known = snapshot.catalog().find(provider.vendor, credential.resolve(&name)).cloned();
            (name, known)
        }));
    }
    names
}

fn is_served(mode: &str) -> bool {
    matches!(mode, "chat" | "completion" | "responses" | "embedding")
}

fn render(list: ModelList, models: &BTreeMap<ModelName, Listed>) -> Vec<u8> {
    let entries: Vec<_> = models
        .iter()
        .map(|(name, listed)| ListedModel {
            id: name.as_str(),
            owned_by: listed.provider.name.as_str(),
            created: CREATED,
            context_window: listed.known.as_ref().and_then(|known| known.context_window),
            max_output: listed.known.as_ref().and_then(|known| known.max_output),
            operations: listed.operations,
        })
        .collect();
    match list {
        ModelList::Superset => superset_list(&entries),
        ModelList::Of(Dialect::OpenAi) => openai_list(&entries),
        ModelList::Of(Dialect::Anthropic) => anthropic_list(&entries),
        ModelList::Of(Dialect::Gemini) => gemini_list(&entries),
    }
}

fn operations(provider: &Provider, known: Option<&Model>) -> OperationSet {
    let of_mode: &[Operation] = match known.map(|known| &*known.mode) {
        Some("embedding") => &[Operation::Embedding],
        Some("completion") => &[Operation::TextCompletion],
        Some("responses") => &[Operation::Responses],
        Some("chat") => &[Operation::ChatCompletion, Operation::Responses, Operation::CountTokens],
        _ => return provider.operations,
    };
    provider.operations.intersection(of_mode.iter().copied().collect())
}
