//! What an operator is told when there is no server, or not the right one.

use std::net::TcpListener;

use super::*;

/// Why a store cannot be opened.
fn error(server: Postgres) -> String {
    let folder = tempfile::tempdir().unwrap();
    let secret = server.password.reveal().to_owned();
    let error = Store::open(config(folder.path(), server), NOW).unwrap_err().to_string();
    assert!(secret.is_empty() || !error.contains(&secret), "{error}");
    error
}

#[test]
fn who_is_refused_is_told_where_and_as_whom_and_never_the_password() {
    let database = TestDatabase::new();
    let right = server(&database);
    let place = format!("PostgreSQL at {}:{}, database `{}`", right.host, right.port, right.db_name);
    let told = error(Postgres { password: Secret::new("hunter2-is-no-password"), ..right.clone() });
    assert!(told.starts_with(&format!("{place}, user `tollgate`: password authentication failed")), "{told}");
    let told = error(Postgres { user: "nobody".into(), ..right.clone() });
    assert!(told.starts_with(&format!("{place}, user `nobody`: ")), "{told}");
    let told = error(Postgres { db_name: "no_such_thing".into(), ..right });
    assert!(told.contains("database \"no_such_thing\" does not exist"), "{told}");
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let database = TestDatabase::new();
    let right = Postgres { host: "127.0.0.1".into(), port, ..server(&database) };
    let told = error(right.clone());
    assert!(told.contains(&format!("127.0.0.1:{port}")) && told.contains("Connection refused"), "{told}");
    let told = error(Postgres { host: "no-such-host.invalid".into(), ..right });
    assert!(told.contains("no-such-host.invalid"), "{told}");
}

#[test]
fn a_database_that_is_not_in_utf8_is_refused() {
    let database = TestDatabase::with("ENCODING 'SQL_ASCII' TEMPLATE template0");
    let told = error(server(&database));
    assert!(told.ends_with("the database is encoded in SQL_ASCII; it must be UTF8"), "{told}");
}

#[test]
fn a_server_without_tls_is_not_spoken_to_by_who_wants_it() {
    // Says that it has none, as the protocol has it, and takes no harm from whatever else comes.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            drop(std::io::Write::write_all(&mut client, b"N"));
        }
    });
    let database = TestDatabase::new();
    let told = error(Postgres { host: "127.0.0.1".into(), port, ssl_mode: SslMode::Require, ..server(&database) });
    assert!(told.contains("server does not support TLS"), "{told}");
}
