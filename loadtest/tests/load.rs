//! The load driver from end to end, the bare pass-through standing in for the gateway as well. Too short to measure anything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use loadtest::load::{GatewayCommand, Options, run};

fn options(path: &str) -> Options {
    let bare = PathBuf::from(env!("CARGO_BIN_EXE_bare-proxy"));
    let args = ["--listen", "{listen}", "--upstream", "{upstream}", "--threads", "{threads}"];
    let args = args.map(str::to_owned).to_vec();
    let gateway = GatewayCommand { program: bare.clone(), args, env: Vec::new(), config: None };
    Options {
        bare,
        gateway: Some(gateway),
        threads: vec![1],
        quick: false,
        budget: Duration::from_secs(3),
        rounds: 2,
        connections: 4,
        path: path.to_owned(),
        model: "gpt-4o".to_owned(),
        key: Some("sk-test".to_owned()),
        headers: vec!["x-extra: 1".to_owned()],
        load_cpus: None,
        proxy_cpus: None,
        max_foreign_cores: f64::INFINITY,
    }
}

#[test]
fn a_run_reports_every_scenario_and_admits_that_it_was_too_short() {
    let outcome = run(&options("/v1/chat/completions")).unwrap();
    assert!(outcome.is_too_noisy);
    for row in
        ["1 KB chat | bare Pingora", "100 KB chat | Tollgate", "paced stream | Tollgate", "burst stream | Tollgate"]
    {
        assert!(outcome.markdown.contains(row), "{row} is missing in\n{}", outcome.markdown);
    }
}

#[test]
fn a_wrong_answer_fails_the_run() {
    let failure = run(&options("/v1/nothing")).unwrap_err();
    assert!(format!("{failure:#}").contains("status 404"), "{failure:#}");
}
