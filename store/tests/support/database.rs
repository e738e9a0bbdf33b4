//! A database of a test's own on the PostgreSQL that tests are given.

#![allow(dead_code, clippy::panic, reason = "each suite uses a part of it; a test fails by panicking")]

use std::env;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// Says where it is, as `scripts/postgres.sh` prints it.
const URL: &str = "TOLLGATE_TEST_POSTGRES";

/// Removed when this is dropped.
pub(crate) struct TestDatabase {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) name: String,
    server: Config,
}

impl TestDatabase {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// One that is made with these options.
    pub(crate) fn with(options: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = env::var(URL) else { panic!("{URL} is not set: run these tests by `make test-rust`") };
        let server = Config::from_str(&url).unwrap();
        let Some(Host::Tcp(host)) = server.get_hosts().first() else { panic!("{URL} names no host") };
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (host, port) = (host.clone(), server.get_ports().first().copied().unwrap_or(5432));
        let user = server.get_user().unwrap_or_default().to_owned();
        let password = String::from_utf8(server.get_password().unwrap_or_default().to_owned()).unwrap();
        run(&server, async |client| client.batch_execute(&format!("CREATE DATABASE {name} {options}")).await.unwrap());
        Self { host, port, user, password, name, server }
    }

    /// Runs statements in it.
    pub(crate) fn execute(&self, statements: &str) {
        run(&self.own(), async |client| client.batch_execute(statements).await.unwrap());
    }

    /// The first column of the only row, as text.
    pub(crate) fn ask(&self, query: &str) -> String {
        let query = format!("SELECT CAST(x AS text) FROM ({query}) AS q (x)");
        run(&self.own(), async |client| client.query_one(&query, &[]).await.unwrap().get(0))
    }

    /// The first column of all rows, a line each.
    pub(crate) fn ask_all(&self, query: &str) -> String {
        run(&self.own(), async |client| {
            let rows = client.query(query, &[]).await.unwrap();
            rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect()
        })
    }

    /// Runs a statement in a transaction that is left open until what this gives is dropped.
    pub(crate) fn lock(&self, statement: &str) -> impl Drop + use<> {
        struct Lock(Option<(runtime::Runtime, Client)>);
        impl Drop for Lock {
            fn drop(&mut self) {
                let (runtime, client) = self.0.take().unwrap();
                runtime.block_on(client.batch_execute("ROLLBACK")).unwrap();
            }
        }
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(self.own().connect(NoTls)).unwrap();
        runtime.spawn(connection);
        runtime.block_on(client.batch_execute(&format!("BEGIN; {statement}"))).unwrap();
        Lock(Some((runtime, client)))
    }

    fn own(&self) -> Config {
        let mut own = self.server.clone();
        own.dbname(&self.name);
        own
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        run(&self.server, async |client| client.batch_execute(&drop).await.unwrap());
    }
}

fn run<T>(config: &Config, work: impl AsyncFnOnce(&Client) -> T) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let done = work(&client).await;
        drop(client);
        connection.await.unwrap().unwrap();
        done
    })
}
