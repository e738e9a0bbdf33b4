//! A panic in one request: its attempt is charged, the process lives, and the next request is served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use loadtest::fake::FakeProvider;
use parking_lot::Mutex;
use pingora::server::{RunArgs, Server, ShutdownSignal, ShutdownSignalWatch};
use policy::limit::Accounts;
use policy::money::NanoUsd;
use tokio::sync::oneshot;

use super::*;
use crate::boot;
use crate::config::load;
use crate::listen::{Bound, OnBound};

/// The edge, except that it panics after the request of the model `panic` was sent.
struct Panicking(Edge);

#[async_trait]
impl ProxyHttp for Panicking {
    type CTX = RequestCtx;

    fn new_ctx(&self) -> RequestCtx {
        self.0.new_ctx()
    }

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<()> {
        self.0.early_request_filter(session, ctx).await
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<bool> {
        self.0.request_filter(session, ctx).await
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<Box<HttpPeer>> {
        self.0.upstream_peer(session, ctx).await
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        self.0.upstream_request_filter(session, upstream, ctx).await?;
        assert!(ctx.record.model_asked.as_deref() != Some("gpt-4o"), "on purpose");
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        self.0.upstream_response_filter(session, answer, ctx).await
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        self.0.response_filter(session, answer, ctx).await
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut RequestCtx,
    ) -> Result<Option<Duration>> {
        self.0.response_body_filter(session, body, end_of_stream, ctx)
    }

    async fn logging(&self, session: &mut Session, failed: Option<&Error>, ctx: &mut RequestCtx) {
        self.0.logging(session, failed, ctx).await;
    }
}

struct Until(Mutex<Option<oneshot::Receiver<()>>>);

#[async_trait]
impl ShutdownSignalWatch for Until {
    async fn recv(&self) -> ShutdownSignal {
        let told = self.0.lock().take();
        if let Some(told) = told {
            // A dropped sender ends the test as well as a sent word.
            let _ = told.await;
        }
        ShutdownSignal::FastShutdown
    }
}

fn edge(fake: &FakeProvider) -> Edge {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let config = serde_json::json!({
        "client": { "enable_logging": false },
        "providers": { "openai": {
            "keys": [{ "name": "main", "value": "sk-fake" }],
            "network_config": { "base_url": fake.url() },
        }},
        "governance": { "virtual_keys": [
            { "id": "vk", "name": "vk", "value": "sk-bf-test", "allow_all_providers": true, "budget_id": "b" },
        ], "budgets": [{ "id": "b", "max_limit": 1, "reset_duration": "1d" }]},
    });
    std::fs::write(&path, config.to_string()).unwrap();
    let loaded = load(&path).unwrap();
    let (ledger, clock) = (Arc::new(Ledger::new(None, 1)), Clock::start());
    let parts = boot::Parts::new(&loaded.file).unwrap();
    boot::edge(&loaded.file, boot::compile(&loaded, None).unwrap(), &parts, ledger, clock)
}

fn ask(address: SocketAddr, model: &str) -> String {
    let body = format!(r#"{{"model":"{model}","max_tokens":10,"messages":[{{"role":"user","content":"hello"}}]}}"#);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer sk-bf-test\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    // A connection that is reset by the panic gives what came before.
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn a_panic_in_one_request_charges_its_attempt_and_leaves_the_others_alone() {
    let fake = FakeProvider::local().unwrap();
    let edge = edge(&fake);
    let (ledger, life, clock) = (Arc::clone(&edge.ledger), Arc::clone(&edge.life), edge.clock);
    let budget = Arc::clone(edge.live.snapshot().budget(&"b".into()).unwrap());
    let mut server = Server::new_with_opt_and_conf(None, pingora::server::configuration::ServerConf::default());
    server.bootstrap();
    let bound = Bound::bind("127.0.0.1:0").unwrap();
    let address = bound.address();
    let mut service = pingora::proxy::http_proxy_service(&server.configuration, Panicking(edge));
    service.add_tcp(&address.to_string());
    server.add_service(OnBound::new(service, bound));
    let (stop, told) = oneshot::channel();
    let running = std::thread::spawn(move || {
        server.run(RunArgs { shutdown_signal: Box::new(Until(Mutex::new(Some(told)))) });
    });

    assert_eq!(ask(address, "gpt-4o"), "");
    let standing = ledger.at(clock.now()).of_budget(&budget);
    assert!(standing.spent > NanoUsd::ZERO);
    assert_eq!((standing.held, ledger.counts().abandoned_nano()), (NanoUsd::ZERO, standing.spent.0));
    assert_eq!(life.in_flight(), 0);

    let answer = ask(address, "gpt-4o-mini");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    drop(stop);
    running.join().unwrap();
}
