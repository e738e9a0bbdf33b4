//! A process that is killed while it folds: what it had acknowledged is in the database or in its journal, and counts once.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

/// Tells this binary that it is the process to be killed, and where its folder and its server are.
const PLACE: &str = "TOLLGATE_TEST_PLACE";

/// Not a test of its own: what the killed process does.
#[test]
fn the_process_to_be_killed() {
    let Ok(place) = env::var(PLACE) else { return };
    let [folder, host, port, user, password, db_name] = place.split('\n').collect::<Vec<_>>()[..] else { panic!() };
    let server = Postgres {
        host: host.into(),
        port: port.parse().unwrap(),
        user: user.into(),
        password: Secret::new(password),
        db_name: db_name.into(),
        ssl_mode: SslMode::Prefer,
        ssl_root_cert: None,
        max_open_conns: 4,
        max_idle_conns: 1,
    };
    let (store, state) = Store::open(config(Path::new(folder), server), NOW).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1.. {
                let attempt = open(&store, state.run, number);
                // One `write(2)`, so that no line is cut in two.
                std::io::stderr().write_all(format!("{number}\n").as_bytes()).unwrap();
                if number % 3 != 0 {
                    close(&store, attempt, charged(1));
                }
            }
        });
        scope.spawn(|| {
            loop {
                store.flush().unwrap();
            }
        });
    });
}

#[test]
fn a_process_that_is_killed_in_mid_fold_counts_once_what_it_had_acknowledged() {
    let database = TestDatabase::new();
    let folder = tempfile::tempdir().unwrap();
    let TestDatabase { host, port, user, password, name, .. } = &database;
    let place = format!("{}\n{host}\n{port}\n{user}\n{password}\n{name}", folder.path().display());
    let mut spent_before = 0;
    let mut requests_before = 0;
    for lines in [3, 700, 4_000] {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::the_process_to_be_killed", "--nocapture"])
            .env(PLACE, &place)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let acknowledged = told.by_ref().take(lines).count();
        assert_eq!(acknowledged, lines, "it ended by itself");
        child.kill().unwrap();
        let acknowledged = (lines + told.map_while(Result::ok).count()) as u64;
        child.wait().unwrap();
        let (store, state) = Store::open(config(folder.path(), server(&database)), NOW).unwrap();
        assert_eq!(state.trouble, Vec::<String>::new());
        let (spent, requests) = (state.budgets[0].total_nano, state.slices[0].used);
        let (came, abandoned) = (requests - requests_before, state.abandoned.attempts);
        assert!(
            (acknowledged..=acknowledged + 1).contains(&came),
            "{acknowledged} were acknowledged, {came} are there"
        );
        assert!(abandoned >= came / 3);
        assert_eq!(spent - spent_before, abandoned * 50 + (came - abandoned), "each is charged once");
        (spent_before, requests_before) = (spent, requests);
        store.close().unwrap();
    }
}
