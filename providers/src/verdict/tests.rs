use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use policy::request::Dialect;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

/// One error of a vendor, as the vendor sends it, and what it means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// Where the shape is from.
    source: String,
    dialect: String,
    status: u16,
    headers: Headers,
    /// A string stands for itself, anything else for its JSON.
    body: Value,
    failure: String,
    retry_after_ms: Option<u64>,
    headroom: Option<u16>,
    #[serde(default)]
    now_unix_ms: u64,
    #[serde(default)]
    refuses_prefill: bool,
    /// The status that fits, for an error that came with 200.
    in_body_status: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
struct Headers(BTreeMap<String, String>);

impl Fields for Headers {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn each(&self, show: &mut dyn FnMut(&str, &str)) {
        self.0.iter().for_each(|(name, value)| show(name, value));
    }
}

impl Fixture {
    fn bytes(&self) -> Vec<u8> {
        self.body.as_str().map_or_else(|| self.body.to_string(), str::to_owned).into_bytes()
    }

    fn dialect(&self) -> Dialect {
        dialects().into_iter().find(|dialect| dialect.as_str() == self.dialect).unwrap()
    }
}

fn dialects() -> [Dialect; 3] {
    [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini]
}

fn fixtures() -> Vec<(PathBuf, String, Fixture)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/errors");
    let mut all = Vec::new();
    for vendor in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let name = vendor.file_name().unwrap().to_str().unwrap().to_owned();
        for path in fs::read_dir(&vendor).unwrap().map(|entry| entry.unwrap().path()) {
            let fixture = serde_json::from_slice(&fs::read(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            all.push((path, name.clone(), fixture));
        }
    }
    all
}

fn answer<'a>(vendor: &'a str, dialect: Dialect, status: u16, headers: &'a Headers, body: &'a [u8]) -> ErrorAnswer<'a> {
    ErrorAnswer { vendor, dialect, status, headers, body, now_unix_ms: 0 }
}

fn failure(status: u16, dialect: Dialect, body: &str) -> Failure {
    failure_of(&answer("openai", dialect, status, &Headers::default(), body.as_bytes()))
}

#[test]
fn every_fixture_failed_for_what_it_says() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 100, "{}", fixtures.len());
    for (path, vendor, fixture) in &fixtures {
        let path = path.display();
        assert!(!fixture.source.is_empty(), "{path}");
        let body = fixture.bytes();
        let mut answer = answer(vendor, fixture.dialect(), fixture.status, &fixture.headers, &body);
        answer.now_unix_ms = fixture.now_unix_ms;
        let failure = failure_of(&answer);
        assert_eq!(failure.as_str(), fixture.failure, "{path}");
        assert_eq!(failure.retry_after(), fixture.retry_after_ms.map(Duration::from_millis), "{path}");
        assert_eq!(headroom(&fixture.headers), fixture.headroom, "{path}");
        assert_eq!(refuses_prefill(&answer), fixture.refuses_prefill, "{path}");
        assert_eq!(fixture.status < 300, fixture.in_body_status.is_some(), "{path}");
        if let Some(status) = fixture.in_body_status {
            let error = VendorError::read(&body).unwrap();
            assert_eq!(failure_in_body(vendor, fixture.dialect(), &error), (failure, status), "{path}");
        }
    }
}

#[test]
fn the_fixtures_show_every_failure_that_an_answer_can_have() {
    let shown: BTreeSet<String> = fixtures().into_iter().map(|(_, _, fixture)| fixture.failure).collect();
    for failure in [
        Failure::CredentialRefused,
        Failure::NotForCredential,
        Failure::Throttled { retry_after: None },
        Failure::Unavailable { retry_after: None },
        Failure::BadAnswer,
        Failure::TooLong,
        Failure::Final,
    ] {
        assert!(shown.contains(failure.as_str()), "{failure:?}");
    }
}

#[test]
fn google_says_quota_of_a_rate_limit_and_openai_of_an_empty_account() {
    let text = "You exceeded your current quota, please check your plan and billing details.";
    let google = json!({"error": {"code": 429, "message": text, "status": "RESOURCE_EXHAUSTED"}}).to_string();
    let openai = json!({"error": {"message": text, "type": "insufficient_quota", "code": null}}).to_string();
    for dialect in [Dialect::Gemini, Dialect::OpenAi] {
        assert_eq!(failure(429, dialect, &google), Failure::Throttled { retry_after: None });
    }
    assert_eq!(failure(429, Dialect::OpenAi, &openai), Failure::CredentialRefused);
}

