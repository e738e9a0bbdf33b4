//! A PostgreSQL database of a test's own, as the store's tests have it, and the wire to it.

#[path = "../../../../store/tests/support/database.rs"]
mod own;
#[path = "../../../../store/tests/support/wire.rs"]
mod wire;

use std::thread;

use serde_json::{Value, json};

use self::own::TestDatabase;
pub(crate) use self::wire::Wire;

/// Removed when this is dropped. The client waits for its own runtime, so it does that on threads where there is none.
pub(crate) struct Database(Option<TestDatabase>);

impl Database {
    pub(crate) fn new() -> Self {
        Self(Some(thread::spawn(TestDatabase::new).join().unwrap()))
    }

    pub(crate) fn execute(&self, statements: &str) {
        let database = self.own();
        thread::scope(|scope| scope.spawn(|| database.execute(statements)).join().unwrap());
    }

    /// A wire to its server.
    pub(crate) fn wire(&self) -> Wire {
        Wire::to(&self.own().host, self.own().port)
    }

    /// Has a configuration keep everything in it.
    pub(crate) fn keep(&self, config: &mut Value) {
        let TestDatabase { host, port, user, password, name, .. } = self.own();
        config["encryption_key"] = json!("the same for all gateways");
        config["config_store"] = json!({"enabled": true, "type": "postgres", "config": {
            "host": host, "port": port, "user": user, "password": password, "db_name": name, "ssl_mode": "disable",
        }});
    }

    fn own(&self) -> &TestDatabase {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let database = self.0.take();
        // A test that failed has said why.
        drop(thread::spawn(move || drop(database)).join());
    }
}
