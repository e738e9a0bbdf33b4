use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::peek::peek;

const CHAT: Operation = Operation::ChatCompletion;

fn edited(dialect: Dialect, operation: Operation, body: &str, edit: &Edit<'_>) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let peek = peek(dialect, operation, &body).unwrap();
    String::from_utf8(splice(&body, &peek, edit).to_vec()).unwrap()
}

fn chat(body: &str, edit: &Edit<'_>) -> String {
    edited(Dialect::OpenAi, CHAT, body, edit)
}

#[test]
fn nothing_to_change_is_not_copied() {
    let body =
        Bytes::from_static(b"{ \"model\": \"m\", \"stream\": true, \"stream_options\": {\"include_usage\": true} }");
    let peek = peek(Dialect::OpenAi, CHAT, &body).unwrap();
    let edit = Edit { model: Some("m"), request_usage: true, drop_gateway_fields: true, ..Edit::default() };
    let same = splice(&body, &peek, &edit);
    assert_eq!(same.as_ptr(), body.as_ptr());
    assert_eq!(same, body);
}

#[test]
fn the_model_is_replaced_wherever_it_stands() {
    let edit = Edit { model: Some("a \"b\"\n"), ..Edit::default() };
    let cases = [
        (r#"{"model":"m"}"#, r#"{"model":"a \"b\"\n"}"#),
        (
            r#"{ "x" : 1 , "mod\u0065l" : "m\u0041" , "y" : [ ] }"#,
            r#"{ "x" : 1 , "mod\u0065l" : "a \"b\"\n" , "y" : [ ] }"#,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(chat(body, &edit), expected);
    }
}

#[test]
fn gemini_names_models_as_resources() {
    let edit = Edit { model: Some("new"), ..Edit::default() };
    let body = r#"{"requests":[{"model":"models/old","content":{}},{"model":"old"}],"model":"models/old"}"#;
    let expected = r#"{"requests":[{"model":"models/new","content":{}},{"model":"new"}],"model":"models/new"}"#;
    assert_eq!(edited(Dialect::Gemini, Operation::Embedding, body, &edit), expected);
    assert_eq!(edited(Dialect::Gemini, CHAT, r#"{"contents":[]}"#, &edit), r#"{"contents":[]}"#);
}

#[test]
fn usage_is_asked_for_in_streams() {
    let edit = Edit { request_usage: true, ..Edit::default() };
    let cases = [
        (r#"{"model":"m","stream":true}"#, r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#),
        (
            r#"{"model":"m","stream":true,"stream_options":null}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options": { } ,"model":"m","stream":true}"#,
            r#"{"stream_options": {"include_usage":true } ,"model":"m","stream":true}"#,
        ),
        (
            r#"{"stream_options":{"include_obfuscation":false},"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"include_obfuscation":false},"model":"m","stream":true}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":false},"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
        ),
        (r#"{"model":"m","stream":false}"#, r#"{"model":"m","stream":false}"#),
        (r#"{"model":"m"}"#, r#"{"model":"m"}"#),
    ];
    for (body, expected) in cases {
        assert_eq!(chat(body, &edit), expected);
        assert_eq!(edited(Dialect::OpenAi, Operation::TextCompletion, body, &edit), expected);
    }
    let stream = r#"{"model":"m","stream":true}"#;
    assert_eq!(edited(Dialect::OpenAi, Operation::Responses, stream, &edit), stream);
    assert_eq!(edited(Dialect::Anthropic, CHAT, stream, &edit), stream);
}

#[test]
fn the_gateways_field_goes_with_its_comma() {
    let edit = Edit { drop_gateway_fields: true, ..Edit::default() };
    let cases = [
        (r#"{"fallbacks":["a/b"],"model":"m"}"#, r#"{"model":"m"}"#),
        (r#"{ "fallbacks" : [] , "model":"m" }"#, r#"{ "model":"m" }"#),
        (r#"{"model":"m","fallbacks":["a/b"]}"#, r#"{"model":"m"}"#),
        (r#"{"model":"m" , "fallbacks" : "x" , "n":1}"#, r#"{"model":"m"  , "n":1}"#),
        (r#"{"model":"m","f\u0061llbacks":{"a":[1,{}]},"n":1}"#, r#"{"model":"m","n":1}"#),
        (r#"{"model":"m","x":{"fallbacks":[]}}"#, r#"{"model":"m","x":{"fallbacks":[]}}"#),
    ];
    for (body, expected) in cases {
        assert_eq!(chat(body, &edit), expected);
    }
    assert_eq!(edited(Dialect::Gemini, CHAT, r#"{ "fallbacks":[] }"#, &edit), "{ }");
}

#[test]
fn the_output_limit_is_put_in_the_dialects_own_field() {
    let edit = Edit { max_output: Some(256), ..Edit::default() };
    let gemini = r#"{"generationConfig":{"maxOutputTokens":256}}"#;
    let cases = [
        (Dialect::OpenAi, CHAT, r#"{"model":"m"}"#, r#"{"max_completion_tokens":256,"model":"m"}"#),
        (Dialect::OpenAi, CHAT, r#"{"model":"m","max_tokens":9}"#, r#"{"model":"m","max_tokens":256}"#),
        (
            Dialect::OpenAi,
            CHAT,
            r#"{"model":"m","max_tokens":9,"max_completion_tokens":null}"#,
            r#"{"model":"m","max_tokens":256,"max_completion_tokens":256}"#,
        ),
        (Dialect::OpenAi, Operation::TextCompletion, r#"{"model":"m"}"#, r#"{"max_tokens":256,"model":"m"}"#),
        (Dialect::OpenAi, Operation::Responses, r#"{"model":"m"}"#, r#"{"max_output_tokens":256,"model":"m"}"#),
        (Dialect::Anthropic, CHAT, r#"{"model":"m"}"#, r#"{"max_tokens":256,"model":"m"}"#),
        (Dialect::Gemini, CHAT, "{}", gemini),
        (Dialect::Gemini, CHAT, r#"{"generationConfig":null}"#, gemini),
        (Dialect::Gemini, CHAT, r#"{"generationConfig":{}}"#, gemini),
        (Dialect::Gemini, CHAT, r#"{"generationConfig":{"maxOutputTokens":9}}"#, gemini),
        (
            Dialect::Gemini,
            CHAT,
            r#"{"generation_config":{ "topK":1}}"#,
            r#"{"generation_config":{"maxOutputTokens":256, "topK":1}}"#,
        ),
    ];
    for (dialect, operation, body, expected) in cases {
        assert_eq!(edited(dialect, operation, body, &edit), expected);
    }
}

#[test]
fn all_changes_at_once() {
    let edit = Edit {
        model: Some("new"),
        max_output: Some(5),
        request_usage: true,
        drop_gateway_fields: true,
        ..Edit::default()
    };
    let body = r#"{"fallbacks":[1],"model":"m","stream":true}"#;
    let expected = r#"{"max_completion_tokens":5,"stream_options":{"include_usage":true},"model":"new","stream":true}"#;
    assert_eq!(chat(body, &edit), expected);
}

/// Governed fields and others, in any order, with any spaces, keys perhaps escaped.
fn member() -> impl Strategy<Value = (String, Value)> {
    let other = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!({"model": ["fallbacks"]}))
    ];
    let options = prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!({"include_usage": false})),
        Just(json!({"include_usage": true, "x": [1]})),
        Just(json!({"include_obfuscation": true})),
    ];
    prop_oneof![
        options.prop_map(|options| ("stream_options".to_owned(), options)),
        prop::collection::vec(any::<String>(), 0..3).prop_map(|list| ("fallbacks".to_owned(), Value::from(list))),
        (0_u32..1_000).prop_map(|limit| ("max_tokens".to_owned(), Value::from(limit))),
        ("[a-z]{1,3}", other).prop_map(|(name, value)| (format!("x_{name}"), value)),
    ]
}

fn escape(name: &str) -> String {
    name.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn only_the_governed_fields_change(
        members in prop::collection::btree_map(".*", member(), 0..6).prop_map(|map| map.into_values().collect::<Vec<_>>()),
        place in 0_usize..6,
        space in "[ \n\t]{0,2}",
        escapes in any::<bool>(),
        new in any::<String>(),
        drop_gateway_fields in any::<bool>(),
    ) {
        let mut members: Vec<(String, Value)> = members;
        let mut names = std::collections::BTreeSet::new();
        members.retain(|(name, _)| names.insert(name.clone()));
        members.insert(place.min(members.len()), ("model".to_owned(), "old".into()));
        members.push(("stream".to_owned(), true.into()));
        let written: Vec<String> = members
            .iter()
            .map(|(name, value)| {
                let name = if escapes { escape(name) } else { name.clone() };
                format!("{space}\"{name}\"{space}:{space}{value}{space}")
            })
            .collect();
        let untouched: Vec<String> =
            members.iter().zip(&written).filter(|((name, _), _)| name.starts_with("x_")).map(|(_, text)| text.clone()).collect();
        let body = format!("{space}{{{}}}{space}", written.join(","));
        let edit = Edit { model: Some(&new), request_usage: true, drop_gateway_fields, ..Edit::default() };
        let result = chat(&body, &edit);

        let mut expected: Map<String, Value> = members.into_iter().collect();
        expected.insert("model".into(), new.as_str().into());
        if drop_gateway_fields {
            expected.remove("fallbacks");
        }
        let options = expected.entry("stream_options").or_insert(json!({}));
        if options.is_null() {
            *options = json!({});
        }
        options["include_usage"] = true.into();
        let parsed: Value = serde_json::from_str(&result).unwrap();
        prop_assert_eq!(parsed, Value::Object(expected));
        for member in &untouched {
            prop_assert!(result.contains(member.trim()), "lost {member}");
        }
    }
}

#[test]
fn a_vendor_that_knows_the_older_limit_alone_gets_that_one() {
    let older = Edit { limit_field: Some("max_tokens"), ..Edit::default() };
    let clamped = Edit { max_output: Some(256), ..older };
    for (body, edit, expected) in [
        (r#"{"model":"m","max_completion_tokens" : 9}"#, older, r#"{"model":"m","max_tokens" : 9}"#),
        (r#"{"max\u005fcompletion_tokens":9,"model":"m"}"#, older, r#"{"max_tokens":9,"model":"m"}"#),
        (r#"{"model":"m","max_tokens":9}"#, older, r#"{"model":"m","max_tokens":9}"#),
        (r#"{"model":"m"}"#, older, r#"{"model":"m"}"#),
        (r#"{"model":"m"}"#, clamped, r#"{"max_tokens":256,"model":"m"}"#),
        (r#"{"model":"m","max_completion_tokens":null}"#, clamped, r#"{"model":"m","max_tokens":256}"#),
        // Whichever of the two it keeps to, it is the one that was reserved.
        (
            r#"{"model":"m","max_tokens":null,"max_completion_tokens":9}"#,
            older,
            r#"{"model":"m","max_tokens":9,"max_completion_tokens":9}"#,
        ),
    ] {
        assert_eq!(chat(body, &edit), expected);
    }
    let text = r#"{"model":"m","prompt":"x"}"#;
    let completion = edited(Dialect::OpenAi, Operation::TextCompletion, text, &clamped);
    assert_eq!(completion, r#"{"max_tokens":256,"model":"m","prompt":"x"}"#);
    let body = edited(Dialect::OpenAi, Operation::Responses, r#"{"model":"m","input":"x"}"#, &clamped);
    assert_eq!(body, r#"{"max_output_tokens":256,"model":"m","input":"x"}"#);
    let newer = Edit { limit_field: Some("max_completion_tokens"), ..Edit::default() };
    let both = r#"{"model":"m","max_tokens":1,"max_completion_tokens":9}"#;
    assert_eq!(chat(both, &newer), both);
}

#[test]
fn a_vendor_that_reports_usage_unasked_is_not_asked() {
    let edit = Edit { drop_stream_options: true, ..Edit::default() };
    for (body, expected) in [
        (
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"model":"m","stream":true,"stream_options":null}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":null}"#,
            r#"{"model":"m","stream":true,"stream_options":null}"#,
        ),
        (r#"{"model":"m","stream":true}"#, r#"{"model":"m","stream":true}"#),
    ] {
        assert_eq!(chat(body, &edit), expected);
    }
}
