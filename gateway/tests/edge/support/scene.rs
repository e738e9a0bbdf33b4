//! A gateway, a fake provider behind it, and the usual requests.

use bytes::Bytes;
use loadtest::fake::{Controls, Entry, FakeProvider};
use reqwest::header::HeaderMap;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};
use serde_json::Value;

use super::config::{KEY, config, fake, pair};
use super::process::{Gateway, Home};
use super::sse::Api;
use super::wire::Wire;
use super::{PATIENCE, soon};

/// A gateway with a fake provider behind it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) fake: FakeProvider,
    pub(crate) gateway: Gateway,
    pub(crate) client: Client,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: soon(response.bytes()).await.unwrap() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id").unwrap()
    }
}

/// Sends a request and reads its answer.
pub(crate) async fn reply(request: RequestBuilder) -> Reply {
    Reply::of(soon(request.send()).await.unwrap()).await
}

/// A client with the cryptography that the gateway has anyway; another one would be minutes of building.
pub(crate) fn builder() -> ClientBuilder {
    // The first client installs it, the others find it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

/// A client that keeps to HTTP/1.1 and to itself.
pub(crate) fn client() -> Client {
    builder().http1_only().build().unwrap()
}

/// The same with a new connection for each request: after an error in mid-stream the gateway closes the old one, and could not
/// announce that in a header that was long out.
pub(crate) fn forgetful_client() -> Client {
    builder().http1_only().pool_max_idle_per_host(0).build().unwrap()
}

/// A client that speaks HTTP/2 without asking.
pub(crate) fn h2_client() -> Client {
    builder().http2_prior_knowledge().build().unwrap()
}

impl Scene {
    /// With the base configuration.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With the base configuration, changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Value)) -> Self {
        Self::with_env(&[], change).await
    }

    /// With the base configuration, changed, and environment variables.
    pub(crate) async fn with_env(env: &[(&str, &str)], change: impl FnOnce(&mut Value)) -> Self {
        let fake = fake();
        let mut config = config(&fake.url());
        change(&mut config);
        let gateway = Gateway::start_in(Home::new(&config), env).await;
        Self { fake, gateway, client: client() }
    }

    /// A POST with the key.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.gateway.url(path)).bearer_auth(KEY).header("content-type", "application/json")
    }

    /// A GET with the key.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.gateway.url(path)).bearer_auth(KEY)
    }

    /// The request of an API for a model.
    pub(crate) fn ask(&self, api: Api, model: &str, stream: bool) -> RequestBuilder {
        self.post(&api.path(model, stream)).body(api.body(model, stream, "12345678").to_string())
    }

    /// Asks, and reads the answer.
    pub(crate) async fn asked(&self, api: Api, model: &str, stream: bool) -> Reply {
        reply(self.ask(api, model, stream)).await
    }

    /// What a model without controls of its own gets from now on, as a model name with controls would say it.
    pub(crate) fn let_fake(&self, controls: &str) {
        self.fake.set_controls(Controls::parse(&format!("m{controls}")).unwrap());
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.gateway.address()).await
    }

    /// The access log's line of an answer.
    pub(crate) async fn logged(&self, reply: &Reply) -> Value {
        self.logged_as(reply.request_id()).await
    }

    /// The access log's line of a request.
    pub(crate) async fn logged_as(&self, request_id: &str) -> Value {
        let what = format!("the line of request {request_id}");
        self.gateway.access.wait_for(&what, |line| line["request.id"] == request_id).await
    }

    /// The newest entry of the provider's books.
    pub(crate) fn entry(&self) -> Entry {
        self.fake.books().last().expect("the provider was not asked")
    }

    /// Waits until the only entry of the books satisfies a condition.
    pub(crate) async fn only_entry(&self, is_wanted: impl Fn(&Entry) -> bool) -> Entry {
        let is_there = |entries: &[Entry]| entries.len() == 1 && is_wanted(&entries[0]);
        self.fake.books().wait_for(is_there, PATIENCE).await.unwrap().remove(0)
    }

    /// A metric's value, of the line that begins with `name`.
    pub(crate) async fn metric(&self, name: &str) -> Option<u64> {
        metric(&self.client, &self.gateway, name).await
    }

    /// Waits until a gauge has come to a value.
    pub(crate) async fn until_metric(&self, name: &str, wanted: u64) {
        until_metric(&self.client, &self.gateway, name, wanted).await;
    }
}

/// A metric's value, of the line that begins with `name`.
pub(crate) async fn metric(client: &Client, gateway: &Gateway, name: &str) -> Option<u64> {
    let page = reply(client.get(gateway.url("/metrics"))).await.text();
    page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Waits until a gauge has come to a value.
pub(crate) async fn until_metric(client: &Client, gateway: &Gateway, name: &str, wanted: u64) {
    soon(async {
        while metric(client, gateway, name).await != Some(wanted) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// A gateway with two providers of one vendor's kind behind it, tried in order.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) first: FakeProvider,
    pub(crate) second: FakeProvider,
    pub(crate) gateway: Gateway,
    pub(crate) client: Client,
}

impl Pair {
    /// The first provider does as the controls say; `change` has the last word on the configuration.
    pub(crate) async fn with(vendor: &str, first_does: &str, change: impl FnOnce(&mut Value)) -> Self {
        let (first, second) = (fake(), fake());
        first.set_controls(Controls::parse(&format!("m{first_does}")).unwrap());
        let mut config = pair(vendor, &first.url(), &second.url());
        change(&mut config);
        Self { gateway: Gateway::start(&config).await, first, second, client: client() }
    }

    /// A POST with the key.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.gateway.url(path)).bearer_auth(KEY).header("content-type", "application/json")
    }

    /// The access log's line of an answer.
    pub(crate) async fn logged(&self, reply: &Reply) -> Value {
        let id = reply.request_id().to_owned();
        self.gateway.access.wait_for("the answer's line", |line| line["request.id"] == *id).await
    }
}
