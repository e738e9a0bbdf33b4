//! What is told apart behind the trait: migrations, tries, TLS.

#[path = "../../tests/support/database.rs"]
pub(super) mod database;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::thread;

use policy::provider::Secret;

use self::database::TestDatabase;
use super::*;
use crate::config::SslMode;
use crate::migrations::check_folder;

pub(super) fn config(database: &TestDatabase, ssl_mode: SslMode) -> config::Postgres {
    let TestDatabase { host, port, user, password, name, .. } = database;
    config::Postgres {
        host: host.clone(),
        port: *port,
        user: user.clone(),
        password: Secret::new(password),
        db_name: name.clone(),
        ssl_mode,
        ssl_root_cert: None,
        max_open_conns: 4,
        max_idle_conns: 4,
    }
}

fn server(database: &TestDatabase) -> Server {
    Server::new(&config(database, SslMode::Disable)).unwrap()
}

fn transact<T>(
    server: &Server,
    work: impl AsyncFn(&Transaction<'_>, server::Try) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    server.transact(&mut || {}, work)
}

#[test]
fn every_migration_in_the_folder_is_run() {
    check_folder("postgres", &schema::MIGRATIONS);
}

#[test]
fn nodes_that_start_at_once_make_the_tables_once() {
    for isolation in ["read committed", "serializable"] {
        let database = TestDatabase::new();
        let name = &database.name;
        database.execute(&format!("ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'"));
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| schema::migrate(&server(&database), &schema::MIGRATIONS).unwrap());
            }
        });
        assert_eq!(database.ask("SELECT count(*) FROM schema_version"), schema::MIGRATIONS.len().to_string());
        assert_eq!(database.ask("SELECT count(*) FROM ledger"), "1");
    }
}

#[test]
fn a_migration_that_fails_half_way_leaves_the_old_version_usable() {
    let database = TestDatabase::new();
    let server = server(&database);
    let mut known = schema::MIGRATIONS.to_vec();
    known.push("CREATE TABLE half (x INTEGER); INSERT INTO half VALUES (1 / 0)");
    let error = schema::migrate(&server, &known).unwrap_err().to_string();
    let version = known.len();
    assert!(error.contains(&format!("migration {version} was not done")) && error.contains("by zero"), "{error}");
    assert_eq!(database.ask("SELECT to_regclass('half') IS NULL"), "true");
    schema::migrate(&server, &schema::MIGRATIONS).unwrap();
    // Mended, it is run.
    *known.last_mut().unwrap() = "CREATE TABLE half (x INTEGER)";
    schema::migrate(&server, &known).unwrap();
    assert_eq!(database.ask("SELECT to_regclass('half') IS NULL"), "false");
}

#[test]
fn a_database_of_a_newer_version_or_of_another_build_is_left_alone() {
    let database = TestDatabase::new();
    let server = server(&database);
    let known = [schema::MIGRATIONS[0], "SELECT 1"];
    schema::migrate(&server, &known).unwrap();
    let error = schema::migrate(&server, &known[..1]).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1 }), "{error}");
    let error = schema::migrate(&server, &[schema::MIGRATIONS[0], "SELECT 2"]).unwrap_err();
    assert!(matches!(error, StoreError::Altered { version: 2 }), "{error}");
    database.execute("INSERT INTO schema_version (version, checksum) VALUES (99, 'x')");
    let config = config(&database, SslMode::Disable);
    assert!(matches!(Postgres::read(&config, None).unwrap_err(), StoreError::Newer { found: 99, .. }));
}

#[test]
fn who_may_only_use_tables_gets_by() {
    let database = TestDatabase::new();
    schema::migrate(&server(&database), &schema::MIGRATIONS).unwrap();
    let user = format!("user_{}", database.name);
    database.execute(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'x';
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}"
    ));
    let mut config = config(&database, SslMode::Disable);
    (config.user, config.password) = (user.clone(), Secret::new("x"));
    schema::migrate(&Server::new(&config).unwrap(), &schema::MIGRATIONS).unwrap();
    database.execute(&format!("DROP OWNED BY {user}; DROP ROLE {user}"));
}

#[test]
fn a_database_whose_tables_are_not_made_yet_reads_as_empty() {
    let database = TestDatabase::new();
    let config = config(&database, SslMode::Disable);
    assert_eq!(Postgres::read(&config, None).unwrap(), None);
    assert_eq!(Postgres::read_abandoned(&config, Page { before: None, most: 1 }).unwrap(), None);
}

