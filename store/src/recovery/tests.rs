//! The bookkeeper, driven by hand: what a crash at any point leaves, and what is made of it.

mod model;
mod world;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::journal::{AttemptId, CallStatus, Called, Journal, Outcome};
use crate::{Abandoned, BudgetState, LogFilter, LogRow, Logs, Order, State, folder};
use world::{NOW, World, charged, scratch};

fn spent(state: &State, id: &str) -> u64 {
    state.budgets.iter().find(|budget| budget.id == id).map_or(0, |budget| budget.spent_nano)
}

#[test]
fn a_crash_between_the_commit_and_the_end_of_the_segment_counts_nothing_twice() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 50)]);
    world.close_attempt(1, charged(20));
    world.open_attempt(2, &[("b", 50)]);
    world.bookkeeper.pen().write_ends().unwrap();
    let files = world.segments();
    world.bookkeeper.fold().unwrap();
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
    let (world, state) = world.crash();
    assert_eq!((spent(&state, "b"), state.abandoned.attempts), (70, 1));
    assert_eq!(state.trouble, Vec::<String>::new());
    let (_, again) = world.crash();
    assert_eq!(again.budgets, state.budgets);
}

#[test]
fn a_segment_that_is_folded_and_not_deleted_yet_is_not_read_twice() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 50)]);
    world.close_attempt(1, charged(20));
    world.bookkeeper.pen().write_ends().unwrap();
    let files = world.segments();
    world.bookkeeper.fold().unwrap();
    files.into_iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    assert_eq!(spent(&crate::read(folder.path()).unwrap().state, "b"), 20);
}

#[test]
fn an_end_in_a_later_segment_is_read_after_its_beginning() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 50)]);
    let _lock = world.lock_database();
    assert!(world.bookkeeper.fold().is_err());
    world.close_attempt(1, charged(20));
    world.bookkeeper.pen().write_ends().unwrap();
    assert_eq!(world.segments().len(), 2);
    let reading = crate::read(folder.path()).unwrap();
    assert_eq!((spent(&reading.state, "b"), reading.held), (20, vec![]));
}

#[test]
fn a_crash_before_the_commit_loses_nothing() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 50)]);
    world.close_attempt(1, charged(20));
    world.bookkeeper.pen().write_ends().unwrap();
    let lock = world.lock_database();
    assert!(world.bookkeeper.fold().is_err(), "the segment was ended, but could not be folded");
    drop(lock);
    world.open_attempt(2, &[("b", 7)]);
    assert_eq!(world.segments().len(), 2);
    let (_, state) = world.crash();
    assert_eq!((spent(&state, "b"), state.abandoned.nano), (27, 7));
}

#[test]
fn what_had_ended_as_abandoned_was_not_in_flight() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 50)]);
    world.close_attempt(1, Outcome::Abandoned);
    world.open_attempt(2, &[("b", 7)]);
    world.bookkeeper.pen().write_ends().unwrap();
    let (_, state) = world.crash();
    assert_eq!((spent(&state, "b"), state.abandoned), (57, Abandoned { attempts: 1, nano: 7 }));
}

#[test]
fn a_fold_that_failed_is_made_up_for() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 50)]);
    let lock = world.lock_database();
    assert!(world.bookkeeper.fold().unwrap_err().to_string().contains("locked"));
    assert!(world.bookkeeper.fold().is_err());
    world.open_attempt(2, &[("b", 50)]);
    world.close_attempt(1, charged(20));
    world.bookkeeper.pen().write_ends().unwrap();
    assert_eq!(world.segments().len(), 2, "while one waits, the next goes on");
    drop(lock);
    world.bookkeeper.flush().unwrap();
    let (_, state) = world.crash();
    assert_eq!((spent(&state, "b"), state.abandoned.attempts), (70, 1));
}

#[test]
fn a_segment_does_not_grow_for_ever_while_another_waits() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(0, &[("b", 1)]);
    let lock = world.lock_database();
    assert!(world.bookkeeper.fold().is_err());
    let long = "x".repeat(60_000);
    for number in 1..200 {
        world.open_attempt(number, &[(&long, 1)]);
    }
    assert!(world.bookkeeper.pen().is_segment_full());
    assert!(world.bookkeeper.fold().is_err());
    assert_eq!((world.segments().len(), world.bookkeeper.pen().is_segment_full()), (3, false));
    drop(lock);
    world.bookkeeper.flush().unwrap();
    assert_eq!(world.crash().1.abandoned.attempts, 200);
}

