//! Operations that are no conversations.

use policy::request::{Dialect, Operation};
use policy::usage::Usage;

use super::*;
use crate::meter::Meter;

const TARGET: Target<'static> =
    Target { model: "m", stream: false, limit: None, limit_if_none: 4_096, quirks: Quirks::NONE, drops: false };

fn embeddings(client: Dialect, vendor: Dialect) -> Translation {
    Translation::new((client, Operation::Embedding), (vendor, Operation::Embedding)).unwrap()
}

fn counting(client: Dialect, vendor: Dialect) -> Translation {
    Translation::new((client, Operation::CountTokens), (vendor, Operation::CountTokens)).unwrap()
}

fn asked(body: &str) -> Context {
    Context { model: "m".to_owned(), asked: Bytes::copy_from_slice(body.as_bytes()), ..Context::default() }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn told(outcome: Result<Translated, Untranslatable>) -> String {
    match outcome {
        Ok(translated) => text(translated.body),
        Err(Untranslatable::Inexpressible { fields }) => fields.join(","),
        Err(error) => error.to_string(),
    }
}

#[test]
fn openai_asks_gemini_for_vectors() {
    for (asked, expected) in [
        (
            r#"{"model":"x","input":"a\n","encoding_format":"base64","user":null}"#,
            r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a\n"}]}}]}"#,
        ),
        (
            r#"{"input":["a","b"],"model":"x","dimensions":64,"fallbacks":["y"]}"#,
            r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"outputDimensionality":64},{"model":"models/m","content":{"parts":[{"text":"b"}]},"outputDimensionality":64}]}"#,
        ),
        (r#"{"input":[1,2]}"#, "`input` must be text: the model's provider takes no tokens"),
        (r#"{"input":[[1],[2]]}"#, "`input` must be text: the model's provider takes no tokens"),
        (r#"{"input":["a",1]}"#, "`input[1]` must be a text, a token or an array of tokens, as the others are"),
        (r#"{"input":{}}"#, "`input` must be a text, an array of tokens, or an array of these"),
        (r#"{"input":"a","encoding_format":"int8"}"#, "`encoding_format` must be `float` or `base64`"),
        (r#"{"input":"a","input_type":"query"}"#, "input_type"),
    ] {
        let translation = embeddings(Dialect::OpenAi, Dialect::Gemini);
        assert_eq!(told(translation.request(asked.as_bytes(), &TARGET)), expected, "{asked}");
    }
}

#[test]
fn the_user_of_a_vector_is_a_hint() {
    let translation = embeddings(Dialect::OpenAi, Dialect::Gemini);
    let translated = translation.request(br#"{"input":"a","user":"u"}"#, &TARGET).unwrap();
    assert_eq!(translated.dropped, ["user"]);
}

#[test]
fn gemini_asks_openai_for_vectors() {
    for (asked, expected) in [
        (
            r#"{"model":"models/x","content":{"parts":[{"text":"a"},{"text":"b"}]},"outputDimensionality":3}"#,
            r#"{"model":"m","input":["ab"],"dimensions":3}"#,
        ),
        (
            r#"{"requests":[{"content":{"parts":{"text":"a"}},"output_dimensionality":3},{"content":{"parts":[{"text":"b"}]},"outputDimensionality":3}]}"#,
            r#"{"model":"m","input":["a","b"],"dimensions":3}"#,
        ),
        (
            r#"{"requests":[{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","title":"t"}]}"#,
            "requests[].taskType,requests[].title",
        ),
        (r#"{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"}"#, "taskType"),
        (
            r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"a"}]},"outputDimensionality":3}]}"#,
            "`requests[].outputDimensionality` must be the same in all",
        ),
        (
            r#"{"requests":[{"content":{"parts":[{"inlineData":{}}]}}]}"#,
            "`requests[0].content.parts[0].inlineData` must be a text, where the model's provider takes nothing else",
        ),
        (r#"{"requests":[{}]}"#, "`requests[0].content` must be a text"),
        ("{}", "`content` must be a text"),
    ] {
        let translation = embeddings(Dialect::Gemini, Dialect::OpenAi);
        assert_eq!(told(translation.request(asked.as_bytes(), &TARGET)), expected, "{asked}");
    }
}

#[test]
fn vectors_come_in_the_form_that_was_asked_for() {
    let to_openai = embeddings(Dialect::OpenAi, Dialect::Gemini);
    let gemini = br#"{"embeddings":[{"values":[0.5,
        -1]},{"values":[2]}],"usageMetadata":{"promptTokenCount":7}}"#;
    let float = r#"{"input":["a","b"],"encoding_format":"float"}"#;
    assert_eq!(
        text(to_openai.answer(gemini, &asked(float)).unwrap()),
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]},{"object":"embedding","index":1,"embedding":[2]}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}"#
    );
    let base64 = r#"{"input":["a","b"],"encoding_format":"base64"}"#;
    assert_eq!(
        text(to_openai.answer(gemini, &asked(base64)).unwrap()),
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="},{"object":"embedding","index":1,"embedding":"AAAAQA=="}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}"#
    );
    let to_gemini = embeddings(Dialect::Gemini, Dialect::OpenAi);
    let openai = br#"{"object":"list","model":"m","data":[{"index":1,"embedding":"AAAAQA=="},{"index":0,"embedding":[0.5,-1]}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#;
    assert_eq!(
        text(to_gemini.answer(openai, &asked(r#"{"requests":[]}"#)).unwrap()),
        r#"{"embeddings":[{"values":[0.5,-1]},{"values":[2.0]}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}"#
    );
    let one = br#"{"data":[{"embedding":[0.5]}]}"#;
    assert_eq!(text(to_gemini.answer(one, &asked(r#"{"content":{}}"#)).unwrap()), r#"{"embedding":{"values":[0.5]}}"#);
    assert_eq!(
        text(to_gemini.answer(one, &asked(r#"{"requests":[]}"#)).unwrap()),
        r#"{"embeddings":[{"values":[0.5]}]}"#
    );
    assert!(to_gemini.answer(br#"{"object":"list"}"#, &asked("{}")).is_err());
    assert!(to_openai.answer(br#"{"embedding":{}}"#, &asked(float)).is_err());
}

#[test]
fn a_count_is_asked_for_as_the_vendor_wants_it() {
    let anthropic = r#"{"model":"x","messages":[{"role":"user","content":"Hi"}],"thinking":{"type":"enabled","budget_tokens":50000}}"#;
    let responses = r#"{"model":"x","instructions":"Be brief","input":"Hi","tools":[{"type":"function","name":"f","parameters":{"type":"object"}}]}"#;
    let wrapped = r#"{"generateContentRequest":{"model":"models/x","contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"temperature":1.5,"topK":4,"stopSequences":["x"]}}}"#;
    let plain = r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#;
    for (client, body, vendor, first) in [
        (Dialect::Anthropic, anthropic, Dialect::Gemini, vec!["generateContentRequest"]),
        (Dialect::Anthropic, anthropic, Dialect::OpenAi, vec!["input", "model", "reasoning"]),
        (Dialect::OpenAi, responses, Dialect::Anthropic, vec!["messages", "model", "system", "tools"]),
        (Dialect::OpenAi, responses, Dialect::Gemini, vec!["generateContentRequest"]),
        (Dialect::Gemini, wrapped, Dialect::Anthropic, vec!["messages", "model"]),
        (Dialect::Gemini, plain, Dialect::OpenAi, vec!["input", "model"]),
    ] {
        let translated = counting(client, vendor).request(body.as_bytes(), &TARGET).unwrap();
        assert!(translated.dropped.is_empty(), "{:?}", translated.dropped);
        let written: serde_json::Value = serde_json::from_slice(&translated.body).unwrap();
        let names: Vec<_> = written.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, first, "{written}");
        let asked = written.get("generateContentRequest").unwrap_or(&written);
        let model = if vendor == Dialect::Gemini { "models/m" } else { "m" };
        assert_eq!(asked["model"], model, "{written}");
        assert!(written.to_string().contains("\"Hi\""), "{written}");
    }
}

#[test]
fn an_error_within_a_wrapped_request_names_its_place() {
    let body = br#"{"generateContentRequest":{"contents":7}}"#;
    let error = counting(Dialect::Gemini, Dialect::OpenAi).request(body, &TARGET).unwrap_err();
    assert!(error.to_string().starts_with("`generateContentRequest.contents"), "{error}");
}

#[test]
fn a_count_is_told_as_the_client_reads_it() {
    let answers = [
        (Dialect::OpenAi, r#"{"object":"response.input_tokens","input_tokens":12}"#),
        (Dialect::Anthropic, r#"{"input_tokens":12}"#),
        (Dialect::Gemini, r#"{"totalTokens":12}"#),
    ];
    for (vendor, answer) in answers {
        for (client, expected) in answers.into_iter().filter(|(client, _)| *client != vendor) {
            let translation = counting(client, vendor);
            assert_eq!(text(translation.answer(answer.as_bytes(), &Context::default()).unwrap()), expected);
            assert!(translation.answer(b"{}", &Context::default()).is_err());
        }
    }
}

#[test]
fn what_no_dialect_has_is_not_translated() {
    let embed = Operation::Embedding;
    assert!(Translation::new((Dialect::OpenAi, embed), (Dialect::Anthropic, embed)).is_none());
    assert!(Translation::new((Dialect::OpenAi, embed), (Dialect::OpenAi, embed)).is_none());
    let chat = Operation::ChatCompletion;
    assert!(Translation::new((Dialect::OpenAi, embed), (Dialect::Gemini, chat)).is_none());
    let mut stream = embeddings(Dialect::OpenAi, Dialect::Gemini).stream(Context::default());
    assert!(stream.pass(b"data: {}\n\n", true).unwrap().is_empty());
}

#[test]
fn vectors_are_metered_the_same_on_both_sides() {
    let used = |dialect, answer: &[u8]| -> Usage {
        let mut meter = Meter::new(dialect, Operation::Embedding, false, false);
        meter.pass(Bytes::copy_from_slice(answer), true);
        meter.metered(&policy::demand::Demand::default(), 0).usage
    };
    let openai = br#"{"data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#;
    let gemini = embeddings(Dialect::Gemini, Dialect::OpenAi).answer(openai, &asked("{}")).unwrap();
    assert_eq!(used(Dialect::Gemini, &gemini), used(Dialect::OpenAi, openai));
    let back = embeddings(Dialect::OpenAi, Dialect::Gemini).answer(&gemini, &asked("{}")).unwrap();
    assert_eq!(used(Dialect::OpenAi, &back), used(Dialect::OpenAi, openai));
    assert_eq!(used(Dialect::OpenAi, &back).input, 7);
}

#[test]
fn what_only_another_vendor_keeps_is_refused_even_where_fields_are_dropped() {
    let body = br#"{"input":"And then?","previous_response_id":"resp_1","logprobs":true,"moderation":{}}"#;
    let translation = Translation::between(Wire::Responses, Wire::Messages);
    let error = translation.request(body, &Target { drops: true, ..TARGET }).unwrap_err();
    assert_eq!(error, Untranslatable::Stored { fields: vec!["previous_response_id".into()] });
    assert_eq!(
        error.refusal().message,
        "`previous_response_id` names what only another provider has kept; send it with the request instead"
    );
    let file = br#"{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}"#;
    let error = Translation::between(Wire::Chat, Wire::Generate).request(file, &Target { drops: true, ..TARGET });
    assert_eq!(error.unwrap_err().refusal().param.as_deref(), Some("messages[].content[].file.file_id"));
}