#[test]
fn a_code_that_tells_is_not_overruled_by_the_sentence() {
    let body = |code: Value| {
        json!({"error": {
            "message": "This model's maximum context length is 10 tokens.", "type": "invalid_request_error", "code": code,
        }})
        .to_string()
    };
    for code in [json!(null), json!(400), json!("3051"), json!("invalid_request_error"), json!("an invalid argument")] {
        assert_eq!(failure(400, Dialect::OpenAi, &body(code.clone())), Failure::TooLong, "{code}");
    }
    assert_eq!(failure(400, Dialect::OpenAi, &body(json!("unsupported_value"))), Failure::Final);
}

#[test]
fn a_policy_refusal_goes_nowhere_else() {
    let body = json!({"error": {"message": "m", "code": "content_filter", "type": "rate_limit_error"}}).to_string();
    for status in [400, 403, 404, 422, 451] {
        assert_eq!(failure(status, Dialect::OpenAi, &body), Failure::Final, "{status}");
    }
    let error = VendorError::read(&body.replace("rate_limit_error", "x").into_bytes()).unwrap();
    assert_eq!(failure_in_body("openai", Dialect::OpenAi, &error), (Failure::Final, 400));
}

#[test]
fn an_error_in_a_200_without_a_status_gets_the_one_that_fits() {
    let cases = [
        (json!({"error": {"message": "Key limit exceeded (daily)"}}), (Failure::CredentialRefused, 401)),
        (json!({"error": {"message": "The model `x` does not exist"}}), (Failure::NotForCredential, 404)),
        (json!({"error": {"type": "engine_overloaded_error"}}), (Failure::Unavailable { retry_after: None }, 503)),
        (
            json!({"error": {"message": "m", "code": "RateLimitReached"}}),
            (Failure::Throttled { retry_after: None }, 429),
        ),
        (json!({"error": {"message": "Prompt is too long"}}), (Failure::TooLong, 400)),
        (json!({"error": "no"}), (Failure::BadAnswer, 502)),
    ];
    for (body, expected) in cases {
        let error = VendorError::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(failure_in_body("openai", Dialect::OpenAi, &error), expected, "{body}");
    }
}

#[test]
fn a_200_without_an_error_is_a_bad_answer() {
    for body in ["", "{}", "<html>", "\u{1f}\u{8b}"] {
        assert_eq!(failure(200, Dialect::OpenAi, body), Failure::BadAnswer, "{body}");
    }
}

#[test]
fn a_packed_or_cut_off_body_is_judged_by_its_status() {
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let cut = br#"{"error":{"message":"prompt is too lo"#;
    let cases: [(u16, &[u8], &str); 5] = [
        (429, &packed, "throttled"),
        (404, &packed, "not_for_credential"),
        (404, cut, "refused"),
        (400, cut, "refused"),
        (503, cut, "unavailable"),
    ];
    for (status, body, expected) in cases {
        let failure = failure_of(&answer("anthropic", Dialect::Anthropic, status, &Headers::default(), body));
        assert_eq!(failure.as_str(), expected, "{status}");
    }
}

#[test]
fn a_header_overrules_the_body_and_the_body_the_resets() {
    let body = json!({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "32s"},
    ]}})
    .to_string();
    let resets = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "7s")];
    let with = |fields: &[(&str, &str)], body: &str| {
        let headers = Headers(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        let answer = answer("gemini", Dialect::Gemini, 429, &headers, body.as_bytes());
        assert_eq!(failure_of(&answer).retry_after(), retry_after(&headers, body.as_bytes(), 0));
        failure_of(&answer).retry_after().map(|wait| wait.as_secs())
    };
    assert_eq!(with(&resets, "{}"), Some(7));
    assert_eq!(with(&resets, &body), Some(32));
    let mut all = resets.to_vec();
    all.push(("retry-after", "2"));
    assert_eq!(with(&all, &body), Some(2));
    all.pop();
    all.push(("retry-after", "-2"));
    assert_eq!(with(&all, &body), Some(32));
}

