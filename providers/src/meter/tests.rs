use policy::usage::{ServiceTier, Usage, UsageSource};
use proptest::prelude::*;
use serde_json::json;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name)).as_slice()
    };
}

const CHAT: Operation = Operation::ChatCompletion;
const DEMAND: Demand = Demand {
    text_bytes: 400,
    images: 0,
    audio_bytes: 0,
    file_bytes: 0,
    unseen: false,
    max_output: None,
    limit_is_open: false,
    limit_is_assumed: false,
    prediction_bytes: 0,
    choices: 1,
    prompts: 1,
    searches: 0,
    tier_is_open: false,
    tier_is_named: false,
    is_fast: false,
    is_regional: false,
};
const NONE: Usage = Usage {
    input: 0,
    input_audio: 0,
    input_image: 0,
    cache_read: 0,
    cache_write: 0,
    cache_write_1h: 0,
    output: 0,
    reasoning: 0,
    output_audio: 0,
    output_image: 0,
    searches: 0,
    tier: ServiceTier::Standard,
    is_regional: false,
};

/// All that a meter tells of an answer.
#[derive(Debug, PartialEq)]
struct Told {
    usage: Usage,
    source: UsageSource,
    is_complete: bool,
    error: Option<StreamError>,
    client: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Case {
    dialect: Dialect,
    operation: Operation,
    stream: bool,
    hide: bool,
}

const fn case(dialect: Dialect, operation: Operation, stream: bool) -> Case {
    Case { dialect, operation, stream, hide: false }
}

impl Case {
    fn meter(self) -> Meter {
        Meter::new(self.dialect, self.operation, self.stream, self.hide)
    }

    fn feed<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Told {
        let mut meter = self.meter();
        let mut client = Vec::new();
        for piece in pieces {
            client.extend_from_slice(&meter.pass(Bytes::copy_from_slice(piece), false));
        }
        client.extend_from_slice(&meter.pass(Bytes::new(), true));
        assert_eq!(meter.delivered_bytes(), client.len() as u64);
        let Metered { usage, source } = meter.metered(&DEMAND, 0);
        Told { usage, source, is_complete: meter.is_complete(), error: meter.error_seen(), client }
    }

    /// Feeds an answer whole, cut at every byte and byte by byte; it must tell the same each time.
    fn feed_all(self, answer: &[u8]) -> Told {
        let told = self.feed([answer]);
        for cut in 1..answer.len() {
            let (head, tail) = answer.split_at(cut);
            assert_eq!(self.feed([head, tail]), told, "cut at {cut}");
        }
        assert_eq!(self.feed(answer.chunks(1)), told, "byte by byte");
        told
    }

    fn reports(self, answer: &[u8], usage: Usage) {
        let told = self.feed_all(answer);
        assert_eq!((told.usage, told.source), (usage, UsageSource::Reported));
        assert!(told.is_complete);
        assert_eq!(told.error, None);
        if !self.hide {
            assert_eq!(told.client, answer);
        }
    }
}

const OPENAI: Case = case(Dialect::OpenAi, CHAT, true);
const RESPONSES: Case = case(Dialect::OpenAi, Operation::Responses, true);
const ANTHROPIC: Case = case(Dialect::Anthropic, CHAT, true);
const GEMINI: Case = case(Dialect::Gemini, CHAT, true);

const fn whole(case: Case) -> Case {
    Case { stream: false, ..case }
}

#[test]
fn openai_totals_are_split_into_their_parts() {
    let usage = Usage {
        input: 36,
        cache_read: 1920,
        cache_write: 50,
        output: 172,
        reasoning: 128,
        tier: ServiceTier::Priority,
        ..NONE
    };
    whole(OPENAI).reports(fixture!("openai/chat.json"), usage);
    let completion = case(Dialect::OpenAi, Operation::TextCompletion, false);
    completion.reports(fixture!("openai/completion.json"), Usage { input: 5, output: 7, ..NONE });
    let embedding = case(Dialect::OpenAi, Operation::Embedding, false);
    embedding.reports(fixture!("openai/embedding.json"), Usage { input: 8, ..NONE });
}

#[test]
fn a_chat_answer_that_cites_the_web_made_one_search() {
    for (kind, searches) in [("url_citation", 1), ("file_citation", 0)] {
        let citation = json!({"type": kind, kind: {"url": "https://a.example/type", "title": "t", "end_index": 2}});
        let annotations = json!([citation, citation]);
        let message = json!({"role": "assistant", "content": "Hi", "annotations": annotations});
        let usage = json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7});
        let expected = Usage { input: 5, output: 2, searches, ..NONE };
        let document = json!({"choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": usage});
        whole(OPENAI).reports(document.to_string().as_bytes(), expected);
        let events = [
            json!({"choices": [{"index": 0, "delta": {"content": "Hi"}}]}),
            json!({"choices": [{"index": 0, "delta": {"annotations": annotations}}]}),
            json!({"choices": [{"index": 0, "delta": {"annotations": annotations}, "finish_reason": "stop"}]}),
            json!({"choices": [], "usage": usage}),
        ];
        let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        OPENAI.reports((stream + "data: [DONE]\n\n").as_bytes(), expected);
    }
}

