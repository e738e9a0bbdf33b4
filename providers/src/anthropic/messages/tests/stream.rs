//! Streamed answers.

use super::super::{StreamReader, StreamWriter};
use super::{SAME, context, fixture};
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::Part;
use crate::hub::sink::Sink;
use crate::sse::{Decoder, Event, Item};

/// What is read of a stream, in short.
fn deltas(stream: &[u8]) -> Vec<String> {
    let (mut reader, mut decoder, mut found) = (StreamReader::default(), Decoder::default(), Vec::new());
    let mut each = |delta: Delta<'_>| found.push(short(&delta));
    let mut item = |item: &Item<'_>| {
        if let Item::Event(Event { data: Some(data), .. }) = item {
            reader.event(std::str::from_utf8(data).unwrap(), &mut each).unwrap();
        }
    };
    decoder.push(stream, |event| item(&event));
    decoder.finish(|event| item(&event));
    reader.finish(&mut each);
    found
}

fn short(delta: &Delta<'_>) -> String {
    let opened = |part: &Opened<'_>| match part {
        Opened::Text => "text".to_owned(),
        Opened::Refusal => "refusal".to_owned(),
        Opened::ToolCall { id, name } => format!("call {} {}", id.as_ref().unwrap().raw(), name.raw()),
        Opened::Reasoning { .. } => "reasoning".to_owned(),
        Opened::Whole(Part::Other { kind, .. }) => kind.raw().to_owned(),
        Opened::Whole(Part::Reasoning(reasoning)) => format!("sealed {}", reasoning.sealed.as_ref().unwrap().raw()),
        Opened::Whole(part) => format!("{part:?}"),
    };
    match delta {
        Delta::Head(head) => format!("head {}", head.id.as_ref().map_or("-", |id| id.raw())),
        Delta::Open { at, part } => format!("{} open {}", at.part, opened(part)),
        Delta::Text { at, text } => format!("{} {}", at.part, text.raw()),
        Delta::Signature { at, signature } => format!("{} signature {}", at.part, signature.raw()),
        Delta::Citation { at, citation } => format!("{} citation {}", at.part, citation.url.as_ref().unwrap().raw()),
        Delta::Close { at } => format!("{} close", at.part),
        Delta::Stop { stop, .. } => format!("{stop:?}"),
        Delta::Usage(usage) => format!("usage {} {}", usage.input_total(), usage.output_total()),
        Delta::Error(error) => format!("error {}", error.message),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_text_is_read_piece_by_piece() {
    let expected = [
        "head msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY",
        "0 open text",
        r"0 Hello \ud83d\ude00",
        r"0 !\n",
        "0 close",
        r#"Sequence(Some(Str("END")))"#,
        "usage 33 15",
        "End",
    ];
    assert_eq!(deltas(&fixture("text.stream.sse")), expected);
}

#[test]
fn thoughts_and_calls_are_read_piece_by_piece() {
    let expected = [
        "head msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "0 open reasoning",
        "0 I need the weather.",
        "0 signature EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk",
        "0 close",
        "1 open server_tool_use",
        "1 close",
        "2 open web_search_tool_result",
        "2 close",
        "3 open call toolu_01T1x1fJ34qAmk2tNTrN7Up6 get_weather",
        r#"3 {\"location\":\"NYC\"}"#,
        "3 close",
        "Tools",
        "usage 10682 510",
        "End",
    ];
    assert_eq!(deltas(&fixture("tools.stream.sse")), expected);
}

#[test]
fn a_refusal_has_its_words() {
    let expected = [
        "head msg_01Refused",
        "0 open sealed EmwKAhgBEgy3va3pzix",
        "0 close",
        "1 open text",
        "1 citation https://example.com/a",
        "1 To begin, ",
        "1 close",
        "2 open refusal",
        "2 The request asks for malware.",
        "2 close",
        "Refusal",
        "usage 25 15",
        "End",
    ];
    assert_eq!(deltas(&fixture("refusal.stream.sse")), expected);
}

#[test]
fn an_error_ends_it() {
    assert_eq!(deltas(&fixture("error.stream.sse")), ["head msg_01Err", "0 open text", "error Overloaded"]);
}

#[test]
fn a_stream_that_is_cut_has_no_end() {
    let whole = fixture("text.stream.sse");
    let text = String::from_utf8(whole).unwrap();
    let (cut, _) = text.split_once("event: message_delta").unwrap();
    assert_eq!(deltas(cut.as_bytes()).last().unwrap(), r"0 close");
    let (stopped, _) = text.split_once("event: message_stop").unwrap();
    assert_eq!(deltas(stopped.as_bytes()).last().unwrap(), "End");
}

#[test]
fn input_that_is_not_streamed_is_told_at_once() {
    let stream = concat!(
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"x":1}}}"#,
        "\n\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#,
        "\n\n",
    );
    let expected = ["head -", "0 open call a f", r#"0 {\"x\":1}"#, "0 close", "Tools", "End"];
    assert_eq!(deltas(stream.as_bytes()), expected);
}

