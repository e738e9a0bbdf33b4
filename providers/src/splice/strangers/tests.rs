use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::peek::peek;
use crate::splice::{Edit, splice};

const MESSAGES: (Dialect, Operation) = (Dialect::Anthropic, Operation::ChatCompletion);
const RESPONSES: (Dialect, Operation) = (Dialect::OpenAi, Operation::Responses);

fn sent((dialect, operation): (Dialect, Operation), body: &Bytes) -> Bytes {
    splice(body, &peek(dialect, operation, body).unwrap(), &Edit::default())
}

fn text(api: (Dialect, Operation), body: &str) -> String {
    String::from_utf8(sent(api, &Bytes::copy_from_slice(body.as_bytes())).to_vec()).unwrap()
}

/// A body of Messages with one message of the model, which has these blocks.
fn message(blocks: &str) -> String {
    let before = r#"{"model":"m","messages":[{"role":"user","content":"q"} , {"role":"assistant","content":"#;
    format!("{before}{blocks}}} ,{{\"role\":\"user\",\"content\":\"r\"}}]}}")
}

const UNSIGNED: &str = r#"{"type":"thinking","thinking":"t","signature":"tollgate:"}"#;
const SEALED: &str = r#"{ "data" : "tollgate:call:a:CiQB" , "type" : "redacted_thinking" }"#;
const OWN: &str = r#"{"type":"thinking","thinking":"tollgate:","signature":"EqQB"}"#;
const TEXT: &str = r#"{"type":"text","text":"tollgate: \"tollgate:\""}"#;

#[test]
fn marked_blocks_go_with_their_commas() {
    for (blocks, kept) in [
        (format!("[{UNSIGNED},{TEXT}]"), format!("[{TEXT}]")),
        (format!("[ {UNSIGNED} , {SEALED} , {TEXT} ]"), format!("[ {TEXT} ]")),
        (format!("[{TEXT} , {SEALED} ]"), format!("[{TEXT}  ]")),
        (format!("[{OWN},{SEALED},{TEXT},{UNSIGNED},{SEALED}]"), format!("[{OWN},{TEXT}]")),
        (format!("[{UNSIGNED},{OWN},{SEALED},{TEXT}]"), format!("[{OWN},{TEXT}]")),
        (
            r#"[{"\u0074ype":"th\u0069nking","signatur\u0065":"tollgate:a\/b"},{"type":"text","text":"x"}]"#.to_owned(),
            r#"[{"type":"text","text":"x"}]"#.to_owned(),
        ),
    ] {
        assert_eq!(text(MESSAGES, &message(&blocks)), message(&kept), "{blocks}");
    }
}

