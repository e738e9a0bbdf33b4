use bytes::Bytes;

use super::*;
use crate::hub::Wire;
use crate::hub::delta::{Delta, Opened};
use crate::hub::sink::Sink;
use crate::sse::{Decoder, Event, Item};
use crate::translate::{Context, Translation};

/// The deltas of a stream, each in a short line.
fn told(stream: &str) -> Vec<String> {
    let mut reader = StreamReader::default();
    let mut lines = Vec::new();
    let mut decoder = Decoder::default();
    let mut each = |delta: Delta<'_>| lines.push(line(&delta));
    let mut take = |item: Item<'_>| {
        if let Item::Event(Event { data: Some(data), .. }) = item {
            reader.event(std::str::from_utf8(&data).unwrap(), &mut each).unwrap();
        }
    };
    decoder.push(stream.as_bytes(), &mut take);
    decoder.finish(&mut take);
    reader.finish(&mut each);
    lines
}

fn line(delta: &Delta<'_>) -> String {
    match delta {
        Delta::Head(head) => format!("head {}", head.id.as_ref().map_or("-", |id| id.raw())),
        Delta::Open { at, part } => format!("{}.{} {}", at.candidate, at.part, opened(part)),
        Delta::Text { text, .. } => format!("  {}", text.raw()),
        Delta::Signature { signature, .. } => format!("  proof {}", signature.raw()),
        Delta::Citation { citation, .. } => {
            format!("  rests on {} {:?}", citation.url.as_ref().unwrap().raw(), citation.range)
        }
        Delta::Logprobs { logprobs, .. } => format!("  {} {}", logprobs[0].token.raw(), logprobs[0].logprob.raw()),
        Delta::Close { .. } => "  .".to_owned(),
        Delta::Stop { candidate, stop } => format!("{candidate} {stop:?}"),
        Delta::Usage(usage) => format!("usage {}+{}", usage.input_total(), usage.output_total()),
        Delta::End => "end".to_owned(),
        Delta::Error(error) => format!("error {} {:?}", error.message, error.status),
    }
}

fn opened(part: &Opened<'_>) -> String {
    match part {
        Opened::Text => "text".to_owned(),
        Opened::Refusal => "refusal".to_owned(),
        Opened::ToolCall { id, name } => format!("call {} {}", id.as_ref().map_or("-", |id| id.raw()), name.raw()),
        Opened::Reasoning { is_summary, .. } => if *is_summary { "summary" } else { "thought" }.to_owned(),
        Opened::Whole(part) => format!("{part:?}"),
    }
}

/// What a fixture tells, line by line.
fn tells(name: &str, lines: &str) {
    assert_eq!(told(&fixture(&format!("{name}.stream.sse"))).join("|"), lines, "{name}");
}

#[test]
fn openais_streams_are_read() {
    tells(
        "plain",
        "head chatcmpl-123|0.0 text|  Zwölf|   Boxkämpfer \\\"jagen\\\"\\n|  日本 😀|usage 19+10|  .|0 End|end",
    );
    tells(
        "tools",
        "head chatcmpl-123|0.0 call call_a get_weather|  {\\\"ci|  ty\\\":\\\"Paris\\\"}|  .|0.1 call call_b now|  {}|usage 19+10|  .|0 Tools|end",
    );
    tells("logprobs", "head chatcmpl-123|0.0 text|  Hi|  Hi -0.25|  !|  ! -1.5|  .|0 Length|end");
    tells("choices", "head chatcmpl-123|0.0 text|  Ja|1.0 text|  Nein|  .|  !|  .|0 End|  .|1 End|end");
    tells("refusal", "head chatcmpl-123|0.0 refusal|  I'm sorry|  , no.|  .|0 Refusal|end");
    tells(
        "search",
        "head chatcmpl-123|0.0 text|  Es schneit|   (orf.at).|  rests on https://orf.at/wetter Some((11, 19))|  .|0 End|end",
    );
}