#[test]
fn a_transaction_that_yielded_to_another_is_tried_again_and_not_for_ever() {
    let database = TestDatabase::new();
    database.execute("CREATE TABLE notes (x INTEGER)");
    let server = server(&database);
    for code in ["40001", "40P01"] {
        let fail = format!("DO $$ BEGIN RAISE EXCEPTION 'yield' USING ERRCODE = '{code}'; END $$");
        let tries = Cell::new(0);
        let write = |successes_from: i32| {
            tries.set(0);
            let (tries, fail) = (&tries, &fail);
            transact(&server, async move |transaction, _| {
                tries.set(tries.get() + 1);
                transaction.batch_execute("INSERT INTO notes VALUES (1)").await?;
                if tries.get() < successes_from {
                    transaction.batch_execute(fail).await?;
                }
                Ok(())
            })
        };
        write(3).unwrap();
        assert_eq!(tries.get(), 3);
        let error = write(i32::MAX).unwrap_err().to_string();
        assert!(error.contains("yield") && error.contains(code), "{error}");
        assert_eq!(tries.get(), 6);
    }
    assert_eq!(database.ask("SELECT count(*) FROM notes"), "2", "what was tried in vain has left nothing");
}

#[test]
fn a_statement_that_takes_too_long_is_not_tried_again() {
    let database = TestDatabase::new();
    let tries = Cell::new(0);
    let error = transact(&server(&database), async |transaction, _| {
        tries.set(tries.get() + 1);
        transaction.batch_execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)").await?;
        Ok(())
    });
    assert!(error.unwrap_err().to_string().contains("canceling statement due to statement timeout"));
    assert_eq!(tries.get(), 1);
}

#[test]
fn what_is_printed_for_looking_at_it_has_no_password() {
    let database = TestDatabase::new();
    let config = config(&database, SslMode::Disable);
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::open(&config, &Folder::take(folder.path()).unwrap()).unwrap();
    let printed = format!("{config:?} {postgres:?}");
    assert!(printed.contains(&database.name) && !printed.contains(&database.password), "{printed}");
}

#[test]
fn each_connection_has_its_bounds() {
    let database = TestDatabase::new();
    for (setting, expected) in [("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "1min")] {
        let found: String = transact(&server(&database), async |transaction, _| {
            Ok(transaction.query_one(&format!("SHOW {setting}"), &[]).await?.try_get(0)?)
        })
        .unwrap();
        assert_eq!(found, expected, "{setting}");
    }
}

#[test]
fn no_more_connections_are_kept_than_are_to_be() {
    let database = TestDatabase::new();
    for (most, kept) in [(0, 0), (1, 1), (5, 2)] {
        let config = config::Postgres { max_idle_conns: most, ..config(&database, SslMode::Disable) };
        let server = Server::new(&config).unwrap();
        let other = server.pool().clone();
        transact(&server, async |_, _| Ok(other.get().await.map(drop)?)).unwrap();
        assert_eq!(server.pool().status().size, kept);
    }
}

/// Whether a connection is made by TLS, or why none is made.
fn is_private(database: &TestDatabase, host: &str, mode: SslMode, authority: Option<&Path>) -> Result<bool, String> {
    let mut config = config(database, mode);
    (config.host, config.ssl_root_cert) = (host.to_owned(), authority.map(Path::to_owned));
    let asked = Server::new(&config).and_then(|server| {
        transact(&server, async |transaction, _| {
            let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            Ok(transaction.query_one(query, &[]).await?.try_get(0)?)
        })
    });
    asked.map_err(|error| error.to_string())
}

#[test]
fn each_mode_of_tls_looks_at_what_it_says() {
    let database = TestDatabase::new();
    let folder = tempfile::tempdir().unwrap();
    let authority: PathBuf = folder.path().join("ca.pem");
    std::fs::write(&authority, database.ask("SELECT pg_read_file('ca.pem')")).unwrap();
    let (authority, address) = (Some(&*authority), "127.0.0.1");
    let ask = |host, mode, authority| is_private(&database, host, mode, authority);
    assert_eq!(ask(address, SslMode::Disable, None), Ok(false));
    assert_eq!(ask(address, SslMode::Prefer, None), Ok(true));
    assert_eq!(ask(address, SslMode::Require, None), Ok(true));
    assert_eq!(ask(address, SslMode::VerifyCa, authority), Ok(true), "whatever name it is for");
    assert_eq!(ask("localhost", SslMode::VerifyFull, authority), Ok(true));
    let told = ask(address, SslMode::VerifyFull, authority).unwrap_err();
    assert!(told.contains("not valid for name"), "{told}");
    let is_stranger = |told: Result<bool, String>| told.is_err_and(|told| told.contains("UnknownIssuer"));
    assert!(is_stranger(ask("localhost", SslMode::VerifyCa, None)));
    assert!(is_stranger(ask("localhost", SslMode::VerifyFull, None)));
    // Another authority than the server's.
    let other = folder.path().join("other.pem");
    std::fs::write(&other, rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap().cert.pem()).unwrap();
    assert!(is_stranger(ask("localhost", SslMode::Require, Some(&other))));
    let gone = folder.path().join("gone.pem");
    assert!(ask(address, SslMode::VerifyFull, Some(&gone)).unwrap_err().contains("gone.pem cannot be read"));
}
