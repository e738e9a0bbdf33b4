//! Limits, and a model whose cost is easily counted: its input is free, each token of its output costs a thousandth of a dollar.

use loadtest::fake::Entry;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::PATIENCE;
use super::config::KEY;
use super::scene::{Reply, metric, reply, until_metric};
use super::sse::{Api, reason};
use super::targets::{Setup, Targets};

/// The model. No price list knows it.
pub(crate) const COIN: &str = "coin";
/// What a token of its output costs, in billionths of a dollar.
pub(crate) const TOKEN: u64 = 1_000_000;
/// One API of each dialect.
pub(crate) const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// Gives the model its price, with whatever controls behind its name.
pub(crate) fn with_price(config: &mut Value) {
    let patch = json!({"input_cost_per_token": 0, "output_cost_per_token": 0.001}).to_string();
    let price = json!({"id": COIN, "name": COIN, "match_type": "wildcard", "pattern": "coin*", "pricing_patch": patch});
    govern(config, "pricing_overrides", price);
}

/// Adds to a list of the `governance` section.
pub(crate) fn govern(config: &mut Value, list: &str, item: Value) {
    let list = &mut config["governance"][list];
    match list.as_array_mut() {
        Some(items) => items.push(item),
        None => *list = json!([item]),
    }
}

/// A budget that pays for so many tokens in an hour.
pub(crate) fn budget(id: &str, tokens: u64) -> Value {
    json!({"id": id, "max_limit": tokens as f64 / 1_000.0, "reset_duration": "1h"})
}

/// A budget that pays for so many tokens in such a time.
pub(crate) fn budget_each(id: &str, tokens: u64, reset: &str) -> Value {
    let mut budget = budget(id, tokens);
    budget["reset_duration"] = json!(reset);
    budget
}

/// So many requests in such a time.
pub(crate) fn requests(id: &str, most: u64, window: &str) -> Value {
    json!({"id": id, "request_max_limit": most, "request_reset_duration": window})
}

/// So many tokens in such a time.
pub(crate) fn tokens(id: &str, most: u64, window: &str) -> Value {
    json!({"id": id, "token_max_limit": most, "token_reset_duration": window})
}

/// A body for the model whose answers have at most so many tokens; `None`: it sets no limit.
pub(crate) fn coin_body(api: Api, model: &str, stream: bool, most: Option<u64>) -> Value {
    let mut body = api.body(model, stream, "12345678");
    let (place, field) = match api {
        Api::Chat | Api::Completion | Api::Messages => ("", "max_tokens"),
        Api::Responses => ("", "max_output_tokens"),
        Api::Gemini | Api::GeminiArray => ("/generationConfig", "maxOutputTokens"),
    };
    let place = body.pointer_mut(place).unwrap().as_object_mut().unwrap();
    match most {
        Some(most) => place.insert(field.to_owned(), json!(most)),
        None => place.remove(field),
    };
    body
}

/// `count` providers of this vendor's kind, asked once each, and the model's price.
pub(crate) fn coins(vendor: &str, count: usize) -> Setup {
    Setup::of(vendor, count).retries(0).with(with_price)
}

impl Setup {
    /// Adds to a list of the `governance` section.
    pub(crate) fn govern(self, list: &str, item: Value) -> Self {
        self.with(|config| govern(config, list, item))
    }

    /// A field of the first virtual key.
    pub(crate) fn key_field(self, field: &str, value: Value) -> Self {
        self.with(|config| config["governance"]["virtual_keys"][0][field] = value)
    }

    /// A field of the first virtual key's entry for a provider.
    pub(crate) fn access_field(self, target: usize, field: &str, value: Value) -> Self {
        self.with(|config| config["governance"]["virtual_keys"][0]["provider_configs"][target][field] = value)
    }
}

impl Targets {
    /// A request for the model, or for it at a provider, with this key and output limit.
    pub(crate) fn coin(
        &self,
        token: &str,
        api: Api,
        model: &str,
        stream: bool,
        most: impl Into<Option<u64>>,
    ) -> RequestBuilder {
        let url = self.gateway.url(&api.path(model, stream));
        let request = self.client.post(url).bearer_auth(token).header("content-type", "application/json");
        request.body(coin_body(api, model, stream, most.into()).to_string())
    }