#[test]
fn the_streams_of_others_are_read() {
    tells(
        "deepseek",
        "head 9f3c|0.0 thought|  Compare|   both.|  .|0.1 text|  9.11|   < 9.8|usage 18+30|  .|0 End|end",
    );
    tells(
        "openrouter",
        "head gen-1764600000-abc|0.0 thought|  The user|   asks.|  proof EuYBCkYICh==|  .|0.1 text|  I look.|  .|0.2 call toolu_01 now|  {}|usage 500+60|  .|0 Tools|end",
    );
    tells(
        "groq",
        "head chatcmpl-g|0.0 thought|  Hm.|  .|0.1 call fc_1 now|  {}|  .|0.2 call fc_2 add|  {\\\"a\\\":1}|usage 50+20|  .|0 Tools|end",
    );
    tells("mistral-thinking", "head cmpl-m|0.0 thought|  Two and|   two.|  .|0.1 text|  4|usage 10+15|  .|0 End|end");
    tells(
        "perplexity",
        "head pplx-1|0.0 text|  It|usage 26+1|   snows[1].|usage 26+3|usage 26+3|  rests on https://example.org/a None|  .|0 End|end",
    );
    tells(
        "ollama-tools",
        "head chatcmpl-o|0.0 thought|  Hm.|  .|0.1 call call_1 now|  {}|  .|0.2 call call_2 now|  {}|  .|0 Tools|end",
    );
    tells("azure", "head chatcmpl-az|0.0 text|  Hallo|  .|0 End|end");
    tells(
        "gemini-signed",
        "head gm1|0.0 call function-call-1 now|  {}|  proof CtUDAVSoXO4=|usage 10+5|usage 10+5|  .|0 Tools|end",
    );
}

#[test]
fn streams_that_fail_have_no_end() {
    tells(
        "error",
        "head chatcmpl-123|0.0 text|  Es|error The server had an error while processing your request. Sorry about that! Some(500)",
    );
    tells(
        "openrouter-error",
        "head gen-1764600000-abc|0.0 text|  He|error Provider disconnected unexpectedly Some(500)",
    );
    tells("cut", "head chatcmpl-123|0.0 text|  Es");
    let vllm = "data: {\"object\":\"error\",\"message\":\"too long\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}\n\n";
    assert_eq!(told(vllm), ["error too long Some(400)"]);
}

