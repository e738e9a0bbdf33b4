//! Expressions that are refused, each with its place.

use super::*;

fn error(expression: &str) -> String {
    match Condition::compile(expression) {
        Ok(_) => panic!("`{expression}` was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_the_nearest_name() {
    for (expression, expected) in [
        ("modle == 'gpt-4o'", "at character 1: no variable `modle` is known; did you mean `model`?"),
        ("model == 'ü' && modle == 'a'", "at character 17: no variable `modle` is known; did you mean `model`?"),
        (
            "model == 'a' &&\n  provder == 'b'",
            "at character 19: no variable `provder` is known; did you mean `provider`?",
        ),
        ("request.modle == 'a'", "at character 8: `request` has no `modle`; did you mean `model`?"),
        ("request['bdy'].a == 1", "at character 8: `request` has no `bdy`; did you mean `body`?"),
        ("has(request.bdy)", "at character 4: `request` has no `bdy`; did you mean `body`?"),
        ("model.startWith('a')", "at character 16: no function `startWith` is known; did you mean `startsWith`?"),
        ("budget_use > 80", "at character 1: no variable `budget_use` is known; did you mean `budget_used`?"),
        ("tokens_used", "at character 1: is never true or false, but a number"),
        ("'gpt-4o'", "at character 1: is never true or false, but a text"),
        ("7", "at character 1: is never true or false, but a number"),
        ("null", "at character 1: is never true or false, but null"),
        ("[true]", "at character 1: is never true or false, but a list"),
        ("model", "at character 1: is never true or false, but a text"),
        ("request_body", "at character 1: is never true or false, but an object"),
        ("1 + 1", "at character 1: is never true or false"),
        ("1 / 0 == 1", "at character 1: cannot be evaluated: Division by zero of Int(1)"),
        (".model == 'a'", "at character 2: no variable `.model` is known; did you mean `model`?"),
        ("model.matches('(')", "at character 15: the pattern cannot be used: error: unclosed group"),
        ("model.matches('a{1000}{1000}')", "at character 15: the pattern cannot be used: too large"),
        (
            "model.matches(headers.a)",
            "at character 14: `matches` needs a pattern written as a text, as in model.matches(\"^gpt-\")",
        ),
        ("model.exists(x)", "at character 13: `exists` has other arguments than these"),
        ("[1].exists(model, model == 1)", "at character 11: `model` is a variable already: choose another name here"),
        (
            "request_body.a.exists(x, request_body.b == x)",
            "at character 26: `request_body` cannot be used inside a loop, only the loop's own variable",
        ),
        (
            "[[[1]]].all(a, a.all(b, b.all(c, c == 1)))",
            "at character 30: loops over lists are nested more than 2 deep here",
        ),
        ("Thing{a: 1} == 1", "at character 6: messages cannot be built here"),
    ] {
        assert_eq!(error(expression), expected, "{expression}");
    }
}

#[test]
fn what_is_no_expression_is_told_with_its_place() {
    for (expression, place) in
        [("model == ", 10), ("model = 'a'", 7), ("(model", 7), ("a &&\n&& b", 6), ("'abc", 1), ("model ==", 9)]
    {
        let error = Condition::compile(expression).unwrap_err();
        assert_eq!(error.at, place, "{expression}: {error}");
    }
}

#[test]
fn expressions_are_bounded() {
    let long = format!("model == '{}'", "a".repeat(10_240));
    assert_eq!(error(&long), "at character 1: has 10251 bytes, more than 10240");

    for (open, close, most) in [("(", ")", 32), ("[", "]", 31), ("!(", ")", 28)] {
        let nested = |depth: usize| format!("{}true{} == model", open.repeat(depth), close.repeat(depth));
        assert!(Condition::compile(&nested(most)).is_ok() || open == "[", "{}", nested(most));
        assert!(error(&nested(33)).contains("is nested"), "{open}");
        assert!(error(&nested(3_000)).contains("is nested too deeply here"), "{open}");
    }
    for link in [" + 1", ".a", "[0]", " - 1", " in model", " == 1", "()", " ? 1 : 2", " < 2", ".a()", "[0"] {
        assert!(error(&format!("model{}", link.repeat(1_000))).contains("is nested too deeply here"), "{link}");
        assert!(error(&format!("model{}", link.repeat(40))).contains("at character"), "{link}");
    }
    for prefix in ["!", "-", "- ", "! ", "model ? model : ", "model ? "] {
        assert!(error(&format!("{}model", prefix.repeat(600))).contains("is nested too deeply here"), "{prefix}");
    }
}

#[test]
fn what_is_only_long_is_not_deep() {
    let words: Vec<_> = (0..400).map(|index| format!("'model-{index}'")).collect();
    assert_eq!(ask(&format!("model in [{}, 'gpt-4o']", words.join(",")), "{}"), Match::Yes);
    let either: Vec<_> = (0..200).map(|index| format!("model == 'model-{index}'")).collect();
    assert_eq!(ask(&format!("{} || model == 'gpt-4o'", either.join(" || ")), "{}"), Match::Yes);
    assert_eq!(
        ask(
            "model != '((((((((((((((((((((((((((((((((((((((((((((((((((' // ((((((((((((((((((((((((((((((((((",
            "{}"
        ),
        Match::Yes
    );
    assert_eq!(ask(r#"model != r'\' && model != """a"((((b""" && model != 'a\'[[['"#, "{}"), Match::Yes);
}

#[test]
fn a_long_text_that_is_no_expression_is_refused_within_the_same_bounds() {
    for piece in [
        "a b ",
        "a, ",
        ") ",
        "'x' ",
        "( ) ",
        "has(a) ",
        "&& ",
        "|| a ",
        "model == 'a' || ",
        "@#$ ",
        "é",
        "\u{0}",
        "{a:b},",
    ] {
        let text = piece.repeat(10_000 / piece.len());
        assert!(Condition::compile(&text).is_err(), "{piece}");
    }
}