fn passed(stream: &[u8], size: usize) -> String {
    let mut translated = SAME.stream(context());
    let mut out = Vec::new();
    for chunk in stream.chunks(size) {
        out.extend_from_slice(&translated.pass(chunk, false).unwrap());
    }
    out.extend_from_slice(&translated.pass(b"", true).unwrap());
    String::from_utf8(out).unwrap()
}

#[test]
fn streams_are_the_same_however_they_are_cut() {
    for name in ["text", "tools", "refusal", "error"] {
        let stream = fixture(&format!("{name}.stream.sse"));
        let whole = passed(&stream, stream.len());
        for size in [1, 2, 7, 64] {
            assert_eq!(passed(&stream, size), whole, "{name} {size}");
        }
    }
}

#[test]
fn streams_come_back_as_they_were() {
    for name in ["text", "tools", "refusal", "error"] {
        let stream = fixture(&format!("{name}.stream.sse"));
        let again = deltas(passed(&stream, stream.len()).as_bytes());
        let expected = deltas(&stream).into_iter().filter_map(|delta| match name {
            // Blocks of the vendor's own tools are for nobody else, so the one behind them is the second.
            "tools" if delta.starts_with("1 ") || delta.starts_with("2 ") => None,
            "tools" => Some(delta.strip_prefix('3').map_or(delta.clone(), |rest| format!("1{rest}"))),
            // Words of refusal are a text.
            _ => Some(delta.replace("open refusal", "open text")),
        });
        assert_eq!(again, expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn blocks_are_numbered_and_framed_as_sdks_want_them() {
    let mut writer = StreamWriter::new(context());
    let mut sink = Sink::default();
    let at = |part| At { candidate: 0, part };
    let text = |text: &'static str| crate::hub::text::Str::of(text);
    let call = Opened::ToolCall { id: None, name: text("f") };
    for delta in [
        Delta::Open {
            at: at(0),
            part: Opened::Whole(Part::Other { kind: text("x"), value: crate::hub::text::Json::read("{}") }),
        },
        Delta::Close { at: at(0) },
        Delta::Open { at: at(1), part: call },
        Delta::Text { at: at(1), text: text("{}") },
        Delta::Signature { at: at(1), signature: text("CiQB") },
        Delta::Text { at: At { candidate: 1, part: 0 }, text: text("other") },
        Delta::End,
    ] {
        writer.delta(&delta, &mut sink);
    }
    let expected = concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"id":"msg_req-1","type":"message","role":"assistant","model":"m","content":[],"#,
        r#""stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"#,
        r#""cache_read_input_tokens":0,"output_tokens":0}}}"#,
        "\n\nevent: content_block_start\n",
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"call_req-1_0","name":"f","input":{}}}"#,
        "\n\nevent: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        "\n\nevent: content_block_stop\n",
        r#"data: {"type":"content_block_stop","index":0}"#,
        "\n\nevent: content_block_start\n",
        r#"data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"tollgate:call:call_req-1_0:CiQB"}}"#,
        "\n\nevent: content_block_stop\n",
        r#"data: {"type":"content_block_stop","index":1}"#,
        "\n\nevent: message_delta\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":0,"#,
        r#""cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}"#,
        "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    assert_eq!(String::from_utf8(sink.take()).unwrap(), expected);
}

#[test]
fn a_thought_ends_with_its_whole_proof_and_says_that_it_is_not_anthropics() {
    let text = |text: &'static str| crate::hub::text::Str::of(text);
    let at = At { candidate: 0, part: 0 };
    let signature = |signature| Delta::Signature { at, signature: text(signature) };
    for (pieces, proof) in [
        (vec![], "tollgate:"),
        (vec![signature("EqQB")], "tollgate:EqQB"),
        (vec![signature("Eq"), signature("QB")], "tollgate:EqQB"),
    ] {
        let mut writer = StreamWriter::new(context());
        let mut sink = Sink::default();
        let part = Opened::Reasoning { id: None, is_summary: false };
        writer.delta(&Delta::Open { at, part }, &mut sink);
        sink.take();
        let last = [Delta::Text { at, text: text("t") }, Delta::Close { at }];
        pieces.iter().chain(&last).for_each(|delta| writer.delta(delta, &mut sink));
        let expected = format!(
            concat!(
                "event: content_block_delta\n",
                r#"data: {{"type":"content_block_delta","index":0,"delta":{{"type":"thinking_delta","thinking":"t"}}}}"#,
                "\n\nevent: content_block_delta\n",
                r#"data: {{"type":"content_block_delta","index":0,"delta":{{"type":"signature_delta","signature":"{}"}}}}"#,
                "\n\nevent: content_block_stop\n",
                r#"data: {{"type":"content_block_stop","index":0}}"#,
                "\n\n",
            ),
            proof
        );
        assert_eq!(String::from_utf8(sink.take()).unwrap(), expected);
    }
}
