use bytes::Bytes;
use serde_json::{Value, json};

use crate::hub::Wire;
use crate::translate::{Context, Target, Translation, Untranslatable};
use crate::vendor::Quirks;

const TO_CHAT: Translation = Translation::between(Wire::Completions, Wire::Chat);

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn asked(body: &str) -> Result<Value, Untranslatable> {
    let target =
        Target { model: "m", stream: false, limit: None, limit_if_none: 4096, quirks: Quirks::NONE, drops: false };
    let translated = TO_CHAT.request(body.as_bytes(), &target)?;
    assert!(translated.dropped.is_empty(), "{:?}", translated.dropped);
    Ok(serde_json::from_slice(&translated.body).unwrap())
}

fn context(asked: &str) -> Context {
    Context {
        request_id: "req-1".to_owned(),
        model: "m".to_owned(),
        now_s: 7,
        wants_usage: true,
        asked: Bytes::copy_from_slice(asked.as_bytes()),
        ..Context::default()
    }
}

fn answered(answer: &str, asked: &str) -> Value {
    serde_json::from_slice(&TO_CHAT.answer(answer.as_bytes(), &context(asked)).unwrap()).unwrap()
}

fn streamed(stream: &str, asked: &str) -> Vec<String> {
    let mut through = TO_CHAT.stream(context(asked));
    let out = through.pass(stream.as_bytes(), true).unwrap();
    let text = String::from_utf8(out.to_vec()).unwrap();
    text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap().to_owned()).collect()
}

/// Text, reason and first token of each chunk's choice.
fn chunks(events: &[String]) -> Vec<(String, Value, Value)> {
    let choices = events.iter().filter_map(|event| {
        let chunk: Value = serde_json::from_str(event).ok()?;
        assert_eq!(chunk["object"], "text_completion");
        chunk["choices"].get(0).cloned()
    });
    choices
        .map(|choice| {
            let text = choice["text"].as_str().unwrap().to_owned();
            (text, choice["finish_reason"].clone(), choice["logprobs"].clone())
        })
        .collect()
}

#[test]
fn a_prompt_is_what_the_user_says() {
    assert_eq!(
        asked(&fixture("completions/plain.request.json")).unwrap(),
        json!({
            "model": "m",
            "messages": [{"role": "user", "content": "Say this is a test\n"}],
            "max_completion_tokens": 7,
            "temperature": 0,
            "stop": ["\n\n"],
            "user": "user-7",
        })
    );
    assert_eq!(
        asked(&fixture("completions/full.request.json")).unwrap(),
        json!({
            "model": "m",
            "messages": [{"role": "user", "content": "Once upon a time"}],
            "max_completion_tokens": 20,
            "temperature": 0.7,
            "top_p": 0.9,
            "frequency_penalty": 0.1,
            "presence_penalty": 0.2,
            "seed": 1,
            "n": 2,
            "stop": ["END"],
            "logprobs": true,
            "top_logprobs": 3,
            "logit_bias": {"50256": -100},
        })
    );
}

#[test]
fn the_limit_is_that_of_the_api_where_none_is_said() {
    assert_eq!(asked(r#"{"prompt":"x"}"#).unwrap()["max_completion_tokens"], 16);
    assert_eq!(asked(r#"{"prompt":"x","max_tokens":null}"#).unwrap()["max_completion_tokens"], 16);
}

#[test]
fn what_no_conversation_can_be_asked_is_named() {
    let prompt =
        "`prompt` must be one text: the model is spoken to in conversations, not in tokens or several prompts at once";
    for (body, message) in [
        ("{}", prompt),
        (r#"{"prompt":null}"#, prompt),
        (r#"{"prompt":[]}"#, prompt),
        (r#"{"prompt":["a","b"]}"#, prompt),
        (r#"{"prompt":[1,2]}"#, prompt),
        (r#"{"prompt":[[1,2]]}"#, prompt),
        (r#"{"prompt":"a","max_tokens":"many"}"#, "`max_tokens` must be a whole number, not negative"),
    ] {
        assert_eq!(asked(body).unwrap_err().to_string(), message, "{body}");
    }
    for (body, field) in [
        (r#"{"prompt":"a","suffix":"b"}"#, "suffix"),
        (r#"{"prompt":"a","best_of":2}"#, "best_of"),
        (r#"{"prompt":"a","best_of":3,"n":2}"#, "best_of"),
        (r#"{"prompt":"a","echo":true,"logprobs":0}"#, "echo"),
        (r#"{"prompt":"a","use_beam_search":true}"#, "use_beam_search"),
    ] {
        let error = asked(body).unwrap_err();
        assert_eq!(error, Untranslatable::Inexpressible { fields: vec![field.into()] }, "{body}");
    }
    assert!(asked(r#"{"prompt":"a","suffix":"","echo":true}"#).is_ok());
}

#[test]
fn an_answer_is_its_text() {
    let value = answered(&fixture("chat/deepseek.answer.json"), "{}");
    assert_eq!(value["object"], "text_completion");
    let choice = json!({"text": "9.11 < 9.8", "index": 0, "logprobs": null, "finish_reason": "stop"});
    assert_eq!(value["choices"], json!([choice]));
    assert_eq!(value["usage"]["total_tokens"], 48);
    let cut = answered(&fixture("chat/filter.answer.json"), "{}");
    assert_eq!(cut["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn an_echo_comes_first() {
    let body = r#"{"prompt":"1+1=","echo":true}"#;
    let answer = r#"{"choices":[{"finish_reason":"length","message":{"content":"2"}}]}"#;
    let value = answered(answer, body);
    assert_eq!((&value["id"], &value["choices"][0]["text"]), (&json!("cmpl-req-1"), &json!("1+1=2")));
    let texts: String =
        chunks(&streamed(&fixture("chat/choices.stream.sse"), body)).into_iter().map(|it| it.0).collect();
    assert_eq!(texts, "1+1=Ja1+1=Nein.!");
}

#[test]
fn log_probabilities_are_in_columns() {
    let value = answered(&fixture("chat/choices.answer.json"), "{}");
    let expected = json!({
        "tokens": ["He"],
        "token_logprobs": [-0.31725305],
        "top_logprobs": [{"He": -0.31725305, "\n": -1.3190403}],
        "text_offset": [0],
    });
    assert_eq!(value["choices"][0]["logprobs"], expected);
    let events = streamed(&fixture("chat/logprobs.stream.sse"), "{}");
    let offsets: Vec<_> = chunks(&events).iter().map(|chunk| chunk.2["text_offset"][0].clone()).collect();
    assert_eq!(offsets, [json!(null), json!(0), json!(null), json!(2), json!(null)]);
}

#[test]
fn a_stream_has_the_text_only() {
    let events = streamed(&fixture("chat/openrouter.stream.sse"), "{}");
    let told: Vec<_> = chunks(&events).into_iter().map(|(text, reason, _)| (text, reason)).collect();
    assert_eq!(told, [("I look.".to_owned(), json!(null)), (String::new(), json!("stop"))]);
    let [.., usage, done] = &*events else { panic!("{events:?}") };
    assert!(usage.contains(r#""choices":[],"usage":{"prompt_tokens":500,"#), "{usage}");
    assert_eq!(done, "[DONE]");
}

#[test]
fn an_error_ends_the_stream() {
    let events = streamed(&fixture("chat/error.stream.sse"), "{}");
    let error: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(error["error"]["type"], "server_error");
}