#[test]
fn openai_streams_report_in_their_last_chunk() {
    OPENAI.reports(fixture!("openai/chat-stream.sse"), Usage { input: 19, output: 10, ..NONE });
    OPENAI.reports(fixture!("openai/chat-stream-tools.sse"), Usage { input: 80, output: 17, ..NONE });
    let completion = case(Dialect::OpenAi, Operation::TextCompletion, true);
    completion.reports(fixture!("openai/completion-stream.sse"), Usage { input: 5, output: 4, ..NONE });
}

#[test]
fn responses_report_in_their_terminal_event() {
    let usage = Usage {
        input: 16,
        cache_read: 1000,
        cache_write: 15,
        cache_write_1h: 5,
        output: 87,
        reasoning: 500,
        searches: 1,
        tier: ServiceTier::Flex,
        ..NONE
    };
    whole(RESPONSES).reports(fixture!("openai/responses.json"), usage);
    let streamed = Usage { searches: 2, tier: ServiceTier::Standard, ..usage };
    RESPONSES.reports(fixture!("openai/responses-stream.sse"), streamed);
}

#[test]
fn anthropic_reports_input_first_and_output_last() {
    let usage = Usage {
        input: 2095,
        cache_read: 1500,
        cache_write: 400,
        cache_write_1h: 300,
        output: 403,
        reasoning: 100,
        searches: 3,
        tier: ServiceTier::Priority,
        ..NONE
    };
    whole(ANTHROPIC).reports(fixture!("anthropic/message.json"), usage);
    ANTHROPIC
        .reports(fixture!("anthropic/message-stream.sse"), Usage { input: 25, cache_read: 10, output: 15, ..NONE });
    let tools = Usage { input: 10_682, output: 450, reasoning: 60, searches: 1, ..NONE };
    ANTHROPIC.reports(fixture!("anthropic/message-stream-tools.sse"), tools);
    let compacted = Usage { input: 203_000, output: 4_500, ..NONE };
    whole(ANTHROPIC).reports(fixture!("anthropic/message-compacted.json"), compacted);
}

#[test]
fn gemini_totals_are_split_by_modality() {
    let usage = Usage {
        input: 82,
        input_audio: 100,
        input_image: 58,
        cache_read: 1000,
        output: 90,
        reasoning: 60,
        searches: 2,
        tier: ServiceTier::Flex,
        ..NONE
    };
    whole(GEMINI).reports(fixture!("gemini/generate.json"), usage);
    let streamed = Usage { input: 11, output: 9, reasoning: 29, ..NONE };
    GEMINI.reports(fixture!("gemini/stream.sse"), streamed);
    GEMINI.reports(fixture!("gemini/stream.json"), streamed);
    GEMINI.reports(fixture!("gemini/image.sse"), Usage { input: 8, output_image: 1290, ..NONE });
    GEMINI.reports(fixture!("gemini/blocked.sse"), Usage { input: 7, ..NONE });
}

