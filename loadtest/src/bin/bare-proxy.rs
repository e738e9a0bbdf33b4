//! The smallest sensible Pingora pass-through: the floor that the gateway is compared with. It decides nothing and logs nothing.

use std::net::SocketAddr;

use async_trait::async_trait;
use clap::Parser;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Passes HTTP/1 through to one upstream.
#[derive(Parser)]
struct Flags {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Where to pass requests on to.
    #[arg(long)]
    upstream: SocketAddr,
    /// Worker threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Idle upstream connections kept.
    #[arg(long, default_value_t = 256)]
    pool_size: usize,
    /// Let worker threads take each other's work.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    work_stealing: bool,
}

struct PassThrough {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for PassThrough {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

fn main() {
    let flags = Flags::parse();
    let conf = ServerConf {
        threads: flags.threads,
        upstream_keepalive_pool_size: flags.pool_size,
        work_stealing: flags.work_stealing,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, PassThrough { upstream: flags.upstream });
    service.add_tcp(&flags.listen.to_string());
    server.add_service(service);
    server.run_forever();
}