    /// Asks for an answer of at most so many tokens, with this key.
    pub(crate) async fn pay_as(&self, token: &str, most: u64) -> Reply {
        reply(self.coin(token, Api::Chat, COIN, false, most)).await
    }

    /// The same with the first key.
    pub(crate) async fn pay(&self, most: u64) -> Reply {
        self.pay_as(KEY, most).await
    }

    /// What was charged to a budget in its window, in tokens of the model, once no call is under way.
    pub(crate) async fn spent(&self, budget: &str) -> u64 {
        self.until_idle().await;
        assert_eq!(self.gauge("held", budget).await, 0, "{budget}");
        let nano = self.gauge("spent", budget).await;
        assert_eq!(nano % TOKEN, 0, "{budget}: {nano}");
        nano / TOKEN
    }

    /// What a gauge says of a budget (`limit`, `spent`, `held`), in billionths of a dollar.
    pub(crate) async fn gauge(&self, what: &str, budget: &str) -> u64 {
        let name = gauge_name(what, budget);
        self.metric(&name).await.unwrap_or_else(|| panic!("{name} is missing"))
    }

    /// Waits until a gauge of a budget has come to a value.
    pub(crate) async fn until_gauge(&self, what: &str, budget: &str, nano: u64) {
        until_metric(&self.client, &self.gateway, &gauge_name(what, budget), nano).await;
    }

    /// A metric's value, of the line that begins with `name`.
    pub(crate) async fn metric(&self, name: &str) -> Option<u64> {
        metric(&self.client, &self.gateway, name).await
    }
}

fn gauge_name(what: &str, budget: &str) -> String {
    format!("tollgate_budget_{what}_nanodollars{{budget=\"{budget}\"}} ")
}

/// The text of an error, in whatever dialect.
pub(crate) fn message(reply: &Reply) -> String {
    reply.json()["error"]["message"].as_str().unwrap_or_else(|| panic!("no text: {}", reply.text())).to_owned()
}

/// The answer is a refusal with this status for this reason, and its text has all of these parts.
#[track_caller]
pub(crate) fn assert_refused(reply: &Reply, status: u16, why: &str, parts: &[&str]) {
    let text = reply.text();
    assert_eq!((reply.status, reason(&reply.json())), (status, Some(why)), "{text}");
    let message = message(reply);
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// The answer is 402 and names this holder.
#[track_caller]
pub(crate) fn assert_spent(reply: &Reply, holder: &str) {
    assert_refused(reply, 402, "budget_exceeded", &[holder]);
}

/// The answer is one of the model's.
#[track_caller]
pub(crate) fn assert_paid(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Asks again and again until the answer is not a refusal with this status.
pub(crate) async fn until_admitted(status: u16, ask: impl AsyncFn() -> Reply) -> Reply {
    super::soon(async {
        loop {
            let answer = ask().await;
            if answer.status != status {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
}

/// A streamed call that the provider holds open.
#[derive(Debug)]
pub(crate) struct Open {
    name: String,
    target: usize,
    asking: JoinHandle<Reply>,
}

impl Targets {
    /// Begins a streamed call whose answer provider `target` holds open, and waits until it has arrived there. `name` is its own.
    pub(crate) async fn open(&self, token: &str, target: usize, name: &str, most: u64) -> Open {
        self.open_in(Api::Chat, token, target, name, most).await
    }

    /// The same in an API.
    pub(crate) async fn open_in(&self, api: Api, token: &str, target: usize, name: &str, most: u64) -> Open {
        let model = format!("{COIN}~lockstep={name}");
        let asking = tokio::spawn(reply(self.coin(token, api, &model, true, most)));
        let is_open = |entry: &Entry| entry.model.as_ref() == Some(&model) && entry.status.is_some();
        let there = |entries: &[Entry]| entries.iter().any(is_open);
        self.fakes[target].books().wait_for(there, PATIENCE).await.unwrap();
        Open { name: name.to_owned(), target, asking }
    }

    /// Lets the provider end it, and reads its answer.
    pub(crate) async fn finish(&self, open: Open) -> Reply {
        // More than an answer has events.
        (0..100).for_each(|_| self.fakes[open.target].books().ack(&open.name));
        super::soon(open.asking).await.unwrap()
    }

    /// Lets the client of a call hang up.
    pub(crate) async fn leave(&self, open: Open) {
        open.asking.abort();
        let _ = open.asking.await;
    }
}
