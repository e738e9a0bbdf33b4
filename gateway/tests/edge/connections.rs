//! Connections to providers: how long they may take to stand, and how many are kept.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use loadtest::fake::FakeProvider;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use serde_json::json;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use super::support::config::{KEY, config, fake, pair};
use super::support::process::Gateway;
use super::support::scene::{client, reply};
use super::support::sse::{Api, reason};

/// A listener that accepts nobody, its queue full, so that a connection to it never stands.
struct Full {
    _socket: Socket,
    _queued: Vec<TcpStream>,
    address: SocketAddr,
}

impl Full {
    async fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        // Once a connection does not stand at once, none does.
        while let Ok(Ok(stream)) =
            tokio::time::timeout(std::time::Duration::from_secs(2), TcpStream::connect(address)).await
        {
            queued.push(stream);
        }
        Self { _socket: socket, _queued: queued, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn ask(gateway: &Gateway, model: &str) -> super::support::scene::Reply {
    let request = client().post(gateway.url("/v1/chat/completions")).bearer_auth(KEY);
    reply(request.body(Api::Chat.body(model, false, "x").to_string())).await
}

#[tokio::test]
async fn a_connection_that_does_not_stand_in_time_is_504_or_the_next_target() {
    let full = Full::start().await;
    let mut alone = config(&full.url());
    alone["providers"]["openai"]["network_config"]["connect_timeout_ms"] = json!(200);
    let answer = ask(&Gateway::start(&alone).await, "gpt-4o").await;
    assert_eq!((answer.status, reason(&answer.json())), (504, Some("upstream_timeout")), "{}", answer.text());

    let second = fake();
    let mut both = pair("openai", &full.url(), &second.url());
    both["providers"]["first"]["network_config"]["connect_timeout_ms"] = json!(200);
    let answer = ask(&Gateway::start(&both).await, "gpt-4o").await;
    assert_eq!((answer.status, answer.header("x-tollgate-provider")), (200, Some("second")), "{}", answer.text());
}

/// How many connections a provider saw when twice four calls were under way at once.
async fn connections(pool_size: u32) -> usize {
    let provider: FakeProvider = fake();
    let mut config = config(&provider.url());
    config["server"] = json!({"upstream_pool_size": pool_size, "threads": 1});
    let gateway = Gateway::start(&config).await;
    for _ in 0..2 {
        let four = (0..4).map(|_| ask(&gateway, "gpt-4o~first_delay_ms=300"));
        for answer in futures::future::join_all(four).await {
            assert_eq!(answer.status, 200);
        }
    }
    let seen: std::collections::BTreeSet<_> = provider.books().entries().iter().map(|entry| entry.connection).collect();
    seen.len()
}

#[tokio::test]
async fn as_many_unused_connections_are_kept_as_the_pool_may_hold() {
    assert_eq!(connections(64).await, 4);
    assert!(connections(1).await > 4);
}

/// A process's TCP connections that stand, by copies of its own sockets.
fn connections_of(pid: u32) -> Vec<Socket> {
    let process = pidfd_open(Pid::from_raw(pid.try_into().unwrap()).unwrap(), PidfdFlags::empty()).unwrap();
    let copy = |number: i32| -> Option<OwnedFd> { pidfd_getfd(process.as_fd(), number, PidfdGetfdFlags::empty()).ok() };
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap());
    let sockets = open
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:")));
    let numbers = sockets.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap());
    let copies = numbers.filter_map(copy).map(Socket::from);
    copies.filter(|socket| socket.peer_addr().is_ok_and(|peer| peer.as_socket().is_some())).collect()
}

#[tokio::test]
async fn small_writes_are_sent_at_once_on_both_sides() {
    let provider = fake();
    let gateway = Gateway::start(&config(&provider.url())).await;
    let client = client();
    let request = client.post(gateway.url("/v1/chat/completions")).bearer_auth(KEY);
    let answer = reply(request.body(Api::Chat.body("gpt-4o", false, "x").to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());

    let (mut from_clients, mut to_providers) = (0, 0);
    for connection in connections_of(gateway.pid()) {
        assert!(connection.tcp_nodelay().unwrap(), "{connection:?}");
        let is_clients = connection.local_addr().unwrap().as_socket().unwrap().port() == gateway.address().port();
        *if is_clients { &mut from_clients } else { &mut to_providers } += 1;
    }
    assert!(from_clients > 0 && to_providers > 0, "{from_clients} from clients, {to_providers} to providers");
}
