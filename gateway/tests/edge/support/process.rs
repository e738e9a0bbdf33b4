//! The gateway's process: started on port 0, watched, stopped; and what no test may ever see of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::PATIENCE;
use super::config::{KEY, VENDOR_SECRET};
use super::lines::Lines;

/// A running gateway. Dropped, it is killed; then nothing it wrote may hold a secret, or tell of a panic.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    address: SocketAddr,
    tls: bool,
    /// Standard output: the access log.
    pub(crate) access: Lines,
    /// Standard error: what happened to the process.
    pub(crate) events: Lines,
    home: Option<Home>,
}

/// The folder of a configuration and its data; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// A folder with this configuration.
    pub(crate) fn new(config: &Value) -> Self {
        let home = Self { folder: TempDir::new().unwrap() };
        home.write(&config.to_string());
        home
    }

    /// Replaces the configuration.
    pub(crate) fn write(&self, config: &str) {
        std::fs::write(self.config(), config).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self) -> PathBuf {
        self.path().join("config.json")
    }

    /// `tollgate <command> --config …`, ready to be run.
    pub(crate) fn command(&self, command: &str) -> Command {
        let mut tollgate = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        tollgate.arg(command).arg("--config").arg(self.config()).env_remove("RUST_LOG").stdin(Stdio::null());
        tollgate
    }

    /// `tollgate serve` on a port of its choice, ready to be run.
    pub(crate) fn serve(&self) -> Command {
        let mut tollgate = self.command("serve");
        tollgate.args(["--listen", "127.0.0.1:0"]).arg("--data").arg(self.data());
        tollgate
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, command: &str) -> Output {
        let mut command = if command == "serve" { self.serve() } else { self.command(command) };
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }
}

impl Gateway {
    /// Starts a gateway and waits until it listens.
    pub(crate) async fn start(config: &Value) -> Self {
        Self::start_in(Home::new(config), &[]).await
    }

    /// Starts a gateway in a folder, with environment variables.
    pub(crate) async fn start_in(home: Home, env: &[(&str, &str)]) -> Self {
        let mut command = home.serve();
        command.envs(env.iter().copied());
        Self::start_by(command, home).await
    }

    /// Starts a gateway in a folder by a command of the test's own, which becomes [`Home::serve`].
    pub(crate) async fn start_by(mut command: Command, home: Home) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let access = Lines::collect(child.stdout.take().unwrap());
        let events = Lines::collect(child.stderr.take().unwrap());
        let mut gateway =
            Self { child, address: ([127, 0, 0, 1], 0).into(), tls: false, access, events, home: Some(home) };
        let line = gateway.events.wait_for("the address", |line| says(line, "listening")).await;
        let fields = &line["fields"];
        gateway.address = fields["address"].as_str().unwrap().parse().unwrap();
        gateway.tls = fields["tls"] == true;
        gateway
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        let (scheme, host) = if self.tls { ("https", "localhost") } else { ("http", "127.0.0.1") };
        format!("{scheme}://{host}:{}{path}", self.address.port())
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name: `TERM`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("the process did not end")
    }

    /// Kills the process at once and gives its folder back.
    pub(crate) fn kill(mut self) -> Home {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.home.take().unwrap()
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Home {
        self.home.as_ref().expect("it is given away only with the process")
    }

    /// The most memory the process has ever held, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Everything it has written so far.
    pub(crate) fn output(&self) -> String {
        format!("{}\n{}", self.access.text(), self.events.text())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            return;
        }
        let output = self.output();
        for forbidden in [KEY, VENDOR_SECRET, "panicked at"] {
            assert!(!output.contains(forbidden), "the gateway wrote `{forbidden}`:\n{output}");
        }
    }
}

/// Whether a line of the process's own log has this message.
pub(crate) fn says(line: &Value, message: &str) -> bool {
    line["fields"]["message"] == message
}
