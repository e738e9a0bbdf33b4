//! A gateway with several providers of one vendor's kind behind it: `p0`, `p1`, …, each a fake of its own.

use loadtest::fake::{Controls, Entry, FakeProvider};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::config::{KEY, fake, key, provider, vendor_secret};
use super::process::Gateway;
use super::scene::{Reply, client, reply, until_metric};
use super::sse::Api;

/// The pauses before retries, so that tests do not wait for them: the longest first one and the longest of all.
const BACKOFF_MS: (u64, u64) = (1, 5);

/// The providers are running, the gateway is not: its configuration can still be changed.
#[derive(Debug)]
pub(crate) struct Setup {
    fakes: Vec<FakeProvider>,
    /// What the gateway will be started with.
    pub(crate) config: Value,
}

/// All of it, running.
#[derive(Debug)]
pub(crate) struct Targets {
    pub(crate) fakes: Vec<FakeProvider>,
    pub(crate) gateway: Gateway,
    pub(crate) client: Client,
}

/// A rule for everybody: when it matches, where it sends a call (provider and weight), and where the call goes from there.
pub(crate) fn rule(id: &str, expression: &str, targets: &[(&str, f64)], fallbacks: &[&str]) -> Value {
    let targets: Vec<_> =
        targets.iter().map(|(provider, weight)| json!({"provider": provider, "weight": weight})).collect();
    json!({"id": id, "name": id, "cel_expression": expression, "targets": targets, "fallbacks": fallbacks})
}

impl Setup {
    /// `count` providers of this vendor's kind, with one credential each and hardly any pause before a retry; one virtual key
    /// that may use them all, and tries them in their order.
    pub(crate) fn of(vendor: &str, count: usize) -> Self {
        let fakes: Vec<_> = (0..count).map(|_| fake()).collect();
        let names: Vec<_> = (0..count).map(|n| format!("p{n}")).collect();
        let borrowed: Vec<_> = names.iter().map(String::as_str).collect();
        let mut config = json!({
            "client": {"enforce_auth_on_inference": true},
            "providers": {},
            "governance": {"virtual_keys": [key("everything", KEY, &borrowed)]},
        });
        for (name, fake) in names.iter().zip(&fakes) {
            config["providers"][name] = provider(name, &fake.url());
            config["providers"][name]["custom_provider_config"] = json!({"base_provider_type": vendor});
        }
        let in_order: Vec<_> = (0..count).map(|n| if n == 0 { 1.0 } else { 0.0 }).collect();
        Self { fakes, config }
            .network("retry_backoff_initial", json!(BACKOFF_MS.0))
            .network("retry_backoff_max", json!(BACKOFF_MS.1))
            .weights(&in_order)
    }

    /// What a provider does, as a model name with controls would say it: `~status=500`.
    pub(crate) fn does(self, target: usize, controls: &str) -> Self {
        let_do(&self.fakes[target], controls);
        self
    }

    /// The weights of the virtual key's providers.
    pub(crate) fn weights(mut self, weights: &[f64]) -> Self {
        for (n, weight) in weights.iter().enumerate() {
            self.config["governance"]["virtual_keys"][0]["provider_configs"][n]["weight"] = json!(weight);
        }
        self
    }

    /// A field of every provider's `network_config`.
    pub(crate) fn network(mut self, field: &str, value: Value) -> Self {
        for n in 0..self.fakes.len() {
            self.config["providers"][format!("p{n}")]["network_config"][field] = value.clone();
        }
        self
    }

    /// A field of one provider's `network_config`.
    pub(crate) fn network_of(mut self, target: usize, field: &str, value: Value) -> Self {
        self.config["providers"][format!("p{target}")]["network_config"][field] = value;
        self
    }

    /// So many retries of one target, at every provider.
    pub(crate) fn retries(self, most: u64) -> Self {
        self.network("max_retries", json!(most))
    }

    /// A field of the `client` section.
    pub(crate) fn client(mut self, field: &str, value: Value) -> Self {
        self.config["client"][field] = value;
        self
    }

    /// These credentials of a provider, in place of its only one; each is [`vendor_secret`] of its name, and weighs the same.
    pub(crate) fn credentials(mut self, target: usize, names: &[&str]) -> Self {
        let keys: Vec<_> = names.iter().map(|name| json!({"name": name, "value": vendor_secret(name)})).collect();
        self.config["providers"][format!("p{target}")]["keys"] = keys.into();
        self
    }

    /// One more [`rule`], asked after those before it.
    pub(crate) fn rule(mut self, rule: Value) -> Self {
        match self.config["governance"]["routing_rules"].as_array_mut() {
            Some(rules) => rules.push(rule),
            None => self.config["governance"]["routing_rules"] = json!([rule]),
        }
        self
    }

