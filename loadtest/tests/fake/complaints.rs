//! What each vendor complains of, in its own shape and words, and when it says to come back.

use loadtest::fake::FakeProvider;
use serde_json::{Value, json};

use crate::support::{Reply, chat, chat_body, in_every_dialect, post, provider};

/// Status and message in OpenAI's, Anthropic's and Gemini's words.
async fn complaints(fake: &FakeProvider, name: &str) -> [(u16, Value); 3] {
    let replies = in_every_dialect(fake, &format!("error={name}"), false).await;
    replies.map(|reply| (reply.status, reply.json()["error"].take()))
}

fn statuses(complaints: &[(u16, Value); 3]) -> [u16; 3] {
    complaints.each_ref().map(|(status, _)| *status)
}

fn message(complaint: &(u16, Value)) -> &str {
    complaint.1["message"].as_str().unwrap()
}

#[tokio::test]
async fn too_long_a_context_is_refused_in_each_vendors_words() {
    let fake = provider();
    let all = complaints(&fake, "context_length").await;
    assert_eq!(statuses(&all), [400; 3]);
    assert_eq!((&all[0].1["code"], &all[0].1["param"]), (&json!("context_length_exceeded"), &json!("messages")));
    assert!(message(&all[1]).starts_with("prompt is too long: "));
    assert!(message(&all[2]).contains("exceeds the maximum number of tokens allowed"));
    let body = json!({"model": "m~error=context_length", "input": "hi"});
    let responses = post(&fake, "/v1/responses", body).await.json();
    assert_eq!(
        (&responses["error"]["code"], &responses["error"]["param"]),
        (&json!("context_length_exceeded"), &json!("input"))
    );
}

#[tokio::test]
async fn a_refusal_of_the_content_is_each_vendors_own() {
    let fake = provider();
    let all = complaints(&fake, "content_policy").await;
    assert_eq!(statuses(&all), [400; 3]);
    assert_eq!(all[0].1["code"], "invalid_prompt");
    assert!(message(&all[1]).contains("content filtering policy"));
    assert!(message(&all[2]).contains("Responsible AI"));
    let azure = chat(&fake, "m~error=content_filter", false).await;
    assert_eq!(
        (azure.status, &azure.json()["error"]["innererror"]["code"]),
        (400, &json!("ResponsibleAIPolicyViolation"))
    );
    let [_, _, blocked] = in_every_dialect(&fake, "error=prompt_blocked", true).await;
    assert_eq!(
        (blocked.status, &blocked.events()[0]["promptFeedback"]["blockReason"]),
        (200, &json!("PROHIBITED_CONTENT"))
    );
}

#[tokio::test]
async fn models_that_are_not_there_are_named() {
    let fake = provider();
    let all = complaints(&fake, "no_model").await;
    assert_eq!(statuses(&all), [404; 3]);
    assert_eq!(
        (&all[0].1["code"], &all[1].1["type"], &all[2].1["status"]),
        (&json!("model_not_found"), &json!("not_found_error"), &json!("NOT_FOUND"))
    );
    assert!(all.iter().all(|complaint| message(complaint).contains("error=no_model")));
    let azure = chat(&fake, "m~error=no_deployment", false).await;
    assert_eq!((azure.status, &azure.json()["error"]["code"]), (404, &json!("DeploymentNotFound")));
}

#[tokio::test]
async fn credentials_are_refused_as_each_vendor_refuses_them() {
    let fake = provider();
    let all = complaints(&fake, "bad_key").await;
    assert_eq!(statuses(&all), [401, 401, 400]);
    assert_eq!((&all[0].1["code"], &all[1].1["type"]), (&json!("invalid_api_key"), &json!("authentication_error")));
    assert_eq!(all[2].1["details"][0]["reason"], "API_KEY_INVALID");
    assert!(!message(&all[0]).contains("sk-test"), "no vendor repeats a whole credential");
    assert_eq!(statuses(&complaints(&fake, "forbidden").await), [403; 3]);
    let none_left = complaints(&fake, "no_credit").await;
    assert_eq!((statuses(&none_left), &none_left[2].1["status"]), ([402, 402, 400], &json!("FAILED_PRECONDITION")));
    let spent = complaints(&fake, "quota").await;
    assert_eq!((statuses(&spent), &spent[0].1["code"]), ([429, 400, 429], &json!("insufficient_quota")));
    assert!(message(&spent[1]).contains("credit balance is too low"));
    assert!(spent[2].1["details"].to_string().contains("PerDayPerProject"));
    let only_bad = chat(&fake, "m~badkey=sk-other~error=bad_key", false).await;
    let bad = chat(&fake, "m~badkey=sk-te~error=bad_key", false).await;
    assert_eq!((only_bad.status, bad.status), (200, 401));
}

