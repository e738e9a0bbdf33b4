//! The edge: `impl ProxyHttp`, each phase one call into the room that does its work.

mod admit;
mod answer;
mod attempts;
mod body;
mod ctx;
mod fail;
pub(crate) mod fields;
mod finish;
mod foreign;
pub(crate) mod gate;
mod held;
mod judge;
mod limits;
pub(crate) mod manage;
mod models;
mod passed_over;
mod peer;
mod query;
mod resume;
pub(crate) mod route;
mod send;
mod stream;
mod whole_events;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engine::clock::Clock;
use engine::health::RouteHealth;
use engine::ledger::Ledger;
use engine::live::Live;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, Result};
use policy::decision::{Reason, Refusal};
use policy::request::Dialect;
use store::FileJournal;

use self::admit::Stop;
pub(crate) use self::body::{BodyBudget, BodyLimits, too_large};
use self::ctx::{RequestCtx, Stage};
use self::manage::{Manage, Serves};
use self::resume::Unsent;
use self::route::Route;
use crate::life::Life;
use crate::request_id;
use crate::resolve::Resolver;
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::{MOST_BUDGETS, Moment};
use crate::telemetry::record::Record;
use crate::throttle::Throttle;
use crate::trust::Trust;

/// How long a client may take to accept a piece of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// The edge proxy. Shared by all requests; each listener has a copy.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) live: Arc<Live>,
    pub(crate) ledger: Arc<Ledger>,
    /// What the ledger is written down in.
    pub(crate) journal: Option<Arc<FileJournal>>,
    /// Whether there is a request log.
    pub(crate) has_request_log: bool,
    pub(crate) health: Arc<RouteHealth>,
    pub(crate) clock: Clock,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) bodies: Arc<BodyBudget>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) life: Arc<Life>,
    pub(crate) limits: EdgeLimits,
    /// Which paths this listener has.
    pub(crate) serves: Serves,
    /// The management API; `None`: it is not reached by this listener.
    pub(crate) manage: Option<Manage>,
}

/// Limits that every request is under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EdgeLimits {
    /// On a request's body.
    pub(crate) body: BodyLimits,
    /// How long a streamed answer is read on for a client that left.
    pub(crate) drain_time: Duration,
    /// How much of it.
    pub(crate) drain_bytes: u64,
    /// The most bytes of a request's header block, names and values.
    pub(crate) max_header_bytes: usize,
    /// The most header fields of a request.
    pub(crate) max_header_count: usize,
}

#[async_trait]
impl ProxyHttp for Edge {
    type CTX = RequestCtx;