#[test]
fn a_message_of_nothing_else_goes_whole() {
    let rest = r#"{"model":"m","messages":[{"role":"user","content":"q"}  ,{"role":"user","content":"r"}]}"#;
    for blocks in [format!("[{UNSIGNED}]"), format!("[ {SEALED} , {UNSIGNED} ]")] {
        assert_eq!(text(MESSAGES, &message(&blocks)), rest);
    }
    // What was empty before is the client's own business.
    let empty = message("[]").replace("\"q\"", "\"tollgate:\"");
    assert_eq!(text(MESSAGES, &empty), empty);
    let first = format!(r#"{{"messages":[{{"content":[{SEALED}]}},{{"content":"r"}}],"model":"m"}}"#);
    assert_eq!(text(MESSAGES, &first), r#"{"messages":[{"content":"r"}],"model":"m"}"#);
}

#[test]
fn marked_items_go_with_their_commas() {
    let item = |proof: &str| format!(r#"{{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":{proof}}}"#);
    let (marked, bare) = (item("\"tollgate:signature:EqQB\""), item("\"tollgate:\""));
    let (own, none) = (item("\"gAAAA\""), item("null"));
    let call = r#"{"type":"function_call","call_id":"a","name":"f","arguments":"tollgate:"}"#;
    let body = |items: &str| format!(r#"{{"input":{items},"include":["reasoning.encrypted_content"],"model":"m"}}"#);
    for (items, kept) in [
        (format!("[{marked},{call}]"), format!("[{call}]")),
        (format!("[{call},{bare},{own},{marked}]"), format!("[{call},{own}]")),
        (format!("[{bare}]"), "[]".to_owned()),
        (format!("[{own},{none},{call}]"), format!("[{own},{none},{call}]")),
    ] {
        assert_eq!(text(RESPONSES, &body(&items)), body(&kept), "{items}");
        let counted = text((Dialect::OpenAi, Operation::CountTokens), &body(&items));
        assert_eq!(counted, body(&kept));
    }
}

#[test]
fn a_mark_in_any_other_place_changes_nothing() {
    let result = format!(r#"[{{"type":"tool_result","tool_use_id":"a","content":[{UNSIGNED}]}}]"#);
    let quoted = Value::from(UNSIGNED).to_string();
    for (api, body) in [
        (MESSAGES, message(&format!("[{TEXT},{OWN}]"))),
        (MESSAGES, message(&result)),
        (MESSAGES, message(&quoted)),
        (MESSAGES, message(r#"[{"type":"thinking","thinking":"t","signature":" tollgate:"}]"#)),
        (MESSAGES, message(r#"[{"type":"text","signature":"tollgate:"},"tollgate:"]"#)),
        (MESSAGES, format!(r#"{{"model":"m","system":[{UNSIGNED}],"x":{{"messages":[{SEALED}]}},"messages":[]}}"#)),
        (RESPONSES, r#"{"model":"m","input":"tollgate:"}"#.to_owned()),
        (RESPONSES, format!(r#"{{"model":"m","input":[{{"role":"user","content":{quoted}}}]}}"#)),
        (
            (Dialect::OpenAi, Operation::ChatCompletion),
            format!(r#"{{"model":"m","messages":[{{"role":"assistant","content":[{UNSIGNED}]}}]}}"#),
        ),
    ] {
        let body = Bytes::from(body);
        let same = sent(api, &body);
        assert_eq!((same.as_ptr(), &same), (body.as_ptr(), &body));
    }
}

#[test]
fn the_other_changes_are_made_beside_it() {
    let body = Bytes::from(format!(r#"{{"fallbacks":[],"messages":[{{"content":[{SEALED},{TEXT}]}}],"model":"m"}}"#));
    let edit = Edit { model: Some("new"), max_output: Some(5), drop_gateway_fields: true, ..Edit::default() };
    let spliced = splice(&body, &peek(MESSAGES.0, MESSAGES.1, &body).unwrap(), &edit);
    let expected = format!(r#"{{"max_tokens":5,"messages":[{{"content":[{TEXT}]}}],"model":"new"}}"#);
    assert_eq!(spliced, expected);
}

/// A block, and whether it is marked.
fn block() -> impl Strategy<Value = (Value, bool)> {
    let proof = prop_oneof![Just("tollgate:".to_owned()), "tollgate:.{0,9}", "[A-Za-z0-9+/]{0,12}", " tollgate:"];
    prop_oneof![
        (".{0,9}", proof.clone()).prop_map(|(text, proof)| {
            (json!({"type": "thinking", "thinking": text, "signature": proof}), proof.starts_with(MARK))
        }),
        proof.clone().prop_map(|data| (json!({"type": "redacted_thinking", "data": data}), data.starts_with(MARK))),
        proof.prop_map(|text| (json!({"type": "text", "text": text}), false)),
    ]
}

fn array(elements: &[String], space: &str) -> String {
    format!("{space}[{space}{}{space}]{space}", elements.join(&format!("{space},{space}")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_cut_is_what_is_marked(
        turns in prop::collection::vec(prop::collection::vec(block(), 0..5), 0..5),
        space in "[ \n\t]{0,2}",
    ) {
        let content = |turn: &[(Value, bool)]| -> Vec<String> { turn.iter().map(|(block, _)| block.to_string()).collect() };
        let written: Vec<String> =
            turns.iter().map(|turn| format!("{{\"content\":{}}}", array(&content(turn), &space))).collect();
        let body = Bytes::from(format!(r#"{{"model":"m","messages":{}}}"#, array(&written, &space)));
        let spliced = sent(MESSAGES, &body);

        let kept: Vec<Value> = turns
            .iter()
            .filter(|turn| turn.is_empty() || turn.iter().any(|(_, is_marked)| !is_marked))
            .map(|turn| {
                let kept: Vec<&Value> = turn.iter().filter(|(_, is_marked)| !is_marked).map(|(block, _)| block).collect();
                json!({"content": kept})
            })
            .collect();
        let parsed: Value = serde_json::from_slice(&spliced).unwrap();
        prop_assert_eq!(parsed, json!({"model": "m", "messages": kept}));
        let has_mark = turns.iter().flatten().any(|(_, is_marked)| *is_marked);
        prop_assert_eq!(spliced.as_ptr() == body.as_ptr(), !has_mark);
    }
}
