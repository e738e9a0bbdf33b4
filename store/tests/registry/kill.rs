//! A process that is killed while threads commit: each write is there as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use policy::provider::Secret;
use store::Registry;
use store::registry::{Entity, Write};

use super::{all, audit, entity, puts};

/// Tells this binary that it is the process to be killed, and which folder is its.
const FOLDER: &str = "TOLLGATE_TEST_FOLDER";
const ROWS: u64 = 7;
const THREADS: u64 = 2;

/// Not a test of its own: what the killed process does.
#[test]
fn the_process_to_be_killed() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let registry = Registry::open(Path::new(&folder), &Secret::new("key")).unwrap();
    let begin = registry.revision().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let registry = registry.clone();
            scope.spawn(move || {
                for number in (begin..).map(|number| number * THREADS + thread) {
                    let revision = registry.commit(&batch(number)).unwrap().revision;
                    std::io::stderr().write_all(format!("{number} {revision}\n").as_bytes()).unwrap();
                }
            });
        }
    });
}

/// Some rows of its own, and one that all have in common.
fn batch(number: u64) -> Write {
    let row = |row| Entity { document: number.to_string(), ..entity(&format!("{number:08}-{row}")) };
    let common = Entity { document: number.to_string(), ..entity("common") };
    Write { audit: vec![audit("create", &number.to_string())], ..puts((0..ROWS).map(row).chain([common])) }
}

/// Lets it acknowledge so many writes, kills it, and gives number and revision of each that it acknowledged.
fn kill_after(folder: &Path, lines: usize) -> Vec<(u64, u64)> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::the_process_to_be_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        said.extend(
            line.split_once(' ').and_then(|(number, revision)| Some((number.parse().ok()?, revision.parse().ok()?))),
        );
        if said.len() == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said.len() >= lines, "it ended by itself: {said:?}");
    said
}

#[test]
fn a_killed_process_leaves_whole_writes() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for lines in [1, 20, 150] {
        acknowledged.extend(kill_after(folder.path(), lines));
        let registry = Registry::open(folder.path(), &Secret::new("key")).unwrap();
        check(&registry, &acknowledged);
    }
}

fn check(registry: &Registry, acknowledged: &BTreeSet<(u64, u64)>) {
    let revision = registry.revision().unwrap();
    let mut batches: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let rows = all(registry);
    for row in rows.iter().filter(|row| row.id != "common") {
        batches.entry(row.document.parse().unwrap()).or_default().push(row.revision);
    }
    assert!(batches.values().all(|rows| rows.len() as u64 == ROWS && rows.iter().all(|row| *row == rows[0])));
    assert_eq!(batches.len() as u64, revision, "each write has a revision of its own");
    for (number, revision) in acknowledged {
        assert_eq!(batches.get(number).map(|rows| rows[0]), Some(*revision), "{number} was acknowledged");
    }
    let untold = revision - acknowledged.len() as u64;
    assert!(untold <= 3 * THREADS, "{untold} are there that were not acknowledged");
    assert_eq!(registry.verify().unwrap().rows, revision);
    let common = registry.get("virtual_key", "common").unwrap().unwrap();
    assert_eq!(common.revision, revision);
}
