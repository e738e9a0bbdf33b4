//! What a call pays for that is served in another wire format than it is asked in: its request, and each piece of its answer.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use providers::translate::{Context, Target, Translation, Wire};
use providers::vendor::Quirks;
use serde_json::{Value, json};

const WIRES: [Wire; 4] = [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Generate];
const TARGET: Target<'static> = Target {
    model: "target-model",
    stream: true,
    limit: None,
    limit_if_none: 4_096,
    quirks: Quirks::NONE,
    drops: true,
};
const DELTAS: usize = 200;

/// A chat request of about this many bytes: instructions, a question, an answer with a tool's call, its result, and so on.
fn chat(size: usize) -> Vec<u8> {
    let turn = "Explain the difference between \"borrowing\" and \"owning\".\nGive an example in Rust, please. ";
    let mut messages = vec![json!({"role": "system", "content": "You are terse."})];
    let mut number = 0;
    while json!(messages).to_string().len() + 330 < size {
        let call = json!({"id": format!("call_{number}"), "type": "function", "function": {"name": "search", "arguments": "{\"q\":\"owning\"}"}});
        messages.push(json!({"role": "user", "content": turn.repeat(1 + size / 40_000)}));
        messages.push(json!({"role": "assistant", "content": "Let me look.", "tool_calls": [call]}));
        messages.push(json!({"role": "tool", "tool_call_id": format!("call_{number}"), "content": turn.repeat(1 + size / 40_000)}));
        number += 1;
    }
    let parameters = json!({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]});
    let tools = json!([{"type": "function", "function": {"name": "search", "description": "Searches", "parameters": parameters}}]);
    json!({"model": "gpt-4o", "stream": true, "temperature": 0.7, "max_completion_tokens": 512, "messages": messages, "tools": tools})
        .to_string()
        .into_bytes()
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    for (name, size) in [("1 KB", 1_000), ("100 KB", 100_000)] {
        let chat = chat(size);
        for client in WIRES {
            let asked = if client == Wire::Chat { chat.clone() } else { translated(Wire::Chat, client, &chat) };
            group.throughput(Throughput::Bytes(asked.len() as u64));
            for vendor in WIRES.into_iter().filter(|vendor| *vendor != client) {
                let translation = Translation::between(client, vendor);
                group.bench_function(format!("{name} {} to {}", client.as_str(), vendor.as_str()), |bencher| {
                    bencher.iter(|| translation.request(black_box(&asked), &TARGET));
                });
            }
        }
    }
}

fn translated(client: Wire, vendor: Wire, body: &[u8]) -> Vec<u8> {
    Translation::between(client, vendor).request(body, &TARGET).map(|translated| translated.body).unwrap_or_default()
}

fn context() -> Context {
    Context { request_id: "0199a1b2c3d4".to_owned(), model: "m".to_owned(), wants_usage: true, ..Context::default() }
}

fn chunk(delta: &Value) -> Bytes {
    let chunk = json!({"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion.chunk", "created": 1_741_569_952,
        "model": "gpt-4o-2024-08-06", "service_tier": "default", "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}]});
    Bytes::from(format!("data: {chunk}\n\n"))
}

/// The events of a stream in this format that say one word after the other: the first ones, and one of the others.
fn stream(vendor: Wire) -> (Vec<Bytes>, Bytes) {
    let open = vec![chunk(&json!({"role": "assistant", "content": ""})), chunk(&json!({"content": "Hello"}))];
    let more = chunk(&json!({"content": " borrowing"}));
    if vendor == Wire::Chat {
        return (open, more);
    }
    let mut stream = Translation::between(vendor, Wire::Chat).stream(context());
    let mut pass = |bytes: &Bytes| stream.pass(bytes, false).unwrap_or_default();
    let open = open.iter().map(&mut pass).collect();
    (open, pass(&more))
}

fn deltas(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(DELTAS as u64));
    for vendor in WIRES {
        let (open, more) = stream(vendor);
        for client in WIRES.into_iter().filter(|client| *client != vendor) {
            let begin = || {
                let mut stream = Translation::between(client, vendor).stream(context());
                open.iter().for_each(|event| drop(stream.pass(event, false)));
                stream
            };
            group.bench_function(format!("{DELTAS} deltas {} to {}", vendor.as_str(), client.as_str()), |bencher| {
                bencher.iter_batched(
                    begin,
                    |mut stream| (0..DELTAS).for_each(|_| drop(black_box(stream.pass(black_box(&more), false)))),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

criterion_group!(benches, requests, deltas);
criterion_main!(benches);
