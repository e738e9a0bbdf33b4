//! A control on a folder of its own, and requests to the router.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use admin::{Explainer, Parts, Question, State, edge, router};
use axum::Router;
use axum::body::Body;
use engine::clock::Clock;
use engine::control::{self, Bookkeeping, Control, FilePolicy, load, reconcile, vocabulary};
use engine::health::RouteHealth;
use engine::ledger::Ledger;
use engine::live::Live;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use policy::catalog::Catalog;
use policy::declare::entity::split;
use policy::provider::Secret;
use serde_json::Value;
use store::seal::Context;
use store::{AttemptId, Began, Logs, Registry, StoreError, Voided};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// One provider, one team and one key, and nobody needs to log in.
pub(crate) const FILE: &str = r#"{
    "providers": {"openai": {"keys": [{"name": "main", "value": "sk-vendor-secret"}]}},
    "governance": {"teams": [{"id": "t1", "name": "one"}],
        "virtual_keys": [{"id": "vk1", "name": "first", "value": "sk-bf-first", "team_id": "t1",
            "provider_configs": [{"provider": "openai"}]}]}}"#;

/// The same, and an administrator.
pub(crate) const GUARDED: &str = r#"{
    "providers": {"openai": {"keys": [{"name": "main", "value": "sk-vendor-secret"}]}},
    "governance": {"auth_config": {"is_enabled": true, "admin_username": "root", "admin_password": "env.PASSWORD"},
        "virtual_keys": [{"id": "vk1", "name": "first", "value": "sk-bf-first", "provider_configs": [{"provider": "openai"}],
            "budgets": [{"max_limit": 5, "reset_duration": "1d"}]}]}}"#;

pub(crate) const PASSWORD: &str = "correct horse";

/// Says what it was asked.
#[derive(Debug)]
struct Echo;

impl Explainer for Echo {
    fn explain(&self, question: &Question) -> Result<String, String> {
        if question.path == "/nothing" {
            return Err("no model is called there".to_owned());
        }
        Ok(serde_json::json!({ "path": question.path, "key": question.key }).to_string())
    }
}

/// Knows of one abandoned charge.
#[derive(Debug)]
struct Books;

impl Bookkeeping for Books {
    fn forgive(&self, _budget: &str, _start_ms: u64, _nano: u64) -> Result<(), StoreError> {
        Ok(())
    }

    fn adopt(&self, _budgets: &[Began]) -> Result<(), StoreError> {
        Ok(())
    }

    fn void(&self, attempt: AttemptId, _at_ms: u64) -> Result<Option<Voided>, StoreError> {
        let entry = store::Amount { kind: store::Kind::Budget, id: "b".into(), start_ms: 1, length_ms: 0, amount: 7 };
        Ok((attempt == AttemptId { run: 1, number: 2 }).then(|| Voided { attempt, entries: vec![entry] }))
    }
}

/// Management, and the folder that it keeps things in.
pub(crate) struct Scene {
    pub(crate) control: Control,
    router: Router,
    pub(crate) folder: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// A request in the making.
pub(crate) struct Asking<'s> {
    scene: &'s Scene,
    request: http::request::Builder,
    body: Option<String>,
}

fn environment(name: &str) -> Option<String> {
    (name == "PASSWORD").then(|| PASSWORD.to_owned())
}

/// A node on a folder, with this file, or with what is kept there.
fn node(folder: &Path, file: Option<&str>) -> (Control, Router) {
    let registry = Registry::open(folder, &Secret::new("an encryption key")).unwrap();
    let loaded = load(&registry, Arc::new(Catalog::default()), environment).unwrap();
    let clock = Clock::start();
    let kept = match file {
        Some(file) => {
            let (entities, _) = split(file, environment, &vocabulary()).unwrap();
            let file =
                FilePolicy { name: "config.json".into(), entities, tokens: HashMap::new(), is_only_source: false };
            reconcile(&registry, environment, loaded, &file, clock.now().wall_ms).unwrap().0
        }
        None => loaded,
    };
    let parts = control::Parts {
        registry,
        live: Arc::new(Live::new(kept.snapshot)),
        ledger: Arc::new(Ledger::new(None, 0)),
        health: Arc::new(RouteHealth::default()),
        books: Arc::new(Books),
        clock,
        env: environment,
    };
    let control = Control::new(parts, kept.position);
    let logs = Arc::new(Logs::open(folder).unwrap());
    let parts = Parts {
        control: control.clone(),
        env: environment,
        logs: Some(logs),
        explainer: Arc::new(Echo),
        version: "1.2.3",
    };
    (control, router(State::new(parts).unwrap()))
}

