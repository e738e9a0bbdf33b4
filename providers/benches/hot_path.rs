//! What every call pays for: a look into its body, the splices, and the meter of its answer.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use policy::request::{Dialect, Operation};
use providers::meter::Meter;
use providers::peek::peek;
use providers::splice::{Edit, splice};
use serde_json::json;

const CHAT: Operation = Operation::ChatCompletion;
const CHUNKS: usize = 200;

/// A conversation of about this many bytes.
fn body(size: usize) -> Bytes {
    let turn = "Explain the difference between \"borrowing\" and \"owning\".\nGive an example in Rust, please. ";
    let turns = (size / 400).max(1);
    let text = turn.repeat((size / turns).saturating_sub(40) / turn.len() + 1);
    let messages: Vec<_> = (0..turns).map(|_| json!({"role": "user", "content": text})).collect();
    let body = json!({"model": "gpt-4o", "stream": true, "temperature": 0.7, "max_tokens": 512, "messages": messages});
    Bytes::from(body.to_string())
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    for (name, size) in [("1 KB", 700), ("100 KB", 84_000)] {
        let body = body(size);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("peek {name}"), |bencher| {
            bencher.iter(|| peek(Dialect::OpenAi, CHAT, black_box(&body)));
        });
        let Ok(peeked) = peek(Dialect::OpenAi, CHAT, &body) else { continue };
        let edit = Edit { model: Some("gpt-4o-mini"), request_usage: true, ..Edit::default() };
        group.bench_function(format!("splice {name}"), |bencher| {
            bencher.iter(|| splice(black_box(&body), &peeked, &edit));
        });
    }
}

fn openai_stream() -> Vec<Bytes> {
    let chunk = |choices: serde_json::Value, usage: serde_json::Value| {
        let chunk = json!({"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion.chunk", "created": 1_741_569_952,
            "model": "gpt-4o-2024-08-06", "service_tier": "default", "system_fingerprint": "fp_44709d6fcb", "choices": choices, "usage": usage});
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let delta = json!([{"index": 0, "delta": {"content": " borrowing"}, "logprobs": null, "finish_reason": null}]);
    let end = json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}]);
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300});
    let mut stream = vec![chunk(delta, json!(null)); CHUNKS];
    stream.extend([chunk(end, json!(null)), chunk(json!([]), usage), Bytes::from_static(b"data: [DONE]\n\n")]);
    stream
}

fn anthropic_stream() -> Vec<Bytes> {
    let event = |kind: &str, data: serde_json::Value| Bytes::from(format!("event: {kind}\ndata: {data}\n\n"));
    let usage =
        json!({"input_tokens": 25, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1});
    let mut stream = vec![event(
        "message_start",
        json!({"type": "message_start", "message": {"id": "msg_1", "content": [], "usage": usage}}),
    )];
    let delta = event(
        "content_block_delta",
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " borrowing"}}),
    );
    stream.extend(vec![delta; CHUNKS]);
    stream.push(event(
        "message_delta",
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 200}}),
    ));
    stream.push(event("message_stop", json!({"type": "message_stop"})));
    stream
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer");
    let cases = [
        ("openai stream", Dialect::OpenAi, openai_stream(), false),
        ("openai stream, usage hidden", Dialect::OpenAi, openai_stream(), true),
        ("anthropic stream", Dialect::Anthropic, anthropic_stream(), false),
    ];
    for (name, dialect, stream, hide_usage) in cases {
        group.throughput(Throughput::Elements(stream.len() as u64));
        group.bench_function(format!("meter {name}"), |bencher| {
            bencher.iter_batched(
                || stream.clone(),
                |stream| {
                    let mut meter = Meter::new(dialect, CHAT, true, hide_usage);
                    for chunk in stream {
                        black_box(meter.pass(chunk, false));
                    }
                    meter.is_complete()
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, requests, answers);
criterion_main!(benches);
