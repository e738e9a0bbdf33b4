//! Every control that makes an answer other than well-behaved.

use std::io::ErrorKind;

use hyper::Method;
use loadtest::fake::Controls;
use serde_json::{Value, json};

use crate::support::{
    chat, chat_body, exchange, in_every_dialect, only_entry, post, provider, raw_chat, read_to_failure, read_until,
    request,
};

#[tokio::test]
async fn status_gives_each_dialects_own_error() {
    let fake = provider();
    for reply in in_every_dialect(&fake, "status=429~retry_after=7", true).await {
        assert_eq!(reply.status, 429);
        assert_eq!(reply.header("retry-after"), Some("7"));
    }
    let [openai, anthropic, gemini] = in_every_dialect(&fake, "status=429", false).await.map(|reply| reply.json());
    assert_eq!(openai["error"]["code"], "rate_limit_exceeded");
    assert_eq!((&anthropic["type"], &anthropic["error"]["type"]), (&json!("error"), &json!("rate_limit_error")));
    assert_eq!((&gemini["error"]["code"], &gemini["error"]["status"]), (&json!(429), &json!("RESOURCE_EXHAUSTED")));
    let named = chat(&fake, "m~status=400~code=context_length_exceeded", false).await.json();
    assert_eq!(named["error"]["code"], "context_length_exceeded");
}

#[tokio::test]
async fn only_the_bad_key_is_refused() {
    let fake = provider();
    assert_eq!(chat(&fake, "m~badkey=sk-te", false).await.status, 401);
    assert_eq!(chat(&fake, "m~badkey=sk-other", false).await.status, 200);
    assert_eq!(chat(&fake, "m~badkey=sk-te~status=429", false).await.status, 429);
    assert_eq!(chat(&fake, "m~badkey=sk-other~status=429", false).await.status, 200);
    assert_eq!(chat(&fake, "m~badkey=sk-te~failfirst=1", false).await.status, 401);
    assert_eq!(chat(&fake, "m~badkey=sk-te~failfirst=1", false).await.status, 200);
    let mut asked = request(Method::POST, "/v1/messages", &chat_body("m~badkey=ant", false).to_string());
    asked.headers_mut().insert("x-api-key", "ant-1".parse().unwrap());
    assert_eq!(exchange(fake.addr(), asked).await.json()["error"]["type"], "authentication_error");
}

#[tokio::test]
async fn the_first_requests_fail_and_then_succeed() {
    let fake = provider();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(chat(&fake, "m~failfirst=2", false).await.status);
    }
    assert_eq!(statuses, [503, 503, 200, 200]);
    assert_eq!(chat(&fake, "m~failfirst=1~status=500", false).await.status, 500);
    fake.books().clear();
    assert_eq!(chat(&fake, "m~failfirst=2", false).await.status, 503);
}

#[tokio::test]
async fn an_error_can_come_with_a_200() {
    let fake = provider();
    for reply in in_every_dialect(&fake, "error_200", true).await {
        assert_eq!(reply.status, 200);
        assert!(reply.json()["error"].is_object());
    }
}

#[tokio::test]
async fn an_error_event_ends_the_stream() {
    let fake = provider();
    let [openai, anthropic, gemini] = in_every_dialect(&fake, "error_after=3", true).await;
    assert_eq!(openai.events().len(), 4);
    assert!(openai.events()[3]["error"]["message"].is_string());
    assert_eq!(anthropic.names()[3], "error");
    assert_eq!(gemini.events()[3]["error"]["status"], "UNAVAILABLE");
    for reply in in_every_dialect(&fake, "error_after=0", true).await {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.events().len(), 1);
    }
    let body = json!({"model": "m~error_after=1", "input": "hi", "stream": true});
    assert_eq!(post(&fake, "/v1/responses", body).await.names(), ["response.created", "error"]);
    assert!(fake.books().entries().iter().all(|entry| !entry.finished && entry.caller_gone.is_none()));
}