    fn new_ctx(&self) -> RequestCtx {
        let now = self.clock.now();
        let record = Record::begin(self.clock.micros(), now.wall_ms);
        RequestCtx {
            request_id: Arc::from(""),
            asked: None,
            fallback_dialect: Dialect::OpenAi,
            is_http10: false,
            is_managed: false,
            allowed_method: None,
            stage: Stage::New,
            held: None,
            was_cut: false,
            failure: None,
            first_error: None,
            broke_off: None,
            unsent: Unsent::default(),
            closing: None,
            said: None,
            record,
            _in_flight: self.life.enter(),
        }
    }

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<()> {
        session.downstream_session.set_write_timeout(Some(WRITE_TIMEOUT));
        let header = session.req_header();
        ctx.request_id = request_id::of(&header.headers, ctx.record.started_wall_ms);
        ctx.record.method = header.method.to_string();
        ctx.record.path = header.uri.path().to_owned();
        ctx.fallback_dialect = route::dialect_of(header.uri.path());
        ctx.is_http10 = header.version == http::Version::HTTP_10;
        let refusal = too_many_headers(header, &self.limits);
        if ctx.is_http10 {
            session.downstream_session.set_keepalive(None);
        }
        match refusal {
            Some(refusal) => {
                ctx.failure = Some(refusal);
                Err(fail::refused())
            }
            None => Ok(()),
        }
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<bool> {
        let header = session.req_header();
        let refusal = match self.route(header) {
            Route::Inference(asked) => {
                ctx.record.asked = Some((asked.dialect, asked.operation));
                ctx.asked = Some(asked.clone());
                match self.admit(session, ctx, &asked).await {
                    Ok(()) => return Ok(false),
                    Err(Stop::Refused(refusal)) => refusal,
                    Err(Stop::ClientLeft) => {
                        ctx.record.client_left = true;
                        session.downstream_session.set_keepalive(None);
                        return Ok(true);
                    }
                }
            }
            Route::Models(list) => match self.list_models(session, ctx, list).await {
                Ok(told) => return told.map(|()| true),
                Err(refusal) => refusal,
            },
            Route::Live => return self.tell_life(session, ctx, true, None).await.map(|()| true),
            Route::Ready => {
                let is_ready = self.life.is_ready();
                let trouble = self.life.trouble().filter(|_| is_ready);
                return self.tell_life(session, ctx, is_ready, trouble).await.map(|()| true);
            }
            Route::Metrics => return self.tell_metrics(session, ctx).await.map(|()| true),
            Route::Manage if self.hands_over(ctx) => return Ok(false),
            Route::NotFound | Route::Manage => self.nothing_at(header),
            Route::WrongMethod(method) => {
                ctx.allowed_method = Some(method);
                Refusal::new(Reason::MethodNotAllowed, format!("{} takes {method} requests only", header.uri.path()))
            }
        };
        self.refuse(session, ctx, refusal).await.map(|()| true)
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<Box<HttpPeer>> {
        if ctx.is_managed {
            return self.management();
        }
        self.choose_peer(session, ctx).await
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        if ctx.is_managed {
            return self.tell_management(session, upstream, ctx);
        }
        self.send(upstream, ctx)
    }

    async fn upstream_response_filter(
        &self,
        _session: &mut Session,
        answer: &mut ResponseHeader,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        if ctx.is_managed { Ok(()) } else { self.judge(answer, ctx) }
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        answer: &mut ResponseHeader,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        if ctx.is_managed { self.answer_of_management(answer, ctx) } else { self.answer(answer, ctx) }
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut RequestCtx,
    ) -> Result<Option<Duration>> {
        if ctx.is_managed {
            return Ok(None);
        }
        self.pass(body, end_of_stream, ctx).map(|()| None)
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut RequestCtx,
        failed: Box<Error>,
    ) -> Box<Error> {
        if ctx.is_managed { manage::unanswered(ctx, failed) } else { self.connect_failed(ctx, failed) }
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        _session: &mut Session,
        failed: Box<Error>,
        ctx: &mut RequestCtx,
        client_reused: bool,
    ) -> Box<Error> {
        if ctx.is_managed {
            return manage::unanswered(ctx, failed);
        }
        self.exchange_failed(peer, ctx, failed, client_reused)
    }

    async fn fail_to_proxy(&self, session: &mut Session, failed: &Error, ctx: &mut RequestCtx) -> FailToProxy {
        self.tell_failure(session, failed, ctx).await
    }

    async fn logging(&self, session: &mut Session, _failed: Option<&Error>, ctx: &mut RequestCtx) {
        self.finish(session, ctx);
    }

    fn suppress_error_log(&self, _session: &Session, ctx: &RequestCtx, _failed: &Error) -> bool {
        // The access log says it, once, with the request's id.
        ctx.failure.is_some() || ctx.record.client_left
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &RequestCtx,
        _failed: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _session: &Session, ctx: &RequestCtx) -> String {
        // The default one prints the query, which may hold a key.
        format!("{} {} request.id={}", ctx.record.method, ctx.record.path, ctx.request_id)
    }
}

impl Edge {
    /// The route of a request, among those that this listener has.
    fn route(&self, header: &RequestHeader) -> Route {
        let path = header.uri.path();
        if self.serves.has(path) { route::find(&header.method, path) } else { Route::NotFound }
    }

    fn nothing_at(&self, header: &RequestHeader) -> Refusal {
        let (method, path) = (&header.method, header.uri.path());
        let hint = match self.serves.elsewhere(path) {
            Some(what) => format!("; {what} at another address"),
            None => route::nearest(method, path).map(|near| format!("; did you mean {near}?")).unwrap_or_default(),
        };
        Refusal::new(Reason::NotFound, format!("there is nothing at {method} {path}{hint}"))
    }

    async fn tell_life(
        &self,
        session: &mut Session,
        ctx: &mut RequestCtx,
        is_well: bool,
        trouble: Option<&str>,
    ) -> Result<()> {
        let (status, text) = if is_well { (200, "ok\n".to_owned()) } else { (503, "shutting down\n".to_owned()) };
        let text = trouble.map_or(text, |trouble| format!("degraded: {trouble}\n"));
        let mut header = ResponseHeader::build(status, Some(5))?;
        header.insert_header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")?;
        fail::respond(session, header, Bytes::from(text), ctx).await
    }

    async fn tell_metrics(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<()> {
        let metrics = &self.telemetry.metrics;
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        metrics.in_flight.set(gauge(self.life.in_flight()));
        metrics.held_body_bytes.set(gauge(self.bodies.held()));
        let snapshot = self.live.snapshot();
        metrics.policy_revision.set(gauge(snapshot.revision()));
        metrics.take_over_rules(snapshot.rules());
        metrics.take_over(self.telemetry.access.dropped());
        let (ledger, now) = (Arc::clone(&self.ledger), self.clock.now());
        let look = move || ledger.tightest_budgets(&snapshot, MOST_BUDGETS, now);
        let found = metrics.budgets.at(self.clock.micros(), look).await;
        let (budgets, budget_count) = (found.0.as_slice(), found.1);
        let routes = self.health.routes(self.clock.micros());
        let journal = self.journal.as_ref().map(|journal| journal.statistics());
        let moment = Moment { routes: &routes, counts: self.ledger.counts(), journal, budgets, budget_count };
        let mut header = ResponseHeader::build(200, Some(5))?;
        header.insert_header(http::header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")?;
        fail::respond(session, header, Bytes::from(metrics.render(&moment)), ctx).await
    }
}

fn too_many_headers(header: &RequestHeader, limits: &EdgeLimits) -> Option<Refusal> {
    let bytes: usize = header.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let bytes = bytes + header.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let message = if bytes > limits.max_header_bytes {
        format!("the request's header is larger than {} bytes", limits.max_header_bytes)
    } else if header.headers.len() > limits.max_header_count {
        format!("the request has more than {} header fields", limits.max_header_count)
    } else {
        return None;
    };
    Some(Refusal::new(Reason::HeadersTooLarge, message))
}

#[cfg(test)]
mod tests;
