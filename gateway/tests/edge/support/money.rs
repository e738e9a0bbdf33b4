//! Money on both sides: budgets in configurations and gauges, and what the providers' books come to at the prices of the list.

use std::collections::BTreeMap;

use loadtest::fake::{Dialect, Entry, Operation};
use reqwest::Client;
use serde_json::{Value, json};

use super::prices::{Tokens, listed, rates};
use super::process::Gateway;
use super::scene::metric;
use super::sse::Api;

/// A billion billionths.
pub(crate) const DOLLAR: u64 = 1_000_000_000;

/// What stands on a budget, in billionths of a dollar, as the gauges say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u64,
    pub(crate) spent: u64,
    pub(crate) held: u64,
}

/// A hard budget of so many dollars a year: no window ends while a test runs.
pub(crate) fn budget(id: &str, dollars: f64) -> Value {
    json!({"id": id, "max_limit": dollars, "reset_duration": "1Y"})
}

/// Gives the model of each API its price in the list, whatever controls its name carries.
pub(crate) fn price_controls(config: &mut Value) {
    let mut overrides = BTreeMap::new();
    for api in Api::ALL {
        let patch = rates(&listed(api)).to_string();
        let pattern = format!("{}~*", api.model());
        let one = json!({"id": pattern, "name": pattern, "match_type": "wildcard", "pattern": pattern, "pricing_patch": patch});
        overrides.insert(api.model(), one);
    }
    config["governance"]["pricing_overrides"] = overrides.into_values().collect();
}

/// What stands on a budget.
pub(crate) async fn standing(client: &Client, gateway: &Gateway, budget: &str) -> Standing {
    let gauge = async |name: &str| {
        let line = format!("tollgate_budget_{name}_nanodollars{{budget=\"{budget}\"}} ");
        metric(client, gateway, &line).await.unwrap_or_else(|| panic!("the gauge {line}is missing"))
    };
    Standing { limit: gauge("limit").await, spent: gauge("spent").await, held: gauge("held").await }
}

/// What a provider bills for a request, in billionths of a dollar: by the usage that it reports if its answer went out whole, else
/// by the text that it read and the tokens that it wrote. Errors cost nothing.
pub(crate) fn billed(entry: &Entry) -> u64 {
    if entry.body_sha256.is_empty() || entry.status.is_some_and(|status| status != 200) {
        return 0;
    }
    let api = api_of(entry);
    let written = Tokens { input: entry.input_tokens, output: entry.output_tokens, ..Tokens::default() };
    let tokens = entry.usage.as_ref().filter(|_| entry.finished).map_or(written, |usage| Tokens::of(api, usage));
    tokens.nano_dollars(&listed(api))
}

/// What a line of the access log says that the call cost, in billionths of a dollar.
pub(crate) fn charged(line: &Value) -> u64 {
    line["cost_usd"].as_str().map_or(0, |text| text.replace('.', "").parse().unwrap())
}

/// What was billed for each call, by its request id.
pub(crate) fn billed_by_call(entries: &[Entry]) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for entry in entries {
        *calls.entry(entry.header("x-request-id").unwrap().to_owned()).or_default() += billed(entry);
    }
    calls
}

fn api_of(entry: &Entry) -> Api {
    match (entry.dialect, entry.operation) {
        (Some(Dialect::OpenAi), Some(Operation::Completion)) => Api::Completion,
        (Some(Dialect::OpenAi), Some(Operation::Responses)) => Api::Responses,
        (Some(Dialect::OpenAi), _) => Api::Chat,
        (Some(Dialect::Anthropic), _) => Api::Messages,
        (Some(Dialect::Gemini), _) => Api::Gemini,
        (None, _) => panic!("no call: {entry:?}"),
    }
}