#[test]
fn what_is_no_record_is_set_aside_and_named_and_later_segments_count() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 1)]);
    world.open_attempt(2, &[("b", 10)]);
    let lock = world.lock_database();
    assert!(world.bookkeeper.fold().is_err());
    drop(lock);
    world.open_attempt(3, &[("b", 100)]);
    let (path, bytes) = world.segments().remove(0);
    let damaged = bytes.len() / 2 + 20;
    let mut broken = bytes.clone();
    broken[damaged] ^= 1;
    fs::write(&path, broken).unwrap();
    let (world, state) = world.crash();
    assert_eq!(spent(&state, "b"), 101);
    let aside = format!("{}.corrupt", path.display());
    let half = bytes.len() / 2;
    let expected = format!(
        "{} is damaged at byte {half}: what is before counts, and the {half} bytes from there on are set aside as {aside}",
        path.display()
    );
    assert_eq!(state.trouble, [expected]);
    assert_eq!(fs::read(&aside).unwrap().len(), half);
    // It is told once, and the file stays for whoever wants to look at it.
    let (_, again) = world.crash();
    assert_eq!(again.trouble, Vec::<String>::new());
    assert!(fs::exists(&aside).unwrap());
}

#[test]
fn damage_while_running_is_set_aside_counted_and_told() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 1)]);
    let (path, mut bytes) = world.segments().remove(0);
    let length = bytes.len() as u64;
    world.open_attempt(2, &[("b", 10)]);
    bytes.extend(vec![0; bytes.len()]);
    fs::write(&path, bytes).unwrap();
    world.bookkeeper.flush().unwrap();
    let journal = world.bookkeeper.journal();
    assert_eq!(journal.statistics().bytes_set_aside, length);
    assert!(journal.take_trouble()[0].contains("is damaged at byte"));
    assert_eq!(spent(&world.crash().1, "b"), 1);
}

#[test]
fn a_segment_that_is_gone_is_told_and_does_not_stop_the_others() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 1)]);
    fs::remove_file(&world.segments()[0].0).unwrap();
    world.bookkeeper.flush().unwrap();
    assert!(world.bookkeeper.journal().take_trouble()[0].contains("is gone"));
    world.open_attempt(2, &[("b", 10)]);
    assert_eq!(spent(&world.crash().1, "b"), 10);
}

#[test]
fn a_segment_cut_at_any_byte_charges_the_attempts_that_are_whole() {
    let folder = scratch();
    let world = World::open(folder.path());
    let mut ends = vec![0];
    for number in 0..3 {
        world.open_attempt(number, &[("b", 1 << number)]);
        ends.push(world.segments()[0].1.len());
    }
    let (path, bytes) = world.segments().remove(0);
    let name = path.file_name().unwrap().to_owned();
    drop(world);
    for length in 0..=bytes.len() {
        let folder = scratch();
        fs::write(folder.path().join(&name), &bytes[..length]).unwrap();
        let (_, state) = World::recover(folder.path());
        let whole = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(spent(&state, "b"), (1 << whole) - 1, "{length}");
        assert_eq!(state.trouble.len(), usize::from(!ends.contains(&length)), "{length}: {:?}", state.trouble);
    }
}

#[test]
fn a_flipped_byte_anywhere_is_named_and_charges_no_more_than_was_reserved() {
    let folder = scratch();
    let world = World::open(folder.path());
    (0..3).for_each(|number| world.open_attempt(number, &[("b", 1 << number)]));
    let (path, bytes) = world.segments().remove(0);
    let name = path.file_name().unwrap().to_owned();
    drop(world);
    for place in 0..bytes.len() {
        let folder = scratch();
        let mut broken = bytes.clone();
        broken[place] ^= 0x41;
        fs::write(folder.path().join(&name), &broken).unwrap();
        let (_, state) = World::recover(folder.path());
        assert!([0, 1, 3].contains(&spent(&state, "b")), "{place}");
        assert_eq!(state.trouble.len(), 1, "{place}");
    }
}

#[test]
fn other_files_are_left_alone() {
    let folder = scratch();
    let names = ["journal-1.log", "journal-00000000000000ZZ.log", "journal-000000000000000A.log", "notes.txt"];
    names.iter().for_each(|name| fs::write(folder.path().join(name), "x").unwrap());
    let (world, state) = World::recover(folder.path());
    assert_eq!(state.trouble, Vec::<String>::new());
    world.crash();
    names.iter().for_each(|name| assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"x"));
}