#[test]
fn a_price_class_that_nobody_knows_is_told_as_such() {
    let classes = [
        ("default", ServiceTier::Standard),
        ("auto", ServiceTier::Standard),
        ("on_demand", ServiceTier::Standard),
        ("scale", ServiceTier::Standard),
        ("flex", ServiceTier::Flex),
        ("fast", ServiceTier::Priority),
        ("ultrafast", ServiceTier::Ultrafast),
        ("of tomorrow", ServiceTier::Unknown),
    ];
    for (name, tier) in classes {
        let openai =
            format!(r#"{{"choices":[],"service_tier":"{name}","usage":{{"prompt_tokens":1,"completion_tokens":1}}}}"#);
        assert_eq!(whole(OPENAI).feed([openai.as_bytes()]).usage.tier, tier, "{name}");
        let gemini = format!(
            r#"{{"usageMetadata":{{"promptTokenCount":1,"candidatesTokenCount":1,"serviceTier":"{}"}}}}"#,
            name.to_uppercase()
        );
        assert_eq!(whole(GEMINI).feed([gemini.as_bytes()]).usage.tier, tier, "{name}");
    }
}

#[test]
fn fast_mode_and_region_are_as_reported_else_as_asked_for() {
    let asked = Demand { is_fast: true, is_regional: true, ..DEMAND };
    let cases = [
        (DEMAND, "", ServiceTier::Standard, false),
        (DEMAND, r#","speed":"fast","inference_geo":"us""#, ServiceTier::Fast, true),
        (DEMAND, r#","service_tier":"batch","inference_geo":"not_available""#, ServiceTier::Batch, false),
        (asked, "", ServiceTier::Fast, true),
        (asked, r#","speed":"standard","inference_geo":"global""#, ServiceTier::Standard, false),
    ];
    for (demand, told, tier, is_regional) in cases {
        let mut meter = whole(ANTHROPIC).meter();
        let answer = format!(r#"{{"type":"message","usage":{{"input_tokens":1,"output_tokens":2{told}}}}}"#);
        meter.pass(Bytes::from(answer), true);
        let Metered { usage, source } = meter.metered(&demand, 0);
        assert_eq!((usage.tier, usage.is_regional, source), (tier, is_regional, UsageSource::Reported), "{told}");
    }
    let mut cut = ANTHROPIC.meter();
    cut.pass(Bytes::from_static(b"event: ping\n"), true);
    let Metered { usage, .. } = cut.metered(&asked, 0);
    assert_eq!((usage.tier, usage.is_regional), (ServiceTier::Fast, true), "nobody says otherwise");
}

#[test]
fn gemini_embeddings_without_a_report_are_estimated() {
    let told = case(Dialect::Gemini, Operation::Embedding, false).feed_all(fixture!("gemini/embed.json"));
    assert_eq!((told.usage, told.source), (Usage { input: 100, ..NONE }, UsageSource::Estimated));
}

#[test]
fn a_client_that_did_not_ask_sees_no_usage() {
    let hidden = Case { hide: true, ..OPENAI };
    let pairs = [
        (fixture!("openai/chat-stream.sse"), fixture!("openai/chat-stream-unasked.sse"), 10),
        (fixture!("openai/chat-stream-tools.sse"), fixture!("openai/chat-stream-tools-unasked.sse"), 17),
    ];
    for (answer, expected, output) in pairs {
        let told = hidden.feed_all(answer);
        assert_eq!(String::from_utf8_lossy(&told.client), String::from_utf8_lossy(expected));
        assert_eq!((told.usage.output, told.source), (output, UsageSource::Reported));
    }
    let unasked = fixture!("openai/chat-stream-unasked.sse");
    assert_eq!(hidden.feed_all(unasked).client, unasked);
    // A document and an error go on as they are.
    assert_eq!(hidden.feed_all(fixture!("openai/chat.json")).client, fixture!("openai/chat.json"));
    let error = fixture!("openai/chat-stream-error.sse");
    assert_eq!(hidden.feed_all(error).client, error);
}

#[test]
fn only_what_usage_added_is_hidden() {
    let hidden = Case { hide: true, ..OPENAI };
    let cases = [
        // Usage with content is the vendor's own habit, not ours.
        (r#"{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#, None),
        (r#"{"id":"x" , "usage" : null , "choices":[]}"#, Some(r#"{"id":"x"  , "choices":[]}"#)),
        (r#"{ "usage":null, "choices":[{"usage":null}]}"#, Some(r#"{ "choices":[{"usage":null}]}"#)),
        (r#"{"usage":null}"#, Some("{}")),
        (r#"{"choices":[],"prompt_filter_results":[1]}"#, None),
        (
            r#"{"choices":[],"moderation":{},"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            Some(r#"{"choices":[],"moderation":{}}"#),
        ),
        ("not json", None),
        (r#"{"usage":null"#, None),
    ];
    for (data, expected) in cases {
        let stream = format!("id: 1\r\ndata: {data}\r\n\r\n: c\n\n");
        let expected = format!("id: 1\r\ndata: {}\r\n\r\n: c\n\n", expected.unwrap_or(data));
        let told = hidden.feed_all(stream.as_bytes());
        assert_eq!(String::from_utf8(told.client).unwrap(), expected, "{data}");
    }
}

#[test]
fn plain_streams_are_not_copied() {
    for (case, answer) in
        [(OPENAI, fixture!("openai/chat-stream.sse")), (ANTHROPIC, fixture!("anthropic/message-stream.sse"))]
    {
        let mut meter = case.meter();
        for piece in answer.chunks(100) {
            let chunk = Bytes::copy_from_slice(piece);
            let passed = meter.pass(chunk.clone(), false);
            assert_eq!((passed.as_ptr(), passed.len()), (chunk.as_ptr(), chunk.len()));
        }
    }
}

#[test]
fn errors_within_a_good_answer_are_seen() {
    let cases = [
        (OPENAI, fixture!("openai/chat-stream-error.sse"), Some("server_error"), Some(500)),
        (RESPONSES, fixture!("openai/responses-failed.sse"), None, Some(500)),
        (RESPONSES, fixture!("openai/responses-error.sse"), Some("error"), Some(429)),
        (ANTHROPIC, fixture!("anthropic/message-stream-error.sse"), Some("overloaded_error"), Some(529)),
        (ANTHROPIC, fixture!("anthropic/error.json"), Some("overloaded_error"), Some(529)),
        (whole(ANTHROPIC), fixture!("anthropic/error.json"), Some("overloaded_error"), Some(529)),
        (GEMINI, fixture!("gemini/stream-error.json"), Some("UNAVAILABLE"), Some(503)),
    ];
    for (case, answer, kind, status) in cases {
        let error = case.feed_all(answer).error.unwrap();
        assert_eq!((error.kind.as_deref(), error.status), (kind, status));
        let mut meter = case.meter();
        let _ = meter.pass(Bytes::copy_from_slice(answer), true);
        assert!(meter.has_content());
    }
}

#[test]
fn an_error_before_any_output_costs_nothing() {
    for (case, answer) in [
        (ANTHROPIC, fixture!("anthropic/error.json")),
        (GEMINI, fixture!("gemini/stream-error.json")),
        (RESPONSES, fixture!("openai/responses-error.sse")),
    ] {
        let told = case.feed_all(answer);
        assert_eq!((told.usage, told.source), (NONE, UsageSource::Estimated));
    }
    let told = OPENAI.feed_all(fixture!("openai/chat-stream-error.sse"));
    assert_eq!((told.usage, told.source), (Usage { input: 100, output: 2, ..NONE }, UsageSource::Estimated));
}

/// Which of a stream's blocks is the first that counts, from 1.
fn first_content(case: Case, answer: &[u8]) -> usize {
    let text = String::from_utf8(answer.to_vec()).unwrap().replace("\r\n", "\n");
    let mut meter = case.meter();
    text.split_inclusive("\n\n")
        .position(|block| {
            let _ = meter.pass(Bytes::copy_from_slice(block.as_bytes()), false);
            meter.has_content()
        })
        .unwrap()
        + 1
}

#[test]
fn content_begins_with_the_first_word() {
    let cases = [
        (OPENAI, fixture!("openai/chat-stream.sse"), 2),
        (OPENAI, fixture!("openai/chat-stream-tools.sse"), 2),
        (OPENAI, fixture!("openai/chat-stream-error.sse"), 2),
        (OPENAI, b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: [DONE]\n\n".as_slice(), 2),
        (RESPONSES, fixture!("openai/responses-stream.sse"), 4),
        (RESPONSES, fixture!("openai/responses-error.sse"), 2),
        (ANTHROPIC, fixture!("anthropic/message-stream.sse"), 4),
        (ANTHROPIC, fixture!("anthropic/message-stream-tools.sse"), 3),
        (GEMINI, fixture!("gemini/stream.sse"), 1),
        (GEMINI, fixture!("gemini/blocked.sse"), 1),
    ];
    for (case, answer, block) in cases {
        assert_eq!(first_content(case, answer), block, "{}", String::from_utf8_lossy(answer));
    }
    let mut meter = whole(OPENAI).meter();
    let _ = meter.pass(Bytes::from_static(b" \n"), false);
    assert!(!meter.has_content());
    let _ = meter.pass(Bytes::from_static(b" {"), false);
    assert!(meter.has_content() && !meter.is_complete());
}

/// What a meter tells of the first `blocks` of a stream.
fn cut_after(case: Case, answer: &[u8], blocks: usize) -> Told {
    let end = memchr::memmem::find_iter(answer, b"\n\n").nth(blocks - 1).unwrap() + 2;
    case.feed([answer.get(..end).unwrap()])
}

#[test]
fn a_cut_stream_is_charged_for_what_was_delivered() {
    let told = cut_after(OPENAI, fixture!("openai/chat-stream.sse"), 4);
    // "Zwölf", " Boxkämpfer \"jagen\"\n", "日本 😀": 24 ASCII bytes and 5 other characters.
    assert_eq!((told.usage, told.source), (Usage { input: 100, output: 11, ..NONE }, UsageSource::Estimated));
    assert!(!told.is_complete);

    let told = cut_after(RESPONSES, fixture!("openai/responses-stream.sse"), 7);
    assert_eq!((told.usage.output, told.source), (6, UsageSource::Estimated));

    // The one output token that message_start tells is a seed.
    let told = cut_after(ANTHROPIC, fixture!("anthropic/message-stream.sse"), 1);
    assert_eq!((told.usage, told.source), (Usage { input: 25, cache_read: 10, ..NONE }, UsageSource::Partial));
    let told = cut_after(ANTHROPIC, fixture!("anthropic/message-stream.sse"), 5);
    assert_eq!((told.usage.output, told.source), (7, UsageSource::Partial));

    let stream = String::from_utf8(fixture!("gemini/stream.sse").to_vec()).unwrap().replace("\r\n", "\n");
    let told = cut_after(GEMINI, stream.as_bytes(), 2);
    assert_eq!(
        (told.usage, told.source),
        (Usage { input: 11, output: 4, reasoning: 29, ..NONE }, UsageSource::Partial)
    );
}

#[test]
fn what_the_vendor_went_on_writing_is_added_to_estimates_only() {
    let mut meter = ANTHROPIC.meter();
    let answer = fixture!("anthropic/message-stream.sse");
    let (head, tail) = answer.split_at(answer.len() - 200);
    let _ = meter.pass(Bytes::copy_from_slice(head), false);
    let estimate = meter.output_estimate();
    assert_eq!(meter.metered(&DEMAND, 40).usage.output, estimate + 40);
    let _ = meter.pass(Bytes::copy_from_slice(tail), true);
    assert_eq!(meter.metered(&DEMAND, 40).usage.output, 15);
    assert!(meter.metered(&DEMAND, u64::MAX).usage.output == 15);
}

#[test]
fn a_document_that_is_cut_is_charged_for_its_text() {
    let answer = fixture!("openai/chat.json");
    let cut = memchr::memmem::find(answer, b"assist you").unwrap();
    let told = whole(OPENAI).feed([&answer[..cut]]);
    // The role and "Hello! How can I ".
    assert_eq!((told.usage, told.source), (Usage { input: 100, output: 7, ..NONE }, UsageSource::Estimated));
    assert!(!told.is_complete);
}

#[test]
fn work_in_the_background_is_not_settled() {
    let told = whole(RESPONSES).feed_all(fixture!("openai/responses-background.json"));
    assert_eq!(told.source, UsageSource::Abandoned);
}

#[test]
fn an_explicit_zero_is_zero_and_null_is_nothing() {
    let report = |usage: serde_json::Value| {
        let answer = json!({"choices": [{"message": {"content": "12345678"}}], "usage": usage}).to_string();
        let told = whole(OPENAI).feed([answer.as_bytes()]);
        (told.usage, told.source)
    };
    let estimated = (Usage { input: 100, output: 2, ..NONE }, UsageSource::Estimated);
    let zero = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    assert_eq!(report(zero), (NONE, UsageSource::Reported));
    assert_eq!(report(serde_json::Value::Null), estimated);
    assert_eq!(report(json!({})), estimated);
    let half = report(json!({"prompt_tokens": 7}));
    assert_eq!(half, (Usage { input: 7, output: 2, ..NONE }, UsageSource::Partial));
    let nulls = report(json!({"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": null}));
    assert_eq!(nulls, (Usage { input: 7, output: 3, ..NONE }, UsageSource::Reported));
}

#[test]
fn figures_that_are_none_are_not_believed() {
    let report = |count: &str| {
        let answer = format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{count},"completion_tokens":3}}}}"#);
        let told = whole(OPENAI).feed([answer.as_bytes()]);
        (told.usage.input, told.source)
    };
    assert_eq!(report("12.0"), (12, UsageSource::Reported));
    for count in ["-1", "12.5", "\"12\"", "1e30", "99999999999999999999", "18446744073709551615", "[]", "{}", "true"] {
        assert_eq!(report(count), (100, UsageSource::Estimated), "{count}");
    }
    for usage in ["[]", "12", "\"x\"", "{\"prompt_tokens\":1,\"prompt_tokens\":2}", "{\"prompt_tokens_details\":[1]}"] {
        let answer = format!(r#"{{"usage":{usage}}}"#);
        assert_eq!(whole(OPENAI).feed([answer.as_bytes()]).source, UsageSource::Estimated, "{usage}");
    }
}

#[test]
fn details_never_sum_up_to_more_than_their_total() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 8, "image_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 9}});
    let told = whole(OPENAI).feed([json!({"usage": usage}).to_string().as_bytes()]);
    assert_eq!((told.usage.input_total(), told.usage.output_total()), (10, 5));
    assert_eq!((told.usage.cache_read, told.usage.input_audio), (8, 2));
    // Reasoning that only the total tells of is output too.
    let apart = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115,
        "completion_tokens_details": {"reasoning_tokens": 100}});
    let told = whole(OPENAI).feed([json!({"usage": apart}).to_string().as_bytes()]);
    assert_eq!((told.usage.output, told.usage.reasoning), (5, 100));
}

#[test]
fn an_answer_in_a_form_that_was_not_asked_for_is_metered() {
    let document = OPENAI.feed_all(fixture!("openai/chat.json"));
    assert_eq!((document.usage.cache_read, document.source), (1920, UsageSource::Reported));
    let html = OPENAI.feed_all(b"<html>busy</html>");
    assert_eq!((html.is_complete, html.source), (false, UsageSource::Estimated));
    let html = whole(OPENAI).feed_all(b"<html>busy</html>");
    assert_eq!((html.is_complete, html.source), (false, UsageSource::Estimated));
}

#[test]
fn events_of_any_length_are_metered() {
    let image = "A".repeat(3_000_000);
    let chunk = format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{"inlineData":{{"data":"{image}"}}}}]}},"finishReason":"STOP"}}],"usageMetadata":{{"promptTokenCount":8,"candidatesTokenCount":1290}}}}"#
    );
    let completed = format!(
        r#"{{"type":"response.completed","response":{{"output":[{{"result":"{image}"}}],"usage":{{"input_tokens":8,"output_tokens":1290}}}}}}"#
    );
    let cases = [
        (GEMINI, format!("data: {chunk}\r\n\r\n")),
        (GEMINI, format!("[{chunk}]")),
        (whole(GEMINI), chunk.clone()),
        (RESPONSES, format!("event: response.completed\ndata: {completed}\n\n")),
    ];
    for (case, answer) in cases {
        for size in [16_000, 5_000_000] {
            let told = case.feed(answer.as_bytes().chunks(size));
            let expected = (Usage { input: 8, output: 1290, ..NONE }, UsageSource::Reported, true);
            assert_eq!((told.usage, told.source, told.is_complete), expected, "{:.40} by {size}", answer);
            assert!(told.client == answer.as_bytes());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
        which in 0_usize..6,
        hide in any::<bool>(),
    ) {
        let cases = [OPENAI, RESPONSES, ANTHROPIC, GEMINI, whole(OPENAI), whole(GEMINI)];
        let told = Case { hide, ..cases[which] }.feed(pieces.iter().map(Vec::as_slice));
        prop_assert_eq!(told.client, pieces.concat());
    }

    #[test]
    fn no_broken_event_makes_it_panic(at in 0_usize..3_000, byte in any::<u8>(), which in 0_usize..4) {
        let (case, answer) = [
            (Case { hide: true, ..OPENAI }, fixture!("openai/chat-stream.sse")),
            (RESPONSES, fixture!("openai/responses-stream.sse")),
            (ANTHROPIC, fixture!("anthropic/message-stream-tools.sse")),
            (GEMINI, fixture!("gemini/stream.json")),
        ][which];
        let mut answer = answer.to_vec();
        let at = at % answer.len();
        answer[at] = byte;
        let told = case.feed([answer.as_slice()]);
        prop_assert_eq!(case.feed(answer.chunks(7)), told);
    }

    #[test]
    fn any_figures_add_up(prompt in 0_u64..1_000_000, details in prop::array::uniform4(0_u64..2_000_000), output in 0_u64..1_000_000) {
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": output,
            "prompt_tokens_details": {"cached_tokens": details[0], "audio_tokens": details[1], "cache_write_tokens": details[2]},
            "completion_tokens_details": {"reasoning_tokens": details[3]}});
        let told = whole(OPENAI).feed([json!({"usage": usage}).to_string().as_bytes()]);
        prop_assert_eq!((told.usage.input_total(), told.usage.output_total()), (prompt, output));
    }
}