impl Scene {
    pub(crate) fn new(file: &str) -> Self {
        Self::at(tempfile::tempdir().unwrap(), file)
    }

    /// Ends, and begins again with what was kept.
    pub(crate) fn again(self, file: &str) -> Self {
        let Self { control, router, folder } = self;
        drop((control, router));
        Self::at(folder, file)
    }

    /// Another node on the same store.
    pub(crate) fn beside(&self) -> Router {
        node(self.folder.path(), None).1
    }

    /// The administrator's password as it is kept, under the seal.
    pub(crate) fn kept_password(&self) -> String {
        let registry = self.control.registry();
        let row = registry.get("auth_config", "auth_config").unwrap().unwrap();
        let kept = serde_json::from_str::<Value>(&row.document).unwrap()["admin_password"].clone();
        let place = Context { kind: "auth_config", id: "auth_config", field: "admin_password" };
        registry.seal().unseal(place, kept.as_str().unwrap()).unwrap().reveal().to_owned()
    }

    fn at(folder: TempDir, file: &str) -> Self {
        let (control, router) = node(folder.path(), Some(file));
        Self { control, router, folder }
    }

    /// A request as the edge hands it on from a listener on a loopback address.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Asking<'_> {
        self.ask_from_outside(method, path).header(edge::LISTENER, edge::LOOPBACK)
    }

    /// The same from a listener that can be reached from outside.
    pub(crate) fn ask_from_outside(&self, method: &str, path: &str) -> Asking<'_> {
        self.ask_as("192.0.2.7", "http", method, path)
    }

    /// The same by TLS.
    pub(crate) fn ask_over_tls(&self, method: &str, path: &str) -> Asking<'_> {
        self.ask_as("192.0.2.7", "https", method, path)
    }

    /// A request of a client at an address.
    pub(crate) fn ask_as(&self, address: &str, scheme: &str, method: &str, path: &str) -> Asking<'_> {
        let request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
        let asking = Asking { scene: self, request, body: None };
        asking.header("host", "localhost:8080").header(edge::ADDRESS, address).header(edge::SCHEME, scheme)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path).json(body).send().await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.ask("PUT", path).json(body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path).send().await
    }

    /// All that is on the disk.
    pub(crate) fn on_disk(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.is_file()).flat_map(|path| std::fs::read(path).unwrap()).collect()
    }
}

impl Asking<'_> {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn basic(self, name: &str, password: &str) -> Self {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
        self.header("authorization", &format!("Basic {text}"))
    }

    pub(crate) fn json(self, body: &str) -> Self {
        let asking = self.header("content-type", "application/json");
        Self { body: Some(body.to_owned()), ..asking }
    }

    pub(crate) async fn send(self) -> Answer {
        let router = &self.scene.router;
        self.send_to(router).await
    }

    /// Asks another node.
    pub(crate) async fn send_to(self, router: &Router) -> Answer {
        answer(self.whole(), router.clone()).await
    }

    /// Asks beside others.
    pub(crate) fn send_beside(self) -> JoinHandle<Answer> {
        let router = self.scene.router.clone();
        tokio::spawn(answer(self.whole(), router))
    }

    fn whole(self) -> Request<Body> {
        self.request.body(self.body.map_or_else(Body::empty, Body::from)).unwrap()
    }
}

async fn answer(request: Request<Body>, router: Router) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.into()).unwrap() }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless it has this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Fails unless it is an error of this status, type and parameter, and has the shape of one. Gives its message.
    #[track_caller]
    pub(crate) fn fails(self, status: u16, kind: &str, param: Option<&str>) -> String {
        let answer = self.is(status);
        let body = answer.json();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        assert_eq!(body["error"]["type"], kind, "{body}");
        assert_eq!(body["error"]["param"].as_str(), param, "{body}");
        body["error"]["message"].as_str().unwrap().to_owned()
    }
}