#[tokio::test]
async fn an_error_in_an_array_stream_leaves_the_array_whole() {
    let fake = provider();
    let contents = json!({"contents": [{"parts": [{"text": "hi"}]}]});
    let reply = post(&fake, "/v1beta/models/g~error_after=1:streamGenerateContent", contents).await.json();
    assert_eq!(reply.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_cut_stream_ends_cleanly_without_its_marker() {
    let fake = provider();
    for reply in in_every_dialect(&fake, "cut_after=4", true).await {
        assert_eq!(reply.events().len(), 4);
        assert!(!reply.body.contains("[DONE]") && !reply.body.contains("message_stop"));
    }
    let entry = fake.books().entries()[0].clone();
    assert_eq!((entry.events, entry.output_tokens, entry.finished, entry.caller_gone), (4, 3, false, None));
    let reply = chat(&fake, "m~cut_after=10", false).await;
    assert_eq!(reply.body.len(), 10);
    for stream in [true, false] {
        chat(&fake, "m~reset_after=100000", stream).await;
        assert!(fake.books().last().unwrap().finished);
    }
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let fake = provider();
    let mut socket = raw_chat(&fake, "m~reset_before_header", false).await;
    let (seen, failure) = read_to_failure(&mut socket).await;
    assert_eq!((seen.as_str(), failure.unwrap_err().kind()), ("", ErrorKind::ConnectionReset));
    assert_eq!(fake.books().last().unwrap().status, None);
    for stream in [true, false] {
        let mut socket = raw_chat(&fake, "m~reset_after=2", stream).await;
        let (seen, failure) = read_to_failure(&mut socket).await;
        assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
        assert_eq!(seen.matches("data:").count(), if stream { 2 } else { 0 });
        assert_eq!(failure.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let entry = fake.books().last().unwrap();
        assert!(!entry.finished && entry.caller_gone.is_none());
    }
}

#[tokio::test]
async fn a_stalled_stream_is_held_until_the_caller_goes() {
    let fake = provider();
    let books = fake.books();
    let mut socket = raw_chat(&fake, "m~stall_after=2", true).await;
    let entry = only_entry(&books, |entry| entry.events == 2).await;
    assert_eq!((entry.output_tokens, entry.ended_us), (1, None));
    assert_eq!(read_until(&mut socket, "w0").await.unwrap().matches("data:").count(), 2);
    drop(socket);
    let entry = only_entry(&books, |entry| entry.caller_gone.is_some()).await;
    assert!(!entry.finished && entry.ended_us.is_some());
}

#[tokio::test]
async fn usage_can_be_missing_or_zero() {
    let fake = provider();
    let [openai, anthropic, gemini] = in_every_dialect(&fake, "nousage", true).await;
    assert!([openai, anthropic, gemini].iter().all(|reply| !reply.body.contains("\"usage")));
    assert!(chat(&fake, "m~nousage", false).await.json().get("usage").is_none());
    assert_eq!(fake.books().last().unwrap().usage, None);
    assert_eq!(chat(&fake, "m~zerousage~cached=4", false).await.json()["usage"]["total_tokens"], 0);
    let zero = post(&fake, "/v1/messages", chat_body("m~zerousage", false)).await.json();
    assert_eq!((&zero["usage"]["input_tokens"], &zero["usage"]["output_tokens"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn audio_is_part_of_openais_totals() {
    let fake = provider();
    let usage =
        chat(&fake, "m~audio_in=3~audio_out=4~cache_write=5~cache_write_1h=1", false).await.json()["usage"].take();
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(11), &json!(12)));
    assert_eq!(usage["prompt_tokens_details"]["cache_write_tokens"], 6);
    assert_eq!(usage["completion_tokens_details"]["audio_tokens"], 4);
}

#[tokio::test]
async fn pieces_ignore_event_borders() {
    let fake = provider();
    let plain = chat(&fake, "m~unicode", true).await.events();
    let mut socket = raw_chat(&fake, "m~unicode~chunk_bytes=7", true).await;
    let seen = read_until(&mut socket, "\r\n0\r\n\r\n").await.unwrap();
    let (_, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(body.starts_with("7\r\ndata: {\r\n7\r\n"), "{body}");
    let pieced = chat(&fake, "m~unicode~chunk_bytes=7", true).await;
    assert_eq!(pieced.events().len(), plain.len());
    assert!(pieced.body.contains("🦀"));
    let entry = fake.books().last().unwrap();
    assert_eq!((entry.events, entry.output_tokens, entry.finished), (11, 8, true));
    assert_eq!(chat(&fake, "m~chunk_bytes=7", false).await.json()["object"], "chat.completion");
}

#[tokio::test]
async fn sse_may_look_different_and_mean_the_same() {
    let fake = provider();
    let crlf = chat(&fake, "m~crlf~comments", true).await;
    assert!(crlf.body.starts_with(": keep-alive\r\n\r\ndata: {"));
    assert!(!crlf.body.replace("\r\n", "").contains('\n'));
    assert_eq!(crlf.body.matches(": keep-alive").count(), 11);
    assert_eq!(crlf.events().len(), 11);
    let burst = chat(&fake, "m~burst", true).await;
    assert_eq!(burst.events().len(), 11);
}

#[tokio::test]
async fn words_can_be_many_and_big() {
    let fake = provider();
    let answer = chat(&fake, "m~words=3~big=50", false).await.json();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!((text.len(), text.split(' ').count()), (150, 3));
    assert_eq!(chat(&fake, "m~words=0", true).await.events().len(), 3);
}

#[tokio::test]
async fn a_model_without_controls_gets_the_defaults() {
    let fake = provider();
    fake.set_controls(Controls::parse("~words=2~status=418").unwrap());
    assert_eq!(chat(&fake, "m", false).await.status, 418);
    fake.set_controls(Controls::parse("~words=2~crlf").unwrap());
    assert_eq!(chat(&fake, "m", true).await.events().len(), 5);
    assert_eq!(chat(&fake, "m~words=3", true).await.events().len(), 6);
}

#[tokio::test]
async fn answers_can_be_nonsense() {
    let fake = provider();
    let page = chat(&fake, "m~status=502~html", true).await;
    assert_eq!((page.status, page.header("content-type")), (502, Some("text/html; charset=UTF-8")));
    let stream = chat(&fake, "m~garbage_after=2", true).await;
    assert_eq!(stream.events().len(), 12);
    assert!(stream.events()[2].is_string());
    assert!(stream.body.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn headers_can_be_wrong() {
    let fake = provider();
    let chunked = chat(&fake, "m~nocontentlength", false).await;
    assert_eq!(chunked.header("content-length"), None);
    assert_eq!(chunked.json()["object"], "chat.completion");
    assert!(chat(&fake, "m", false).await.header("content-length").is_some());
    assert_eq!(chat(&fake, "m~close", false).await.header("connection"), Some("close"));
    assert_eq!(chat(&fake, "m~contenttype=text/plain", true).await.header("content-type"), Some("text/plain"));
    assert_eq!(chat(&fake, "m~huge_header=5000", false).await.header("x-huge").unwrap().len(), 5000);
}

#[tokio::test]
async fn lockstep_lets_one_event_out_per_acknowledgement() {
    let fake = provider();
    let books = fake.books();
    let mut socket = raw_chat(&fake, "m~lockstep=turn~words=2", true).await;
    let mut seen = Vec::new();
    for n in 1..=5 {
        only_entry(&books, |entry| entry.events == n).await;
        seen.push(read_until(&mut socket, "\n\n").await.unwrap());
        match n % 2 {
            0 => books.ack("turn"),
            _ => assert_eq!(post(&fake, "/_fake/ack/turn", Value::Null).await.status, 200),
        }
    }
    assert!(seen.iter().all(|step| step.matches("data: ").count() == 1), "{seen:#?}");
    assert!(seen[4].contains("[DONE]"));
    only_entry(&books, |entry| entry.finished).await;
}

#[tokio::test]
async fn delays_keep_the_parts_in_order() {
    let fake = provider();
    let reply = chat(&fake, "m~first_delay_ms=1~body_delay_ms=1~delay_ms=1", true).await;
    assert_eq!(reply.events().len(), 11);
    let entry = fake.books().last().unwrap();
    let times =
        [Some(entry.received_us), entry.header_sent_us, entry.first_event_us, entry.last_event_us, entry.ended_us];
    assert!(times.is_sorted() && times.iter().all(Option::is_some), "{times:?}");
}