#[test]
fn what_may_quote_a_credential_is_not_shown() {
    assert!(!is_safe_to_show(Failure::CredentialRefused, 400));
    assert!(!is_safe_to_show(Failure::NotForCredential, 403));
    assert!(is_safe_to_show(Failure::NotForCredential, 404));
    assert!(is_safe_to_show(Failure::Final, 403));
    assert!(is_safe_to_show(Failure::Throttled { retry_after: None }, 429));
    for (path, vendor, fixture) in fixtures() {
        let body = fixture.bytes();
        let failure = failure_of(&answer(&vendor, fixture.dialect(), fixture.status, &fixture.headers, &body));
        let text = String::from_utf8_lossy(&body);
        if ["sk-abcde", "xa***", "AIzaSy", "proj_abc"].iter().any(|secret| text.contains(secret)) {
            assert!(!is_safe_to_show(failure, fixture.status), "{}", path.display());
        }
    }
}

/// Words that errors are made of, so that random errors come upon all the branches.
fn error_body() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<String> = dialects()
        .into_iter()
        .flat_map(words_of)
        .flat_map(|words| words.codes.iter().chain(words.sentences))
        .flat_map(|(_, words)| words.iter().map(|word| word.replace('#', "12").replace('*', "x")))
        .collect();
    let word = || prop_oneof![Just(None), prop::sample::select(words.clone()).prop_map(Some), ".{0,12}".prop_map(Some)];
    let object = (word(), word(), word(), prop::option::of(0_u64..1_000)).prop_map(|(message, kind, code, status)| {
        json!({"error": {"message": message, "type": kind, "code": code, "status": status}}).to_string().into_bytes()
    });
    prop_oneof![3 => object, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn any_answer_has_a_failure_that_fits_its_status(
        status in prop_oneof![200_u16..600, any::<u16>()],
        body in error_body(),
        wait in ".{0,12}",
        vendor in prop_oneof![Just("openai"), Just("groq")],
    ) {
        let headers = Headers([("retry-after".to_owned(), wait)].into());
        for dialect in dialects() {
            let answer = answer(vendor, dialect, status, &headers, &body);
            let failure = failure_of(&answer);
            prop_assert!(!refuses_prefill(&answer) || matches!(status, 0..=299 | 400 | 422));
            prop_assert!(failure.retry_after().is_none_or(|wait| wait.as_secs() <= 86_400));
            let fits = match status {
                401 | 402 => failure == Failure::CredentialRefused,
                408 | 409 | 500..=599 => matches!(failure, Failure::Unavailable { .. }),
                429 => matches!(
                    failure,
                    Failure::Throttled { .. } | Failure::Unavailable { .. } | Failure::CredentialRefused
                ),
                400..=499 => failure != Failure::BadAnswer,
                0..=299 => true,
                _ => failure == Failure::BadAnswer,
            };
            prop_assert!(fits, "{status} {failure:?}");
        }
    }

    #[test]
    fn an_error_in_a_body_always_has_an_error_status(body in error_body()) {
        if let Some(error) = VendorError::read(&body) {
            for dialect in dialects() {
                let (_, status) = failure_in_body("openai", dialect, &error);
                prop_assert!((400..600).contains(&status), "{status}");
            }
        }
    }

    #[test]
    fn text_within_an_error_does_not_decide(
        before in "(Invalid value: |tools\\.0: |messages\\.1\\.content: |The model said: )['\"`]",
        dialect in prop::sample::select(dialects().to_vec()),
        index in any::<prop::sample::Index>(),
    ) {
        let sentences: Vec<&str> = words_of(dialect)
            .iter()
            .flat_map(|words| words.sentences.iter().flat_map(|(_, words)| *words))
            .copied()
            .collect();
        let quoted = sentences[index.index(sentences.len())].replace('#', "12").replace(['*', '$'], "x");
        let body = json!({"error": {"message": format!("{before}{quoted}"), "type": "invalid_request_error"}});
        prop_assert_eq!(failure(400, dialect, &body.to_string()), Failure::Final);
    }
}
