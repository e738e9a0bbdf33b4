//! A full disk, as a process sees it whose files may not grow: opening fails, nothing is lost, and later all is well again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::thread;

use store::{AttemptId, Closed, Entry, Journal, Kind, Opened, Outcome, Store};

/// Tells this binary that it is the process whose disk fills, and which folder is its.
const FOLDER: &str = "TOLLGATE_TEST_FOLDER";

/// Not a test of its own: what the process with the full disk does, a word at a time.
#[test]
fn the_process_with_the_full_disk() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let (store, state) = Store::open(Path::new(&folder), 1_000_000).unwrap();
    let journal = store.journal();
    let attempt = |number| AttemptId { run: state.run, number };
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (word, number) = line.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        let said = match word {
            "open" => {
                let entries = [Entry { kind: Kind::Budget, id: "b", start_ms: 5, length_ms: 0, amount: 100 }];
                let attempt = attempt(number);
                let opened =
                    Opened { attempt, call: 0, at_ms: 5, key: "", provider: "p", model: "m", entries: &entries };
                journal.open(&opened).is_ok()
            }
            "close" => {
                let outcome = Outcome::Charged { nano: number, tokens: 0 };
                journal.close(Closed { attempt: attempt(number), at_ms: 5, outcome });
                true
            }
            "flush" => store.flush().is_ok(),
            "waiting" => journal.statistics().closes_waiting == number,
            "failed" => journal.statistics().failures == number,
            "troubled" => !store.trouble().is_empty(),
            _ => (0..2_000_000).any(|_| {
                thread::yield_now();
                journal.statistics().fold_failures >= number
            }),
        };
        std::io::stderr().write_all(format!("{said}\n").as_bytes()).unwrap();
    }
    store.close().unwrap();
}

struct Process {
    id: u32,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStderr>,
}

impl Process {
    /// One that is told by an error, rather than ended by a signal, that a file may not grow.
    fn start(folder: &Path) -> Self {
        let script = "trap '' XFSZ; exec \"$0\" --exact the_process_with_the_full_disk --nocapture";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(env::current_exe().unwrap())
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stderr.take().unwrap()));
        Self { id: child.id(), child, input, output }
    }

    /// Whether it says so.
    fn ask(&mut self, what: &str) -> bool {
        self.input.write_all(format!("{what}\n").as_bytes()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    /// No file of its may be longer than this.
    fn limit_files(&self, limit: &str) {
        let (process, limit) = (self.id.to_string(), format!("--fsize={limit}:"));
        assert!(Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap().success());
    }

    fn end(self) {
        let Self { mut child, input, output, .. } = self;
        drop(input);
        let rest: Vec<_> = output.lines().map(Result::unwrap).collect();
        assert!(child.wait().unwrap().success(), "{rest:?}");
    }
}

#[test]
fn a_full_disk_refuses_what_is_new_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path());
    assert!(process.ask("open 1") && process.ask("open 2") && process.ask("open 3"));
    process.limit_files("1");
    assert!(!process.ask("open 4"), "there is no room");
    assert!(!process.ask("open 5"), "still not");
    assert!(process.ask("failed 2"));
    assert!(process.ask("close 1"));
    assert!(!process.ask("flush 0"));
    assert!(process.ask("fold_failures 1") && process.ask("troubled 0"));
    assert!(process.ask("waiting 1"));
    process.limit_files("unlimited");
    assert!(process.ask("open 6"), "there is room again");
    assert!(process.ask("close 6") && process.ask("flush 0"));
    assert!(process.ask("waiting 0"));
    process.end();
    let (store, state) = Store::open(folder.path(), 1_000_000).unwrap();
    assert_eq!(state.trouble, Vec::<String>::new());
    // 1 and 6 as they ended, 2 and 3 in full; 4 and 5 were never sent.
    assert_eq!((state.budgets[0].total_nano, state.abandoned.attempts), (1 + 6 + 200, 2));
    store.close().unwrap();
}

#[test]
fn a_disk_that_fills_in_mid_record_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path());
    assert!(process.ask("open 1"));
    // Room for a half more.
    let segment = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|ending| ending == "log")).max().unwrap();
    let length = std::fs::metadata(&segment).map(|file| file.len()).unwrap_or(100);
    process.limit_files(&(length + length / 2).to_string());
    assert!(!process.ask("open 2"));
    process.limit_files("unlimited");
    assert!(process.ask("open 3"));
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    let (_store, state) = Store::open(folder.path(), 1_000_000).unwrap();
    assert_eq!((state.budgets[0].total_nano, state.abandoned.attempts), (200, 2));
    assert_eq!(state.trouble, Vec::<String>::new());
}
