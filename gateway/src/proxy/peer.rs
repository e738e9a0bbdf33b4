//! Where the next attempt goes: its address, its TLS, its deadlines; and its hold, opened before anything is sent.

use std::net::SocketAddr;
use std::time::Duration;

use pingora::protocols::{ALPN, TcpKeepalive};
use pingora::proxy::Session;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora::{Error, Result};
use policy::decision::{Reason, Refusal};
use policy::provider::{Endpoint, Provider};
use policy::route::Failure;

use super::ctx::{Call, RequestCtx, Stage, Told};
use super::held::Held;
use super::{Edge, fail};

/// How long an unused connection to a provider is kept.
const POOL_IDLE: Duration = Duration::from_secs(60);
/// How long a provider may take to accept a piece of the request.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

impl Edge {
    /// Chooses the peer of the next attempt, after its pause, passing over those that cannot be reached or are not open to it.
    pub(super) async fn choose_peer(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<Box<HttpPeer>> {
        loop {
            let Stage::Admitted(call) = &mut ctx.stage else {
                return Err(fail::internal("a peer is chosen for a call that was not admitted"));
            };
            let wait = std::mem::take(&mut call.wait);
            if !wait.is_zero()
                && let Err(error) = self.pause(session, ctx, wait).await
            {
                let client_left = ctx.held.as_ref().is_some_and(|held| held.client_left());
                return Err(if client_left { error } else { self.last_word(ctx) });
            }
            let Stage::Admitted(mut call) = ctx.stage.take() else {
                return Err(fail::internal("a call lost its stage while it waited"));
            };
            let asked = ctx.asked.as_ref().ok_or_else(|| fail::internal("a call is for nothing"))?;
            let is_begun = ctx.held.as_ref().is_some_and(Held::header_is_out);
            let hold = call.hold.take().or_else(|| self.take_off(&mut call, asked, is_begun, &mut ctx.record));
            let Some(hold) = hold else {
                ctx.stage = Stage::Admitted(call);
                return Err(self.nothing_is_open(ctx));
            };
            let Some(attempt) = call.attempt() else {
                return Err(fail::internal("a plan has no attempt left"));
            };
            let (provider, endpoint) = (&attempt.provider, attempt.endpoint());
            match self.resolver.resolve(&endpoint.host, endpoint.port, provider.deadlines.connect).await {
                Ok(address) => {
                    let peer = self.peer(provider, endpoint, address)?;
                    call.address = Some(address);
                    ctx.stage = Stage::Connecting(call, hold);
                    return Ok(Box::new(peer));
                }
                Err(error) => {
                    let message = format!("provider `{}` could not be reached: {error}", provider.name);
                    let told = Told::Refusal(Refusal::new(Reason::UpstreamUnreachable, message));
                    ctx.record.tried(attempt, "unresolved");
                    ctx.stage = Stage::Admitted(call);
                    if !self.another(ctx, Failure::Unreachable, told) {
                        return Err(self.last_word(ctx));
                    }
                }
            }
        }
    }

    /// An account is short for every target that is left, or it cannot be asked this, or their circuits are open, or became so
    /// since the plan was made.
    fn nothing_is_open(&self, ctx: &mut RequestCtx) -> Box<Error> {
        if let Stage::Admitted(call) = &ctx.stage
            && let Some(refusal) = call.passed_over.refusal(call.walk.plan())
        {
            ctx.first_error.get_or_insert(Told::Refusal(refusal));
            return self.last_word(ctx);
        }
        let name = ctx.stage.call().and_then(Call::attempt).map(|attempt| attempt.provider.name.clone());
        let message = match name {
            Some(_) if ctx.stage.call().is_some_and(|call| call.passed_over.has_untranslatable()) => {
                "no provider that could be asked this is there at present".to_owned()
            }
            Some(name) => format!("provider `{name}` failed too often and is not asked for a moment"),
            None => "every provider failed too often and is not asked for a moment".to_owned(),
        };
        let refusal = Refusal::new(Reason::UpstreamUnreachable, message).retry_after(Duration::from_secs(2));
        ctx.first_error.get_or_insert(Told::Refusal(refusal));
        self.last_word(ctx)
    }

    fn peer(&self, provider: &Provider, endpoint: &Endpoint, address: SocketAddr) -> Result<HttpPeer> {
        // An empty server name would switch certificate verification off, so the host is always given.
        let mut peer = HttpPeer::new(address, endpoint.tls, endpoint.host.to_string());
        let options = &mut peer.options;
        options.alpn = ALPN::H1;
        // The header is made from scratch for each attempt; nothing of the client's is forwarded that would need cleaning.
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
        options.connection_timeout = Some(provider.deadlines.connect);
        options.total_connection_timeout = Some(provider.deadlines.connect);
        options.write_timeout = Some(WRITE_TIMEOUT);
        options.idle_timeout = Some(POOL_IDLE);
        options.verify_cert = !provider.tls.skip_verify;
        options.verify_hostname = !provider.tls.skip_verify;
        options.tcp_keepalive = Some(TcpKeepalive {
            idle: Duration::from_secs(30),
            interval: Duration::from_secs(10),
            count: 3,
            user_timeout: Duration::ZERO,
        });
        if provider.tls.ca_pem.is_some() {
            options.ca = Some(self.trust.certificates(provider)?);
            // Connections are told apart by this, not by the certificates they were made with.
            peer.group_key = u64::from(provider.order) + 1;
        }
        Ok(peer)
    }
}