#[test]
fn numbers_of_segments_that_were_set_aside_are_not_used_again() {
    let folder = scratch();
    fs::write(folder::set_aside(folder.path(), 0x50), "evidence").unwrap();
    let (world, _) = World::recover(folder.path());
    assert!(world.bookkeeper.journal().segment().number() > 0x50);
}

#[test]
fn a_torn_segment_is_replaced_and_what_it_held_counts() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 1)]);
    let path = world.segments()[0].0.clone();
    world.tear_segment();
    // Half a record, as a full disk leaves it.
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[60, 0, 0, 0, 1, 2, 3]).unwrap();
    let journal = std::sync::Arc::clone(world.bookkeeper.journal());
    assert!(world.try_open_attempt(2, &[("b", 10)]).is_err());
    assert_eq!(journal.statistics().failures, 1);
    world.bookkeeper.pen().mend().unwrap();
    world.open_attempt(3, &[("b", 100)]);
    world.bookkeeper.flush().unwrap();
    assert_eq!(journal.statistics().bytes_set_aside, 0, "what we know of is no damage");
    assert_eq!(spent(&world.crash().1, "b"), 101);
}

#[test]
fn ends_that_cannot_be_written_wait_and_count_once() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    for number in 0..1000 {
        world.open_attempt(number, &[("b", 50)]);
        world.close_attempt(number, charged(1));
    }
    world.tear_segment();
    assert!(world.bookkeeper.pen().write_ends().is_err());
    world.close_attempt(999, Outcome::Unsent);
    assert_eq!(world.bookkeeper.journal().statistics().closes_waiting, 1001);
    world.bookkeeper.pen().mend().unwrap();
    world.bookkeeper.flush().unwrap();
    let statistics = world.bookkeeper.journal().statistics();
    assert_eq!((statistics.closes_waiting, statistics.strays), (0, 1));
    assert_eq!(spent(&world.crash().1, "b"), 1000);
}

#[test]
fn nothing_is_written_once_nobody_would_fold_it() {
    let folder = scratch();
    let world = World::open(folder.path());
    let journal = std::sync::Arc::clone(world.bookkeeper.journal());
    drop(world);
    let opened = crate::Opened {
        call: 0,
        attempt: crate::AttemptId { run: 1, number: 1 },
        at_ms: 0,
        key: "",
        provider: "",
        model: "",
        entries: &[],
    };
    assert!(journal.open(&opened).is_err());
}

#[test]
fn ends_are_taken_for_as_long_as_the_last_ones_are_written_and_nothing_is_opened_meanwhile() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.open_attempt(1, &[("b", 50)]);
    world.open_attempt(2, &[("b", 50)]);
    world.bookkeeper.journal().open_no_more();
    assert!(world.try_open_attempt(3, &[("b", 50)]).is_err());
    world.close_attempt(1, charged(20));
    world.bookkeeper.close().unwrap();
    // Too late: the next process cannot know of it.
    world.close_attempt(2, charged(20));
    let (_, state) = world.crash();
    assert_eq!((spent(&state, "b"), state.abandoned.attempts), (70, 1));
}

#[test]
fn of_calls_that_end_while_the_store_is_closed_those_alone_are_abandoned_that_had_not_ended() {
    for _ in 0..20 {
        let folder = scratch();
        let (store, state) = crate::Store::open(folder.path(), world::NOW).unwrap();
        let journal = store.journal();
        let run = state.run;
        let (mut opened, mut ended) = (0, 0);
        std::thread::scope(|scope| {
            let calling = scope.spawn(|| {
                for number in 1.. {
                    let attempt = crate::AttemptId { run, number };
                    let entries = [crate::Entry {
                        kind: crate::Kind::Budget,
                        id: "b",
                        start_ms: world::WINDOW,
                        length_ms: 0,
                        amount: 50,
                    }];
                    let opening = crate::Opened {
                        attempt,
                        call: 0,
                        at_ms: 0,
                        key: "",
                        provider: "p",
                        model: "m",
                        entries: &entries,
                    };
                    if journal.open(&opening).is_err() {
                        return number - 1;
                    }
                    journal.close(crate::Closed { attempt, at_ms: 0, outcome: charged(20) });
                }
                0
            });
            while journal.statistics().opens < 50 {
                std::thread::yield_now();
            }
            store.close().unwrap();
            opened = calling.join().unwrap();
            ended = journal.statistics().closes_waiting;
        });
        let (_, state) = World::recover(folder.path());
        // One caller: its last call may have ended too late, no other.
        assert!(state.abandoned.attempts <= 1 && ended == state.abandoned.attempts, "{ended}: {:?}", state.abandoned);
        assert_eq!(spent(&state, "b"), 20 * opened + 30 * state.abandoned.attempts);
    }
}

