//! The request to go on.

use bytes::Bytes;
use policy::request::{Dialect, Operation};

use crate::resume::with_prefill;

const CHAT: Operation = Operation::ChatCompletion;

fn prefilled(dialect: Dialect, operation: Operation, body: &str, text: &str) -> Option<String> {
    let body = with_prefill(&Bytes::copy_from_slice(body.as_bytes()), dialect, operation, text)?;
    Some(String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn the_text_is_added_and_all_else_stays_as_it_was_written() {
    let text = "Grüße \"an\"\n\u{1F600} ";
    let openai = [
        (
            "{\"model\" : \"m\", \"messages\":[ {\"role\":\"user\",\"content\":\"a\"} ] ,\"seed\":1.50e2}",
            "{\"model\" : \"m\", \"messages\":[ {\"role\":\"user\",\"content\":\"a\"} ,{\"role\":\"assistant\",\"content\":\"Grüße \\\"an\\\"\\n\u{1F600} \"}] ,\"seed\":1.50e2}",
        ),
        (
            "{\"messages\":[]}",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":\"Grüße \\\"an\\\"\\n\u{1F600} \"}]}",
        ),
        (
            "{\"messages\":[{\"content\":\"\\u00e9: \",\"role\":\"assistant\"}]}",
            "{\"messages\":[{\"content\":\"\\u00e9: Grüße \\\"an\\\"\\n\u{1F600} \",\"role\":\"assistant\"}]}",
        ),
        (
            "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}]}",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"bGrüße \\\"an\\\"\\n\u{1F600} \"}]}]}",
        ),
    ];
    for (body, expected) in openai {
        assert_eq!(prefilled(Dialect::OpenAi, CHAT, body, text).as_deref(), Some(expected));
        let trimmed = expected.replace("\u{1F600} \"", "\u{1F600}\"");
        assert_eq!(prefilled(Dialect::Anthropic, CHAT, body, text), Some(trimmed));
    }
    let gemini = [
        (
            "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]}]}",
            "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]},{\"role\":\"model\",\"parts\":[{\"text\":\"b \"}]}]}",
        ),
        (
            "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"text\":\"a\"}]}]}",
            "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"text\":\"ab \"}]}]}",
        ),
    ];
    for (body, expected) in gemini {
        assert_eq!(prefilled(Dialect::Gemini, CHAT, body, "b ").as_deref(), Some(expected));
    }
    let prompts = [
        ("{\"prompt\":\"a\",\"max_tokens\":5}", "{\"prompt\":\"ab\",\"max_tokens\":5}"),
        ("{\"echo\":false,\"prompt\":[\"a\"]}", "{\"echo\":false,\"prompt\":[\"ab\"]}"),
    ];
    for (body, expected) in prompts {
        assert_eq!(prefilled(Dialect::OpenAi, Operation::TextCompletion, body, "b").as_deref(), Some(expected));
    }
}

#[test]
fn without_text_the_body_is_the_same() {
    let body = "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}";
    assert_eq!(prefilled(Dialect::OpenAi, CHAT, body, "").as_deref(), Some(body));
    assert_eq!(prefilled(Dialect::Anthropic, CHAT, body, " \n").as_deref(), Some(body));
}

#[test]
fn a_body_without_a_place_for_it_is_not_changed() {
    let chat = [
        "",
        "[]",
        "{}",
        "{\"messages\":null}",
        "{\"messages\":[{\"role\":\"user\"}]",
        "{\"messages\":[{\"role\":\"user\"}],\"messages\":[]}",
        "{\"messages\":[\"user\"]}",
        "{\"messages\":[{\"role\":\"assistant\"}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":null}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{\"id\":\"t\"}]}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":[]}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\"}]}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"content\":\"b\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"role\":\"assistant\"}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\\ud83d\"}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"a\",\"text\":\"b\"}]}]}",
    ];
    for body in chat {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            assert_eq!(prefilled(dialect, CHAT, body, "text"), None, "{body}");
        }
    }
    for body in [
        "{\"contents\":{\"parts\":[]}}",
        "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"a\":1}}]}]}",
    ] {
        assert_eq!(prefilled(Dialect::Gemini, CHAT, body, "text"), None, "{body}");
    }
    for body in
        ["{\"prompt\":[\"a\",\"b\"]}", "{\"prompt\":[1,2]}", "{\"prompt\":[]}", "{\"prompt\":\"a\",\"echo\":true}"]
    {
        assert_eq!(prefilled(Dialect::OpenAi, Operation::TextCompletion, body, "text"), None, "{body}");
    }
    for operation in [Operation::Responses, Operation::Embedding, Operation::CountTokens] {
        assert_eq!(prefilled(Dialect::OpenAi, operation, "{\"input\":\"a\"}", "text"), None);
    }
}
