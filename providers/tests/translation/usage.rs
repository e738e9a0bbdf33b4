//! What is metered on the vendor's bytes is what is metered on the client's.

use bytes::Bytes;
use policy::demand::Demand;
use policy::usage::{Metered, Usage};
use proptest::prelude::*;
use providers::meter::Meter;
use providers::translate::Wire;

use crate::support::{CLIENTS, Kind, VENDORS, answered, call, fixtures, streamed, text};

fn metered(wire: Wire, bytes: &[u8], is_stream: bool) -> Metered {
    let (dialect, operation) = call(wire);
    let mut meter = Meter::new(dialect, operation, is_stream, false);
    meter.pass(Bytes::copy_from_slice(bytes), true);
    meter.metered(&Demand::default(), 0)
}

/// What every format has a place for.
fn totals(usage: &Usage) -> [u64; 2] {
    [usage.input_total(), usage.output_total()]
}

/// What was read from the cache and thought, where the client's format has a place for it.
fn parts(usage: &Usage, client: Wire) -> [u64; 3] {
    let writes = usage.cache_write + usage.cache_write_1h;
    let has_writes = client != Wire::Generate;
    [usage.cache_read, usage.reasoning, if has_writes { writes } else { 0 }]
}

fn check(client: Wire, vendor: Wire, answer: &[u8], is_stream: bool) -> Result<(), String> {
    let told = if is_stream { streamed(client, vendor, [answer]) } else { answered(client, vendor, answer) }?;
    let (before, after) = (metered(vendor, answer, is_stream), metered(client, &told, is_stream));
    let same = totals(&before.usage) == totals(&after.usage)
        && parts(&before.usage, client) == parts(&after.usage, client)
        && before.source == after.source;
    if same { Ok(()) } else { Err(format!("\n  {before:?}\n  {after:?}")) }
}

