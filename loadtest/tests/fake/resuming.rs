//! Answers that go on from the assistant's own words, and those that do not.

use loadtest::fake::FakeProvider;
use serde_json::{Value, json};

use crate::support::{Reply, chat, post, provider};

const SAID: &str = "w0 w1 w2";

/// The conversation with `said` as the assistant's last words, in every dialect and as OpenAI's Responses.
async fn going_on(fake: &FakeProvider, controls: &str, said: &str) -> [Reply; 4] {
    let model = format!("m{controls}");
    let turns = json!([{"role": "user", "content": "12345678"}, {"role": "assistant", "content": said}]);
    let chat = json!({"model": model, "stream": true, "max_tokens": 100, "messages": turns});
    let responses = json!({"model": model, "stream": true, "input": turns});
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": said}]}]);
    [
        post(fake, "/v1/chat/completions", chat.clone()).await,
        post(fake, "/v1/messages", chat).await,
        post(fake, &format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"), json!({"contents": contents}))
            .await,
        post(fake, "/v1/responses", responses).await,
    ]
}

const TEXTS: [&str; 4] = ["/choices/0/delta/content", "/delta/text", "/candidates/0/content/parts/0/text", "/delta"];

fn texts(replies: &[Reply; 4]) -> Vec<String> {
    let joined = |(reply, pointer): (&Reply, &str)| {
        let events = reply.events();
        events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect::<String>()
    };
    replies.iter().zip(TEXTS).map(joined).collect()
}

#[tokio::test]
async fn an_answer_goes_on_from_its_own_beginning() {
    let fake = provider();
    assert_eq!(texts(&going_on(&fake, "", SAID).await), [" w3 w4 w5 w6 w7"; 4]);
    let entry = fake.books().last().unwrap();
    assert_eq!((entry.prefill.as_deref(), entry.output_tokens), (Some(SAID), 5));
    assert_eq!(texts(&going_on(&fake, "", "w0 w1 w").await), ["2 w3 w4 w5 w6 w7"; 4], "even in mid-word");
    assert_eq!(texts(&going_on(&fake, "", "w0 w1 w2 w3 w4 w5 w6 w7").await), [""; 4]);
    chat(&fake, "m", false).await;
    assert_eq!(fake.books().last().unwrap().prefill, None);
}

#[tokio::test]
async fn an_answer_starts_anew_from_words_that_are_not_its_own() {
    let fake = provider();
    assert_eq!(texts(&going_on(&fake, "~words=3", "else").await), ["w0 w1 w2"; 4]);
    assert_eq!(texts(&going_on(&fake, "~words=3~words_seed=7", SAID).await), ["v7_0 v7_1 v7_2"; 4]);
}

#[tokio::test]
async fn another_seed_is_another_text_from_the_word_that_is_named() {
    let fake = provider();
    let text = async |model: &str| {
        chat(&fake, model, false).await.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(text("m~words=3").await, text("n~words=3").await);
    assert_eq!(text("m~words=3~words_seed=7").await, "v7_0 v7_1 v7_2");
    assert_eq!(text("m~words=3~words_seed=8~diverge_at=2").await, "w0 w1 v8_2");
}

#[tokio::test]
async fn the_output_limit_counts_what_is_left() {
    let fake = provider();
    let turns = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "w0"}]);
    let body = |limit: u64| json!({"model": "m~words=4", "max_tokens": limit, "messages": turns});
    let choice = |answer: Value| {
        let choice = &answer["choices"][0];
        (
            choice["message"]["content"].as_str().unwrap().to_owned(),
            choice["finish_reason"].as_str().unwrap().to_owned(),
        )
    };
    let cut = post(&fake, "/v1/chat/completions", body(2)).await.json();
    assert_eq!(choice(cut), (" w1 w2".to_owned(), "length".to_owned()));
    let whole = post(&fake, "/v1/chat/completions", body(3)).await.json();
    assert_eq!(choice(whole), (" w1 w2 w3".to_owned(), "stop".to_owned()));
}

#[tokio::test]
async fn a_model_may_refuse_to_go_on() {
    let fake = provider();
    let refused = going_on(&fake, "~noprefill", SAID).await;
    assert!(refused.iter().all(|reply| reply.status == 400));
    let anthropic = refused[1].json();
    assert_eq!(anthropic["error"]["type"], "invalid_request_error");
    assert!(anthropic["error"]["message"].as_str().unwrap().contains("does not support assistant message prefill"));
    assert!(refused[2].json()["error"]["message"].as_str().unwrap().contains("ends with a user role"));
    assert_eq!(chat(&fake, "m~noprefill", true).await.status, 200);
    let ragged = going_on(&fake, "", "w0 ").await;
    assert_eq!(
        ragged.each_ref().map(|reply| reply.status),
        [200, 400, 200, 200],
        "Anthropic takes no blank at the end"
    );
}
