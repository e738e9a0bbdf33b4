//! Whatever is written, it is taken or refused; whatever is taken can be evaluated.

use proptest::prelude::*;

use super::*;

const SEEDS: [&str; 12] = [
    "request.model == 'gpt-4o'",
    "model == 'gpt-4o' && request_body.max_tokens > 4000",
    "headers[\"x-tier\"] == \"gold\" || \"x-tier\" in headers",
    "model.matches(\"^gpt-.*\") ? has(request_body.tools) : false",
    "request_body.messages.exists(m, m.role == 'user' && m.content.size() > 10)",
    "!(params.a in ['b', 'c']) && size(model) % 2 == 0",
    "{'a': 1, 2u: b'x'}['a'] == -1 + 2 * 3 / 4 - 5",
    "[1, 2.5e3, 0x1f, r'raw', \"\"\"three\"\"\"].map(x, type(x)).all(t, t == int)",
    "request_body.?a.orValue(1) == optional.of(2).value()",
    "a.b{c: 1, d: [?e]} == `x`",
    "timestamp('2024-01-01T00:00:00Z').getHours() > duration('1h')",
    "'\\u00e9\\x41\\101\\U0001F600' == b'\\377' // done",
];

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "model",
        "request",
        "request_body",
        ".",
        ".a",
        "?",
        ":",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        "\"",
        "\\",
        "'a'",
        "1",
        "1.5",
        "0x",
        "9223372036854775808",
        "1u",
        "-",
        "!",
        "&&",
        "||",
        "==",
        "<",
        "in",
        " ",
        "\n",
        "has(",
        ".exists(x, ",
        ".map(x, ",
        ".matches('",
        "b'",
        "r\"",
        "'''",
        "//",
        "é",
        "\u{0}",
        "true",
        "null",
        "+",
        "%",
        "`",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0_usize..6, any::<char>());
    (prop::sample::select(SEEDS.to_vec()), prop::collection::vec(change, 1..6)).prop_map(|(seed, changes)| {
        let mut text: Vec<char> = seed.chars().collect();
        for (place, length, new) in changes {
            let at = place.index(text.len() + 1);
            let end = (at + length).min(text.len());
            let new = if new.is_ascii() { Some(new) } else { None };
            text.splice(at..end, new);
        }
        text.into_iter().collect()
    })
}

fn try_it(text: &str) {
    match Condition::compile(text) {
        Err(error) => assert!((1..=text.chars().count() + 1).contains(&error.at), "{text:?}: {error}"),
        Ok(_) => {
            for body in ["", "{}", BODY] {
                ask(text, body);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_taken_or_refused(text in ".{0,60}") {
        try_it(&text);
    }

    #[test]
    fn any_mutation_of_an_expression_is_taken_or_refused(text in mutated()) {
        try_it(&text);
    }

    #[test]
    fn any_sequence_of_pieces_is_taken_or_refused(text in pieces()) {
        try_it(&text);
    }

    #[test]
    fn any_body_can_be_looked_at(body in ".{0,80}", key in "[a-z]{0,3}") {
        let object = format!("{{\"{key}\": [{body}]}}");
        for body in [&body, &object] {
            ask("request_body.a == 1 || size(request) == 6", body);
        }
    }
}
