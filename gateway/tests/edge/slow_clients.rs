//! Clients that take their time, and deadlines that are the vendor's: the one is never taken for the other.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::support::soon;
use super::support::sse::Api;
use super::support::targets::{Setup, assert_served};
use super::support::wire::post;

/// One API of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// Words of a stream and their length: more than all buffers on the way can hold.
const WORDS: usize = 1_000;
const WORD_BYTES: usize = 16 * 1024;

/// A connection that takes in little before somebody reads.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}

/// Reads a chunked answer to its end.
async fn read_on(socket: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n0\r\n\r\n") {
        let count = soon(socket.read_buf(&mut seen)).await.unwrap();
        assert!(
            count > 0,
            "cut off after {} bytes: {}",
            seen.len(),
            String::from_utf8_lossy(&seen[seen.len().saturating_sub(600)..])
        );
    }
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn a_client_that_does_not_read_for_long_gets_the_whole_stream() {
    for api in APIS {
        for recovery in ["error", "resume"] {
            let setup = Setup::of(api.vendor(), 1).network("stream_idle_timeout_in_seconds", json!(1));
            let setup = setup.client("stream_recovery", json!(recovery));
            let targets = setup.does(0, &format!("~words={WORDS}~big={WORD_BYTES}")).start().await;
            let mut socket = narrow(targets.gateway.address()).await;
            let body = api.body(api.model(), true, "12345678").to_string();
            soon(socket.write_all(&post(&api.path(api.model(), true), &body))).await.unwrap();
            tokio::time::sleep(Duration::from_millis(3_000)).await;
            let entry = targets.fakes[0].books().last().unwrap();
            assert!(
                entry.ended_us.is_none(),
                "{api:?}: the buffers hold all of it, or the vendor was cut off: {entry:?}"
            );
            let text = read_on(&mut socket).await;
            let what = format!("{api:?} {recovery}: {}", &text[text.len() - 600..]);
            assert!(text.starts_with("HTTP/1.1 200"), "{what}");
            assert!(text.contains(api.end_mark()) && !text.contains("upstream_"), "{what}");
            assert!(text.len() > WORDS * WORD_BYTES && text.contains(&format!("w{}", WORDS - 1)), "{what}");
            assert_served(&targets.asked(api, false).await, 0, &[]);
            targets.until_idle().await;
        }
    }
}

#[tokio::test]
async fn a_vendor_that_stalls_is_cut_off_though_the_client_was_slow_before() {
    let setup = Setup::of("openai", 1).network("stream_idle_timeout_in_seconds", json!(1));
    let fault = format!("~words={WORDS}~big={WORD_BYTES}~stall_after={}", WORDS - 10);
    let targets = setup.does(0, &fault).start().await;
    let mut socket = narrow(targets.gateway.address()).await;
    let body = Api::Chat.body("gpt-4o", true, "12345678").to_string();
    soon(socket.write_all(&post("/v1/chat/completions", &body))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    let text = read_on(&mut socket).await;
    assert!(text.contains("upstream_timeout") && !text.contains("[DONE]"), "{}", &text[text.len() - 600..]);
}

#[tokio::test]
async fn a_buffered_stream_must_only_begin_in_time_to_arrive_whole() {
    for api in APIS {
        let setup = Setup::of(api.vendor(), 2).retries(0).network("stream_first_token_timeout_ms", json!(1_500));
        let setup = setup.client("stream_recovery", json!("buffer"));
        let fault = format!("~words=8~lockstep={api:?}");
        let targets = setup.does(0, &fault).start().await;
        let books = targets.fakes[0].books();
        let token = format!("{api:?}");
        let first = api.preludes() + 2;
        (0..first).for_each(|_| books.ack(&token));
        let (answered, ()) = futures::future::join(targets.asked(api, true), async {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            (0..40).for_each(|_| books.ack(&token));
        })
        .await;
        assert_served(&answered, 0, &[]);
        let text = answered.text();
        assert!(text.contains("w0") && text.contains("w7") && text.contains(api.end_mark()), "{api:?}: {text}");
        assert_eq!(targets.seen(), [1, 0], "{api:?}");
    }
}
