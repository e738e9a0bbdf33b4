//! Calls that are served by a vendor of another wire format than they were asked in, and the client none the wiser.

mod answers;
mod endings;
mod errors;
mod limits;
mod others;
mod requests;

use serde_json::{Value, json};

use super::support::scene::{Reply, Scene, reply};
use super::support::soon;
use super::support::sse::{Api, events};
use super::support::stub::Stub;

/// The vendors' own ways to ask for a conversation's next turn.
const VENDORS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];
/// How clients ask for it.
const CLIENTS: [Api; 6] = Api::ALL;

/// Clients with vendors that speak another dialect.
fn pairs() -> impl Iterator<Item = (Api, Api)> {
    let of = |client: Api| VENDORS.into_iter().map(move |vendor| (client, vendor));
    CLIENTS.into_iter().flat_map(of).filter(|(client, vendor)| client.vendor() != vendor.vendor())
}

/// The text that an answer of an API says.
fn text(api: Api, reply: &Reply, stream: bool) -> String {
    let parts = if stream { events(api, &reply.text()) } else { vec![reply.json()] };
    parts.iter().map(|part| said(api, part, stream)).collect()
}

fn said(api: Api, part: &Value, stream: bool) -> String {
    let all = |list: &Value, inner: &str| {
        let texts = list.as_array().into_iter().flatten().filter_map(|item| item.pointer(inner)?.as_str());
        texts.collect::<String>()
    };
    match (api, stream) {
        (Api::Chat, false) => all(&part["choices"], "/message/content"),
        (Api::Chat, true) => all(&part["choices"], "/delta/content"),
        (Api::Completion, _) => all(&part["choices"], "/text"),
        (Api::Responses, false) => {
            part["output"].as_array().into_iter().flatten().map(|item| all(&item["content"], "/text")).collect()
        }
        (Api::Responses, true) if part["type"] == "response.output_text.delta" => {
            part["delta"].as_str().unwrap().to_owned()
        }
        (Api::Messages, false) => all(&part["content"], "/text"),
        (Api::Messages, true) => part.pointer("/delta/text").and_then(Value::as_str).unwrap_or_default().to_owned(),
        (Api::Gemini | Api::GeminiArray, _) => {
            let parts = part.pointer("/candidates/0/content/parts");
            parts.map(|parts| all(parts, "/text")).unwrap_or_default()
        }
        (Api::Responses, true) => String::new(),
    }
}

/// What a client is told when it asks the vendor's model in its own way.
async fn asked(scene: &Scene, client: Api, vendor: Api, stream: bool) -> Reply {
    scene.asked(client, vendor.model(), stream).await
}

/// The same with another body.
async fn asked_with(scene: &Scene, client: Api, vendor: Api, stream: bool, change: impl FnOnce(&mut Value)) -> Reply {
    let mut body = client.body(vendor.model(), stream, "12345678");
    change(&mut body);
    reply(scene.post(&client.path(vendor.model(), stream)).body(body.to_string())).await
}

/// What a client is told of a stream that waits for it to have read so much.
async fn asked_in_two(scene: &Scene, stub: &Stub, client: Api, vendor: Api, first: &str) -> Reply {
    let response = soon(scene.ask(client, vendor.model(), true).send()).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let (mut response, mut body) = (response, Vec::new());
    while let Some(piece) = soon(response.chunk()).await.unwrap_or_default() {
        body.extend_from_slice(&piece);
        if String::from_utf8_lossy(&body).contains(first) {
            stub.go_on();
        }
    }
    Reply { status, headers, body: body.into() }
}

/// The error is one of the client's dialect.
#[track_caller]
fn assert_error_of(client: Api, error: &Value) {
    let inner = &error["error"];
    assert!(inner["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    match client {
        Api::Messages => {
            assert_eq!((&error["type"], inner["type"].is_string()), (&json!("error"), true), "{error}");
        }
        Api::Gemini | Api::GeminiArray => {
            assert!(inner["code"].is_u64() && inner["status"].is_string(), "{error}");
        }
        Api::Chat | Api::Completion | Api::Responses => {
            assert!(inner["type"].is_string() && inner.get("code").is_some(), "{error}");
            assert_ne!(error["type"], "error", "{error}");
        }
    }
}

/// The stream ends with an error of the client's dialect, and does not look whole.
#[track_caller]
fn assert_ends_with_error(client: Api, reply: &Reply) -> String {
    let text = reply.text();
    assert!(!text.contains(client.end_mark()), "{client:?} looks whole: {text}");
    let last = events(client, &text).pop().unwrap_or_else(|| panic!("{client:?}: nothing came"));
    let error = if client == Api::Responses { json!({"error": last["error"]}) } else { last.clone() };
    assert_error_of(client, &error);
    if matches!(client, Api::Responses | Api::Messages) {
        assert!(text.contains("event: error\n") && last["type"] == "error", "{client:?}: {text}");
    }
    last.to_string()
}
