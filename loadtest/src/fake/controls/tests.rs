use super::*;

#[test]
fn suffixes_are_read_and_the_name_is_free() {
    let controls = Controls::parse("ft:gpt-4o=x:org~words=200~delay_ms=5~crlf~huge_header").unwrap();
    assert_eq!(controls.words, 200);
    assert_eq!(controls.delay, Duration::from_millis(5));
    assert!(controls.crlf);
    assert_eq!(controls.huge_header, Some(70_000));
}

#[test]
fn a_typo_is_an_error() {
    for model in ["m~wrds=3", "m~words", "m~words=x", "m~crlf=1", "m~status=70000", "m~"] {
        assert!(Controls::parse(model).is_err(), "{model}");
    }
}

#[test]
fn every_fault_can_be_named_and_taken_away() {
    let all = "m~error=quota~noanswer~hangup_before_header~hangup_after=1~goaway_after=1~drain_after=1~silent_after=1~silent_ms=1\
               ~first_token_delay_ms=1~trickle_ms=1~nodone~nofinish~gzip_bomb=1~length_over=1~length_under=1~status=500~error_200\
               ~reset_before_header~reset_after=1~cut_after=1~stall_after=1~error_after=1~garbage_after=1";
    for fault in all.split('~').skip(1) {
        let mut controls = Controls::parse(&format!("m~{fault}")).unwrap();
        assert!(controls.has_fault(), "{fault}");
        controls.spare();
        assert!(!controls.has_fault(), "{fault}");
    }
    let manner = "m~words=3~words_seed=1~diverge_at=1~failfirst=1~failevery=2~failchance=3~failseed=4~badkey=x~noprefill~by_tokens\
                  ~headroom=5~retry_after=1~retry_after_ms=2~retry_after_date=3~delay_ms=1~nousage";
    assert!(!Controls::parse(manner).unwrap().has_fault());
}

#[test]
fn who_fails_is_counted_or_thrown() {
    let named = |whom: Whom| (1..=1_000).filter(|n| whom.names(*n)).count();
    assert_eq!(named(Whom { first: 3, every: 100, ..Whom::default() }), 13);
    assert!(Whom { every: 100, ..Whom::default() }.names(100));
    let (one, other) = (Whom { chance: 10, ..Whom::default() }, Whom { chance: 10, seed: 5_000, ..Whom::default() });
    for whom in [one, other] {
        assert!((2..30).contains(&named(whom)), "{}", named(whom));
    }
    assert!((1..=1_000).any(|n| one.names(n) != other.names(n)));
    assert_eq!((named(Whom { chance: 1_000, ..Whom::default() }), named(Whom::default())), (1_000, 0));
}