#[test]
fn fixtures_are_metered_the_same_on_both_sides() {
    let mut problems = Vec::new();
    for kind in [Kind::Answer, Kind::Stream] {
        for fixture in fixtures(kind).into_iter().filter(|fixture| fixture.wire != Wire::Completions) {
            let reports = ["prompt_tokens", "input_tokens", "promptTokenCount"];
            let is_reported = reports.iter().any(|name| text(&fixture.bytes).contains(name));
            let is_error =
                text(&fixture.bytes).contains("\"error\":{") || text(&fixture.bytes).contains("\"error\": {");
            if !is_reported || is_error {
                continue;
            }
            for client in CLIENTS.into_iter().filter(|client| *client != fixture.wire) {
                if let Err(problem) = check(client, fixture.wire, &fixture.bytes, kind == Kind::Stream) {
                    problems.push(format!("{} to {client:?}: {problem}", fixture.name()));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What a vendor may report: the parts are within the totals.
#[derive(Clone, Copy, Debug)]
struct Figures {
    input: u64,
    cached: u64,
    written: u64,
    output: u64,
    thought: u64,
}

fn figures() -> impl Strategy<Value = Figures> {
    let count = || prop_oneof![Just(0), 0_u64..5_000, 0_u64..10_000_000_000];
    (count(), count(), count(), count(), count()).prop_map(|(input, cached, written, output, thought)| Figures {
        input,
        cached,
        written,
        output,
        thought,
    })
}

impl Figures {
    fn report(self, wire: Wire) -> String {
        let Self { input, cached, written, output, thought } = self;
        let (all_in, all_out) = (input + cached + written, output + thought);
        let total = all_in + all_out;
        match wire {
            Wire::Chat | Wire::Completions => format!(
                r#"{{"prompt_tokens":{all_in},"completion_tokens":{all_out},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":{written}}},"completion_tokens_details":{{"reasoning_tokens":{thought}}}}}"#
            ),
            Wire::Responses => format!(
                r#"{{"input_tokens":{all_in},"output_tokens":{all_out},"total_tokens":{total},"input_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":{written}}},"output_tokens_details":{{"reasoning_tokens":{thought}}}}}"#
            ),
            Wire::Messages => format!(
                r#"{{"input_tokens":{input},"cache_read_input_tokens":{cached},"cache_creation_input_tokens":{written},"output_tokens":{all_out},"output_tokens_details":{{"thinking_tokens":{thought}}}}}"#
            ),
            Wire::Generate => format!(
                r#"{{"promptTokenCount":{},"cachedContentTokenCount":{cached},"candidatesTokenCount":{output},"thoughtsTokenCount":{thought},"totalTokenCount":{}}}"#,
                input + cached,
                input + cached + all_out
            ),
        }
    }

    fn document(self, wire: Wire) -> String {
        let report = self.report(wire);
        match wire {
            Wire::Chat | Wire::Completions => format!(
                r#"{{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hi"}},"finish_reason":"stop"}}],"usage":{report}}}"#
            ),
            Wire::Responses => format!(
                r#"{{"id":"resp_1","object":"response","created_at":1,"model":"m","status":"completed","output":[{{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{{"type":"output_text","text":"Hi","annotations":[]}}]}}],"usage":{report}}}"#
            ),
            Wire::Messages => format!(
                r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"Hi"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{report}}}"#
            ),
            Wire::Generate => format!(
                r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"text":"Hi"}}]}},"finishReason":"STOP","index":0}}],"usageMetadata":{report},"modelVersion":"m","responseId":"r"}}"#
            ),
        }
    }

    fn stream(self, wire: Wire) -> String {
        let report = self.report(wire);
        match wire {
            Wire::Chat | Wire::Completions => format!(
                concat!(
                    r#"data: {{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{{"role":"assistant","content":"Hi"}},"finish_reason":null}}]}}"#,
                    "\n\n",
                    r#"data: {{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]}}"#,
                    "\n\n",
                    r#"data: {{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{report}}}"#,
                    "\n\ndata: [DONE]\n\n"
                ),
                report = report
            ),
            Wire::Responses => format!(
                concat!(
                    r#"data: {{"type":"response.created","sequence_number":0,"response":{{"id":"resp_1","object":"response","created_at":1,"model":"m","status":"in_progress","output":[]}}}}"#,
                    "\n\n",
                    r#"data: {{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{{"id":"msg_1","type":"message","role":"assistant","status":"in_progress","content":[]}}}}"#,
                    "\n\n",
                    r#"data: {{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{{"type":"output_text","text":"","annotations":[]}}}}"#,
                    "\n\n",
                    r#"data: {{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hi"}}"#,
                    "\n\n",
                    r#"data: {{"type":"response.completed","sequence_number":4,"response":{document}}}"#,
                    "\n\n"
                ),
                document = self.document(Wire::Responses)
            ),
            Wire::Messages => format!(
                concat!(
                    r#"data: {{"type":"message_start","message":{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{report}}}}}"#,
                    "\n\n",
                    r#"data: {{"type":"content_block_start","index":0,"content_block":{{"type":"text","text":""}}}}"#,
                    "\n\n",
                    r#"data: {{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"Hi"}}}}"#,
                    "\n\n",
                    r#"data: {{"type":"content_block_stop","index":0}}"#,
                    "\n\n",
                    r#"data: {{"type":"message_delta","delta":{{"stop_reason":"end_turn","stop_sequence":null}},"usage":{report}}}"#,
                    "\n\n",
                    r#"data: {{"type":"message_stop"}}"#,
                    "\n\n"
                ),
                report = report
            ),
            Wire::Generate => format!(
                "data: {}\n\ndata: {}\n\n",
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"H"}]},"index":0}],"modelVersion":"m","responseId":"r"}"#,
                self.document(Wire::Generate)
            ),
        }
    }
}

proptest! {
    #[test]
    fn any_figures_are_metered_the_same_on_both_sides(figures in figures()) {
        for vendor in VENDORS {
            // Gemini leaves out what is zero: a report without anything is none.
            let figures = if vendor == Wire::Generate { Figures { input: figures.input + 1, written: 0, ..figures } } else { figures };
            for client in CLIENTS.into_iter().filter(|client| *client != vendor) {
                for (answer, is_stream) in [(figures.document(vendor), false), (figures.stream(vendor), true)] {
                    let checked = check(client, vendor, answer.as_bytes(), is_stream);
                    prop_assert!(checked.is_ok(), "{vendor:?} to {client:?}: {}", checked.unwrap_err());
                }
            }
        }
    }
}
