//! Several nodes on one database.

use store::Lease;

use super::*;

#[test]
fn nodes_charge_the_same_budget_and_keep_their_own_journals() {
    const EACH: u64 = 60;
    let database = TestDatabase::new();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    thread::scope(|scope| {
        for folder in &folders {
            let server = server(&database);
            scope.spawn(move || {
                let (store, state) = Store::open(config(folder.path(), server), NOW).unwrap();
                for number in 0..EACH {
                    let attempt = open(&store, state.run, number);
                    close(&store, attempt, if number % 2 == 0 { charged(7) } else { Outcome::Abandoned });
                    if number % 5 == 0 {
                        store.flush().unwrap();
                    }
                }
                store.close().unwrap();
            });
        }
    });
    assert_eq!(database.ask("SELECT total_nano FROM budgets"), (3 * EACH / 2 * (7 + 50)).to_string());
    assert_eq!(database.ask("SELECT count(*) FROM abandoned"), (3 * EACH / 2).to_string());
    assert_eq!(database.ask("SELECT count(DISTINCT run) FROM abandoned"), "3", "no two processes have one number");
    assert_eq!(database.ask("SELECT count(*) FROM open_attempts"), "0");
}

#[test]
fn a_node_is_not_charged_for_what_is_in_flight_on_another() {
    let database = TestDatabase::new();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, state) = Store::open(config(one.path(), server(&database)), NOW).unwrap();
    let attempt = open(&first, state.run, 1);
    first.flush().unwrap();
    let (second, state) = Store::open(config(two.path(), server(&database)), NOW).unwrap();
    assert_eq!(state.abandoned.attempts, 0);
    second.close().unwrap();
    close(&first, attempt, charged(20));
    first.close().unwrap();
    assert_eq!(database.ask("SELECT total_nano FROM budgets"), "20");
}

#[test]
fn only_the_first_of_two_nodes_may_go_by_its_own_memory() {
    let database = TestDatabase::new();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, state) = Store::open(config(one.path(), server(&database)), NOW).unwrap();
    assert_eq!((state.lease, first.lease(), first.is_only_node()), (Lease::Held, Lease::Held, true));
    let (second, state) = Store::open(config(two.path(), server(&database)), NOW).unwrap();
    assert_eq!((state.lease, second.lease(), second.is_only_node()), (Lease::Elsewhere, Lease::Elsewhere, false));
    assert_eq!((first.journal().lease(), second.journal().lease()), (Lease::Held, Lease::Elsewhere));
    first.close().unwrap();
    assert_eq!(second.lease(), Lease::Elsewhere, "what the first one spent is not in its memory");
    second.close().unwrap();
    let (second, state) = Store::open(config(two.path(), server(&database)), NOW).unwrap();
    assert_eq!(state.lease, Lease::Held);
    let (_first, state) = Store::open(config(one.path(), server(&database)), NOW).unwrap();
    assert_eq!(state.lease, Lease::Elsewhere);
    drop(second);
}

#[test]
fn a_node_that_was_killed_has_its_lease_back_at_once_and_others_when_it_is_over() {
    let database = TestDatabase::new();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Store::open(config(one.path(), server(&database)), NOW).unwrap().0.close().unwrap();
    let node = std::fs::read_to_string(one.path().join("node")).unwrap();
    let held = |until: &str| {
        database
            .execute(&format!("UPDATE lease SET node = '{node}', run = 1, until = now() {until} interval '9 hours'"));
    };
    let lease = |folder: &Path| Store::open(config(folder, server(&database)), NOW).unwrap().1.lease;
    held("+");
    assert_eq!(lease(two.path()), Lease::Elsewhere);
    held("+");
    assert_eq!(lease(one.path()), Lease::Held);
    held("-");
    assert_eq!(lease(two.path()), Lease::Held);
}

#[test]
fn a_process_whose_lease_was_taken_knows_it_soon() {
    let database = TestDatabase::new();
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(config(folder.path(), server(&database)), NOW).unwrap();
    database.execute("UPDATE lease SET node = 'another', run = run + 1, until = now() + interval '9 hours'");
    eventually(|| store.lease() == Lease::Elsewhere);
    store.close().unwrap();
    assert_eq!(database.ask("SELECT node FROM lease"), "another", "it gives back only what is its own");
}

#[test]
fn a_copy_of_a_data_folder_does_not_fold_in_the_name_of_the_original() {
    let database = TestDatabase::new();
    let (one, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (original, state) = Store::open(config(one.path(), server(&database)), NOW).unwrap();
    std::fs::copy(one.path().join("node"), copy.path().join("node")).unwrap();
    let (copied, _) = Store::open(config(copy.path(), server(&database)), NOW).unwrap();
    let attempt = open(&original, state.run, 1);
    close(&original, attempt, charged(20));
    let error = original.flush().unwrap_err().to_string();
    assert!(error.contains("is a copy of this one's"), "{error}");
    assert_eq!(database.ask("SELECT count(*) FROM budgets"), "0");
    copied.close().unwrap();
}