#[test]
fn calls_are_told_apart_however_they_are_numbered() {
    let calls = |pieces: &[&str]| {
        let chunks = pieces
            .iter()
            .map(|piece| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{piece}]}}}}]}}\n\n"));
        let lines = told(&(chunks.collect::<String>() + "data: [DONE]\n\n"));
        lines[1..lines.len() - 3].join("|")
    };
    let both = "0.0 call a f|  1|  2|  .|0.1 call b g|  3";
    let f = r#""function":{"name":"f","arguments":"1"}"#;
    let g = r#""function":{"name":"g","arguments":"3"}"#;
    let more = r#""function":{"arguments":"2"}"#;
    for (pieces, expected) in [
        ([format!(r#"{{"id":"a",{f}}}"#), format!("{{{more}}}"), format!(r#"{{"id":"b",{g}}}"#)], both),
        (
            [
                format!(r#"{{"index":0,"id":"a",{f}}}"#),
                r#"{"index":0,"id":"a","function":{"name":"f","arguments":"2"}}"#.to_owned(),
                format!(r#"{{"index":0,"id":"b",{g}}}"#),
            ],
            both,
        ),
        (
            [
                format!(r#"{{"index":0,"id":"a",{f}}}"#),
                format!(r#"{{"index":0,"id":"",{more}}}"#),
                format!(r#"{{"index":1,"id":"b",{g}}}"#),
            ],
            both,
        ),
        (
            [r#"{"index":0,"id":"a"}"#.to_owned(), format!(r#"{{"index":0,{f}}}"#), format!(r#"{{"index":0,{more}}}"#)],
            "0.0 call a f|  1|  2",
        ),
    ] {
        assert_eq!(calls(&[&pieces[0], &pieces[1], &pieces[2]]), expected, "{pieces:?}");
    }
}

/// What the choices of a stream tell between head and end, line by line.
fn told_of(choices: &[&str]) -> String {
    let chunks = choices.iter().map(|choice| format!("data: {{\"choices\":[{choice}]}}\n\n"));
    let lines = told(&(chunks.collect::<String>() + "data: [DONE]\n\n"));
    lines[1..lines.len() - 1].join("|")
}

const HALF: &str = r#"{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"b\":"}}]}}"#;
const REST: &str = r#"{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"}\"}"}}]}}"#;
const NEXT: &str = r#"{"delta":{"tool_calls":[{"index":1,"id":"c","function":{"name":"g","arguments":"{"}}]}}"#;
const LAST: &str = r#"{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}}]}}"#;
const CALL: &str = r#"0.0 call a f|  {\"b\":|  \"}\"}|  .|"#;

#[test]
fn what_comes_between_a_calls_pieces_waits_until_it_is_whole() {
    let text = r#"{"delta":{"content":"\n"}}"#;
    let note = r#"{"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://x/y"}}]}}"#;
    let sorry = r#"{"delta":{"refusal":"no"}}"#;
    for (choices, behind) in [
        (vec![HALF, NEXT, REST, LAST], r"0.1 call c g|  {|  }|  .|0 Tools"),
        (vec![HALF, NEXT, LAST, REST], r"0.1 call c g|  {|  }|  .|0 Tools"),
        (vec![HALF, text, REST], r"0.1 text|  \n|  .|0 Tools"),
        (vec![HALF, text, REST, text], r"0.1 text|  \n|  \n|  .|0 Tools"),
        (
            vec![HALF, text, note, NEXT, REST, text, LAST],
            r"0.1 text|  \n|  rests on https://x/y None|  .|0.2 call c g|  {|  }|  .|0.3 text|  \n|  .|0 Tools",
        ),
        (vec![HALF, sorry, REST], "0.1 refusal|  no|  .|0 Tools"),
    ] {
        assert_eq!(told_of(&choices), format!("{CALL}{behind}"), "{choices:?}");
    }
}

#[test]
fn what_follows_a_whole_call_does_not_wait() {
    let mut reader = StreamReader::default();
    let mut lines = Vec::new();
    for choice in [HALF, REST, NEXT, LAST, r#"{"delta":{"content":"x"}}"#] {
        reader.event(&format!(r#"{{"choices":[{choice}]}}"#), &mut |delta| lines.push(line(&delta))).unwrap();
    }
    assert_eq!(lines[1..].join("|"), format!(r"{CALL}0.1 call c g|  {{|  }}|  .|0.2 text|  x"));
}

#[test]
fn more_arguments_than_one_object_are_refused() {
    let mut reader = StreamReader::default();
    let mut event = |choice: &str| reader.event(&format!(r#"{{"choices":[{choice}]}}"#), &mut |_| {});
    for choice in [HALF, REST, NEXT, &REST.replace(r#"\"}\"}"#, " ")] {
        event(choice).unwrap();
    }
    assert!(event(REST).is_err());
}

#[test]
fn log_probabilities_of_calls_and_thoughts_have_no_place() {
    let likely = |choice: &str| {
        choice.replacen('{', r#"{"logprobs":{"content":[{"token":"t","logprob":-0.5,"bytes":null}]},"#, 1)
    };
    let (half, rest) = (likely(HALF), likely(REST));
    let text = likely(r#"{"delta":{"content":"x"}}"#);
    let thought = likely(r#"{"delta":{"reasoning_content":"hm"}}"#);
    assert_eq!(told_of(&[&half, &rest]), format!("{CALL}0 Tools"));
    assert_eq!(told_of(&[&half, &likely(r#"{"delta":{}}"#), &rest]), format!("{CALL}0 Tools"));
    assert_eq!(
        told_of(&[&thought, &text, &half, &rest]).replace("0.2", "0.0"),
        format!("0.0 thought|  hm|  .|0.1 text|  x|  t -0.5|  .|{CALL}0 Tools")
    );
}

fn context() -> Context {
    Context { request_id: "req-1".to_owned(), model: "m".to_owned(), now_s: 7, wants_usage: true, ..Context::default() }
}

fn passed(stream: &[u8], context: Context, size: usize) -> String {
    let mut through = Translation::between(Wire::Chat, Wire::Chat).stream(context);
    let mut out = Vec::new();
    for piece in stream.chunks(size) {
        out.extend_from_slice(&through.pass(piece, false).unwrap());
    }
    out.extend_from_slice(&through.pass(&[], true).unwrap());
    String::from_utf8(out).unwrap()
}

#[test]
fn what_was_written_reads_the_same() {
    for name in fixtures(".stream.sse") {
        let stream = fixture(&name);
        let again = passed(stream.as_bytes(), context(), usize::MAX);
        let usage = |line: &String| line.starts_with("usage");
        let (mut before, mut after) = (told(&stream), told(&again));
        // Usage is told once, last.
        let last = before.iter().rfind(|line| usage(line)).cloned();
        assert_eq!(after.iter().rfind(|line| usage(line)).cloned(), last, "{name}");
        before.retain(|line| !usage(line));
        after.retain(|line| !usage(line));
        if name == "perplexity.stream.sse" {
            before.iter_mut().for_each(|line| *line = line.replace("None", "Some((0, 12))"));
        }
        if name == "mistral-thinking.stream.sse" || name == "groq.stream.sse" {
            assert_eq!(before.len(), after.len(), "{name}");
        }
        assert_eq!(before, after, "{name}");
    }
}

#[test]
fn how_the_bytes_are_cut_does_not_matter() {
    for name in fixtures(".stream.sse") {
        let stream = fixture(&name);
        let whole = passed(stream.as_bytes(), context(), usize::MAX);
        for size in [1, 2, 7, 61] {
            assert_eq!(passed(stream.as_bytes(), context(), size), whole, "{name} {size}");
        }
    }
}

#[test]
fn a_client_sees_openais_chunks() {
    let out = passed(fixture("tools.stream.sse").as_bytes(), context(), usize::MAX);
    let head = r#"data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-5-mini","choices":["#;
    let chunks: Vec<_> = out.split_terminator("\n\n").map(|chunk| chunk.strip_prefix(head).unwrap_or(chunk)).collect();
    assert_eq!(
        chunks,
        [
            r#"{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"get_weather","arguments":""}}]},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"ci"}}]},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"ty\":\"Paris\"}"}}]},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"now","arguments":""}}]},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":16,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":0}}}"#,
            "data: [DONE]",
        ]
    );
}

#[test]
fn usage_is_told_only_to_whom_asked() {
    let context = Context { wants_usage: false, ..context() };
    let out = passed(fixture("plain.stream.sse").as_bytes(), context, usize::MAX);
    assert!(!out.contains("usage") && out.ends_with("data: [DONE]\n\n"), "{out}");
}

#[test]
fn a_client_of_functions_gets_the_pieces_of_one() {
    let context = Context { asked: Bytes::from_static(br#"{"functions":[{"name":"now"}]}"#), ..context() };
    let out = passed(fixture("gemini-signed.stream.sse").as_bytes(), context, usize::MAX);
    assert!(out.contains(r#""delta":{"function_call":{"name":"now","arguments":""}}"#), "{out}");
    assert!(out.contains(r#""delta":{"function_call":{"arguments":"{}"}}"#), "{out}");
    assert!(out.contains(r#""finish_reason":"function_call""#) && !out.contains("tool_calls"), "{out}");
}

#[test]
fn an_error_ends_the_stream() {
    let out = passed(fixture("error.stream.sse").as_bytes(), context(), usize::MAX);
    let last = out.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with(r#"data: {"error":{"#) && last.contains("server_error"), "{out}");
}

#[test]
fn a_piece_before_the_head_has_one_all_the_same() {
    let mut writer = StreamWriter::new(context());
    let mut sink = Sink::default();
    writer.delta(&Delta::Stop { candidate: 0, stop: crate::hub::answer::Stop::End }, &mut sink);
    let out = String::from_utf8(sink.into_bytes()).unwrap();
    assert!(
        out.starts_with(
            r#"data: {"id":"chatcmpl-req-1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"#
        ),
        "{out}"
    );
}