#[tokio::test]
async fn load_and_limits_are_told_apart() {
    let fake = provider();
    let limited = complaints(&fake, "rate_limit").await;
    assert_eq!((statuses(&limited), &limited[0].1["code"]), ([429; 3], &json!("rate_limit_exceeded")));
    assert!(limited[2].1["details"].to_string().contains("PerMinutePerProject"));
    let overloaded = complaints(&fake, "overloaded").await;
    assert_eq!((statuses(&overloaded), &overloaded[1].1["type"]), ([503, 529, 503], &json!("overloaded_error")));
    assert_eq!(statuses(&complaints(&fake, "server_error").await), [500; 3]);
    assert_eq!(chat(&fake, "m~error=overloaded~status=502", false).await.status, 502);
    assert_eq!(chat(&fake, "m~error=no_such_error", false).await.status, 400);
}

#[tokio::test]
async fn a_complaint_may_come_in_a_200_or_in_a_stream() {
    let fake = provider();
    let [openai, anthropic, gemini] = in_every_dialect(&fake, "error=overloaded~error_200", false).await;
    assert_eq!([openai.status, anthropic.status, gemini.status], [200; 3]);
    assert_eq!(anthropic.json()["error"]["type"], "overloaded_error");
    let first = in_every_dialect(&fake, "error=overloaded~error_after=0", true).await;
    assert!(first.iter().all(|reply| reply.status == 200 && reply.events().len() == 1));
    assert_eq!(first[1].events()[0]["error"]["message"], "Overloaded");
    let body = json!({"model": "m~error=rate_limit~error_after=2", "input": "hi", "stream": true});
    let events = post(&fake, "/v1/responses", body).await.events();
    assert_eq!((&events[2]["type"], &events[2]["code"]), (&json!("error"), &json!("rate_limit_exceeded")));
}

#[tokio::test]
async fn when_to_come_back_is_said_in_every_form() {
    let fake = provider();
    let retry_after = |reply: &Reply| reply.header("retry-after").map(str::to_owned);
    let [openai, _, gemini] = in_every_dialect(&fake, "status=429~retry_after=0.25", false).await;
    assert_eq!(retry_after(&openai).as_deref(), Some("0.25"));
    assert_eq!(gemini.json()["error"]["details"][0]["retryDelay"], "0.25s");
    let [openai, _, gemini] = in_every_dialect(&fake, "error=rate_limit~retry_after_ms=1250", false).await;
    assert_eq!((retry_after(&openai), openai.header("retry-after-ms")), (None, Some("1250")));
    let details = gemini.json()["error"]["details"].take();
    assert_eq!(details.as_array().unwrap().last().unwrap()["retryDelay"], "1.250s");
    let dated = chat(&fake, "m~status=503~retry_after_date=90", false).await;
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(retry_after(&dated).unwrap()).unwrap();
    let received = fake.books().last().unwrap().received_unix_ms;
    assert!(u64::try_from(date.as_millisecond()).unwrap() >= received + 90_000);
    assert!(retry_after(&dated).unwrap().ends_with(" GMT"));
    assert_eq!(retry_after(&chat(&fake, "m~retry_after=3", false).await), None);
}

#[tokio::test]
async fn the_headroom_is_in_the_vendors_own_headers() {
    let fake = provider();
    let [openai, anthropic, gemini] = in_every_dialect(&fake, "headroom=250", false).await;
    assert_eq!(openai.header("x-ratelimit-remaining-requests"), Some("2500"));
    assert_eq!(anthropic.header("anthropic-ratelimit-requests-remaining"), Some("1000"));
    assert!(gemini.headers.keys().all(|name| !name.as_str().contains("ratelimit")));
    assert_eq!(chat(&fake, "m", false).await.header("x-ratelimit-remaining-requests"), Some("9999"));
    assert_eq!(chat(&fake, "m~headroom=0", false).await.header("x-ratelimit-remaining-requests"), Some("0"));
}

#[tokio::test]
async fn every_fault_may_be_for_some_requests_only() {
    let fake = provider();
    let mut statuses = Vec::new();
    for _ in 0..9 {
        statuses.push(chat(&fake, "m~failevery=3~error=overloaded", false).await.status);
    }
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503, 200, 200, 503]);
    let cut = |reply: Reply| !reply.body.contains("[DONE]");
    assert!(cut(chat(&fake, "m~failfirst=1~cut_after=3", true).await));
    assert!(!cut(chat(&fake, "m~failfirst=1~cut_after=3", true).await));
    let mut failed = [0, 0];
    for (n, model) in ["m~failchance=500", "m~failchance=500~failseed=9"].into_iter().enumerate() {
        for _ in 0..40 {
            failed[n] += u32::from(chat(&fake, model, false).await.status == 503);
        }
    }
    assert!(failed.iter().all(|count| (5..36).contains(count)), "{failed:?}");
    let other = provider();
    let mut again = 0;
    for _ in 0..40 {
        again += u32::from(chat(&other, "m~failchance=500", false).await.status == 503);
    }
    assert_eq!(again, failed[0], "the dice fall alike in every run");
    assert_eq!(post(&fake, "/v1/messages", chat_body("c~failfirst=1", false)).await.status, 503);
}