    /// Anything else.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) async fn start(self) -> Targets {
        Targets { gateway: Gateway::start(&self.config).await, fakes: self.fakes, client: client() }
    }
}

impl Targets {
    /// What a provider does from now on.
    pub(crate) fn let_do(&self, target: usize, controls: &str) {
        let_do(&self.fakes[target], controls);
    }

    /// A POST with the key.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.post_as(KEY, path)
    }

    fn post_as(&self, token: &str, path: &str) -> RequestBuilder {
        self.client.post(self.gateway.url(path)).bearer_auth(token).header("content-type", "application/json")
    }

    /// The usual request of the chat API with another key.
    pub(crate) fn ask_as(&self, token: &str, stream: bool) -> RequestBuilder {
        let body = Api::Chat.body(Api::Chat.model(), stream, "12345678");
        self.post_as(token, &Api::Chat.path("", stream)).body(body.to_string())
    }

    /// The usual request of an API, for a model that is in the price list.
    pub(crate) fn ask(&self, api: Api, stream: bool) -> RequestBuilder {
        self.ask_for(api, api.model(), stream)
    }

    /// Asks, and reads the answer.
    pub(crate) async fn asked(&self, api: Api, stream: bool) -> Reply {
        reply(self.ask(api, stream)).await
    }

    /// The usual request of an API for this model.
    pub(crate) fn ask_for(&self, api: Api, model: &str, stream: bool) -> RequestBuilder {
        self.post(&api.path(model, stream)).body(api.body(model, stream, "12345678").to_string())
    }

    /// Asks for another model, and reads the answer.
    pub(crate) async fn asked_for(&self, api: Api, model: &str, stream: bool) -> Reply {
        reply(self.ask_for(api, model, stream)).await
    }

    /// Waits until no call is under way any more, and nothing is held for one.
    pub(crate) async fn until_idle(&self) {
        // The request for the metrics is one itself.
        until_metric(&self.client, &self.gateway, "tollgate_requests_in_flight ", 1).await;
        until_metric(&self.client, &self.gateway, "tollgate_held_body_bytes ", 0).await;
    }

    /// The access log's line of an answer.
    pub(crate) async fn logged(&self, reply: &Reply) -> Value {
        let id = reply.request_id().to_owned();
        self.gateway.access.wait_for("the answer's line", |line| line["request.id"] == *id).await
    }

    /// How many requests each provider has seen.
    pub(crate) fn seen(&self) -> Vec<usize> {
        self.fakes.iter().map(|fake| fake.books().len()).collect()
    }

    /// Every request that a provider has seen, in order of arrival, with the provider's number. Their times compare.
    pub(crate) fn walked(&self) -> Vec<(usize, Entry)> {
        let entries =
            |(n, fake): (usize, &FakeProvider)| fake.books().entries().into_iter().map(move |entry| (n, entry));
        let mut all: Vec<_> = self.fakes.iter().enumerate().flat_map(entries).collect();
        all.sort_by_key(|(_, entry)| entry.received_us);
        all
    }

    /// Forgets what the providers have seen.
    pub(crate) fn forget(&self) {
        self.fakes.iter().for_each(|fake| fake.books().clear());
    }
}

/// The attempts that failed, `provider/credential=outcome` each, as the answer's header tells them; none without the header.
pub(crate) fn trail(reply: &Reply) -> Vec<&str> {
    reply.header("x-tollgate-attempts").map(|trail| trail.split(", ").collect()).unwrap_or_default()
}

/// The answer came from this provider, and these attempts failed before it, in this order: `("p0", "unavailable")`.
#[track_caller]
pub(crate) fn assert_served(reply: &Reply, by: usize, after: &[(&str, &str)]) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_trail(reply, after);
    assert_eq!(reply.header("x-tollgate-provider"), Some(format!("p{by}").as_str()), "{:?}", trail(reply));
}

/// These attempts failed, in this order: `("p0", "unavailable")`, or with the credential, `("p0/second", "unavailable")`, or with
/// the status, `("p0", "unavailable:503")`.
#[track_caller]
pub(crate) fn assert_trail(reply: &Reply, expected: &[(&str, &str)]) {
    let told = trail(reply);
    let is_told = |(step, (whose, outcome)): (&&str, &(&str, &str))| {
        let Some((route, told)) = step.split_once('=') else { return false };
        let provider = route.split('/').next();
        let word = told.split(':').next();
        (told == *outcome || word == Some(*outcome)) && (route == *whose || provider == Some(*whose))
    };
    let is_same = told.len() == expected.len() && told.iter().zip(expected).all(is_told);
    assert!(is_same, "the trail is {told:?} and not {expected:?}; status {}: {}", reply.status, reply.text());
}

fn let_do(fake: &FakeProvider, controls: &str) {
    fake.set_controls(Controls::parse(&format!("m{controls}")).unwrap());
}