#[test]
fn a_budget_that_was_charged_before_it_was_adopted_keeps_what_was_spent() {
    let folder = scratch();
    let world = World::open(folder.path());
    world.open_attempt(1, &[("b", 5)]);
    let (mut world, _) = world.crash();
    let began = crate::Began { id: "b".into(), window: "1d".into(), began_ms: 40 };
    world.bookkeeper.adopt(&[began]).unwrap();
    let (_, state) = world.crash();
    let expected = BudgetState {
        id: "b".into(),
        window: "1d".into(),
        began_ms: 40,
        window_ms: world::WINDOW,
        spent_nano: 5,
        total_nano: 5,
    };
    assert_eq!(state.budgets, [expected]);
}

fn call(number: u64) -> Called<'static> {
    let call = Some(AttemptId { run: 1, number });
    Called { call, at_ms: NOW, status: CallStatus::Success, cost_nano: 20, ..Called::default() }
}

/// What each call cost, by the number of its first attempt.
fn rows(folder: &Path) -> Vec<(u64, CallStatus, u64)> {
    let page = Logs::open(folder).unwrap().page(&LogFilter::default(), Order::NewestFirst, None, 100).unwrap();
    let told = |row: LogRow| (row.call.call.map_or(0, |call| call.number), row.call.status, row.call.cost_nano);
    let mut rows: Vec<_> = page.rows.into_iter().map(told).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn a_crash_between_the_commit_and_the_end_of_the_segment_adds_no_row_twice() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    for number in 1..=3 {
        world.open_attempt(number, &[("b", 50)]);
    }
    world.close_attempt(1, charged(20));
    world.close_attempt(2, charged(30));
    world.bookkeeper.journal().called(&call(1));
    world.bookkeeper.pen().write_ends().unwrap();
    let files = world.segments();
    world.bookkeeper.fold().unwrap();
    assert_eq!(rows(folder.path()), [(1, CallStatus::Success, 20)]);
    files.into_iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    let (world, _) = world.crash();
    let expected = [(1, CallStatus::Success, 20), (2, CallStatus::Abandoned, 30), (3, CallStatus::Abandoned, 50)];
    assert_eq!(rows(folder.path()), expected);
    let (_world, _) = world.crash();
    assert_eq!(rows(folder.path()), expected);
}

#[test]
fn a_call_that_could_not_be_written_is_written_later() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    world.tear_segment();
    world.bookkeeper.journal().called(&call(1));
    world.bookkeeper.journal().called(&call(2));
    assert!(world.bookkeeper.pen().write_ends().is_err());
    assert!(!world.bookkeeper.is_idle());
    world.bookkeeper.journal().called(&call(3));
    world.bookkeeper.pen().go_on(false);
    world.bookkeeper.flush().unwrap();
    assert_eq!(rows(folder.path()), [1, 2, 3].map(|number| (number, CallStatus::Success, 20)));
    assert!(world.bookkeeper.is_idle());
}

#[test]
fn of_too_many_calls_those_that_sent_something_are_kept() {
    let folder = scratch();
    let mut world = World::open(folder.path());
    let journal = world.bookkeeper.journal().clone();
    let long = Called { trail: "x".repeat(600).into(), rules: "y".repeat(600).into(), ..Called::default() };
    let (mut told, mut spent) = (0, 0);
    while journal.statistics().calls_dropped < 10 {
        journal.called(&long);
        told += 1;
        if told % 1_000 == 0 || journal.statistics().calls_dropped > 0 {
            journal.called(&Called { cost_nano: 1, ..long.clone() });
            spent += 1;
        }
    }
    world.bookkeeper.flush().unwrap();
    let stats = Logs::open(folder.path()).unwrap().stats(&LogFilter::default()).unwrap();
    assert_eq!((stats.total_requests, stats.cost_nano), (told - 10 + spent, spent));
}
