//! The programs compared: the bare pass-through, the gateway, and nginx. Each is a child process that ends with its handle.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::machine::{now, ns_since, pinned};

const START_PATIENCE: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(5);

/// How to start the gateway. `{listen}`, `{upstream}`, `{threads}` and `{config}` are replaced in arguments, environment and, except
/// for the last, in the text of the configuration file.
#[derive(Clone, Debug)]
pub struct GatewayCommand {
    /// The gateway's binary.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, `NAME=VALUE`, besides what it inherits.
    pub env: Vec<String>,
    /// The template of its configuration file.
    pub config: Option<PathBuf>,
}

/// A running peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) addr: SocketAddr,
    pub(super) start_ms: u64,
    child: Child,
    /// Its files; gone with it.
    files: TempDir,
}

/// Where a peer is to run and whom it stands in front of.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) upstream: SocketAddr,
    pub(super) threads: usize,
    pub(super) cpus: Option<String>,
}

impl Peer {
    pub(super) fn bare(program: &Path, place: &Place) -> anyhow::Result<Self> {
        let addr = free_addr()?;
        let mut command = pinned(program, place.cpus.as_deref());
        command.args(["--listen", &addr.to_string(), "--upstream", &place.upstream.to_string()]);
        command.args(["--threads", &place.threads.to_string()]);
        Self::start("bare Pingora", addr, command, tempfile::tempdir()?)
    }

    pub(super) fn gateway(gateway: &GatewayCommand, place: &Place) -> anyhow::Result<Self> {
        let (addr, files) = (free_addr()?, tempfile::tempdir()?);
        let config_path = files.path().join("config.json");
        let fill = |text: &str| {
            text.replace("{listen}", &addr.to_string())
                .replace("{upstream}", &place.upstream.to_string())
                .replace("{threads}", &place.threads.to_string())
        };
        if let Some(template) = &gateway.config {
            let text = fs::read_to_string(template).with_context(|| format!("cannot read {}", template.display()))?;
            fs::write(&config_path, fill(&text))?;
        }
        let fill = |text: &str| fill(text).replace("{config}", &config_path.to_string_lossy());
        let mut command = pinned(&gateway.program, place.cpus.as_deref());
        command.args(gateway.args.iter().map(|arg| fill(arg)));
        for pair in &gateway.env {
            let (name, value) = pair.split_once('=').with_context(|| format!("'{pair}' is not NAME=VALUE"))?;
            command.env(name, fill(value));
        }
        Self::start("Tollgate", addr, command, files)
    }

    /// nginx as a plain proxy in one process; it has no threads to vary.
    pub(super) fn nginx(place: &Place) -> anyhow::Result<Self> {
        let (addr, files) = (free_addr()?, tempfile::tempdir()?);
        let dir = files.path().to_string_lossy().into_owned();
        let config = files.path().join("nginx.conf");
        fs::write(&config, nginx_config(&dir, addr, place.upstream))?;
        let mut command = pinned(Path::new("nginx"), place.cpus.as_deref());
        command.args(["-p", &dir, "-e", "error.log", "-c"]).arg(&config);
        Self::start("nginx", addr, command, files)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn start(name: &'static str, addr: SocketAddr, mut command: Command, files: TempDir) -> anyhow::Result<Self> {
        let log = fs::File::create(files.path().join("stderr.log"))?;
        let begun = now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.with_context(|| format!("cannot start {name}: {command:?}"))?;
        let mut peer = Self { name, addr, start_ms: 0, child, files };
        while std::net::TcpStream::connect(addr).is_err() {
            if begun.elapsed() > START_PATIENCE || peer.child.try_wait()?.is_some() {
                bail!("{name} does not listen on {addr}: {}", peer.last_words());
            }
            wait_a_little();
        }
        peer.start_ms = ns_since(begun) / 1_000_000;
        Ok(peer)
    }

    /// The end of what it wrote to stderr.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.files.path().join("stderr.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended on its own; there is nothing to save in it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether nginx can be started.
pub(super) fn has_nginx() -> bool {
    Command::new("nginx")
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "a process that starts cannot be waited for in any other way")]
fn wait_a_little() {
    std::thread::sleep(START_POLL);
}

/// A port that was free a moment ago. Peers take an address, not a socket, so this is as good as it gets.
fn free_addr() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn nginx_config(dir: &str, listen: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  client_body_buffer_size 256k; client_max_body_size 0; keepalive_requests 1000000000; tcp_nodelay on;
  upstream provider {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen {listen};
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;
    }}
  }}
}}
"
    )
}
