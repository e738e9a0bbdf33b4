//! What a client of Anthropic's Messages asks.

use serde_json::json;

use super::super::read_request;
use super::{SAME, target};
use crate::hub::part::{Arguments, MediaKind, MediaSource, Part, Role, ToolOutput};
use crate::hub::request::{Format, Request, Tool, ToolChoice};
use crate::translate::Untranslatable;

fn turn(content: &serde_json::Value) -> String {
    json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}).to_string()
}

fn parts(body: &str) -> Vec<Part<'_>> {
    read_request(body.as_bytes()).unwrap().turns.remove(0).parts
}

fn texts<'r>(request: &'r Request<'_>) -> Vec<(Role, &'r str)> {
    let text = |part: &'r Part<'_>| match part {
        Part::Text(text) => text.text.raw(),
        _ => "?",
    };
    request.turns.iter().flat_map(|turn| turn.parts.iter().map(move |part| (turn.role, text(part)))).collect()
}

#[test]
fn instructions_are_the_first_turn_wherever_they_stand() {
    let body =
        br#"{"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}],"system":"c","stream":true}"#;
    let request = read_request(body).unwrap();
    assert_eq!(texts(&request), [(Role::System, "c"), (Role::User, "a"), (Role::System, "b")]);
    assert!(request.others.is_empty());
}

#[test]
fn fields_that_only_anthropic_has_are_kept_by_name() {
    let body = json!({
        "messages": [
            {"role": "system", "content": "x", "clear_at": "never"},
            {"role": "user", "content": [
                {"type": "document", "source": {"type": "text", "data": "d"}, "citations": {"enabled": true}},
                {"type": "document", "source": {"type": "text", "data": "d"}, "citations": {"enabled": true}},
                {"type": "document", "source": {"type": "text", "data": "d"}, "citations": {"enabled": false}},
            ]},
        ],
        "container": "c", "context_management": {"edits": []}, "mcp_servers": [{"type": "url"}],
        "output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 9}},
        "metadata": {"user_id": "u", "team": "t"}, "service_tier": null, "fallbacks": [], "thinking": null,
    })
    .to_string();
    let request = read_request(body.as_bytes()).unwrap();
    let mut names: Vec<_> = request.others.iter().map(|other| &*other.name).collect();
    names.sort_unstable();
    let expected = [
        "container",
        "context_management.edits",
        "mcp_servers",
        "messages[].clear_at",
        "messages[].content[].citations",
        "metadata.team",
        "output_config.task_budget",
    ];
    assert_eq!(names, expected);
    assert_eq!(request.user.unwrap().raw(), "u");
}

#[test]
fn only_summing_up_a_conversation_is_more_than_a_hint() {
    for (edits, dropped) in [
        (json!([{"type": "clear_thinking_20251015", "keep": "all"}]), Some("context_management.edits")),
        (json!([{"type": "clear_tool_uses_20250919"}]), Some("context_management.edits")),
        (json!(null), Some("context_management.edits")),
        (json!([{"type": "clear_thinking_20251015"}, {"trigger": {}, "type": "compact_20260112"}]), None),
    ] {
        let body = json!({"messages": [{"role": "user", "content": "x"}], "context_management": {"edits": edits}});
        let translated = SAME.request(body.to_string().as_bytes(), &target("claude-opus-5"));
        match dropped {
            Some(name) => assert_eq!(translated.unwrap().dropped, [name]),
            None => {
                let fields = vec!["context_management".into()];
                assert_eq!(translated.unwrap_err(), Untranslatable::Inexpressible { fields });
            }
        }
    }
}

#[test]
fn a_wrong_value_is_named() {
    for (body, message) in [
        (
            r#"{"messages":[{"role":"bot","content":"x"}]}"#,
            "`messages[0].role` must be `user`, `assistant` or `system`",
        ),
        (
            r#"{"messages":[{"role":"user","content":7}]}"#,
            "`messages[0].content` must be a string or an array of content blocks",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
            "`messages[0].content[0]` must be an object with a `type`",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":7}]}]}"#,
            "`messages[0].content[0].text` must be a string",
        ),
        (
            r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","name":"f","input":"x"}]}]}"#,
            "`messages[0].content[0].input` must be an object",
        ),
        (
            r#"{"tool_choice":{"type":"tool"}}"#,
            "`tool_choice` must be of type `auto`, `any`, `none`, or `tool` with a name",
        ),
        (
            r#"{"output_config":{"format":{"type":"json_schema"}}}"#,
            "`output_config.format` must be an object with a `schema`",
        ),
        (r#"{"max_tokens":"9"}"#, "`max_tokens` must be a whole number, not negative"),
    ] {
        assert_eq!(read_request(body.as_bytes()).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_blocks_type_may_come_last() {
    let body = turn(&json!([{"cache_control": {"ttl": "1h", "type": "ephemeral"}, "text": "x", "type": "text"}]));
    let Part::Text(text) = &parts(&body)[0] else { panic!() };
    assert_eq!((text.text.raw(), text.cache.as_ref().unwrap().ttl.as_ref().unwrap().raw()), ("x", "1h"));
}

#[test]
fn documents_come_from_everywhere() {
    let body = turn(&json!([
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "t"},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        {"type": "document", "source": {"type": "content", "content": "whole"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ]));
    let found: Vec<_> = parts(&body)
        .iter()
        .map(|part| match part {
            Part::Media(media) => (media.kind, media.source.clone()),
            other => panic!("{other:?}"),
        })
        .map(|(kind, source)| match source {
            MediaSource::Inline { mime, base64 } => (kind, format!("{} {}", mime.raw(), base64.raw())),
            MediaSource::Url { url, mime } => {
                (kind, format!("{} {:?}", url.raw(), mime.map(|mime| mime.raw().to_owned())))
            }
            MediaSource::Plain(text) | MediaSource::Id(text) => (kind, text.raw().to_owned()),
        })
        .collect();
    let expected = [
        (MediaKind::File, "application/pdf JVBERi0="),
        (MediaKind::File, r#"https://example.com/a.pdf Some("application/pdf")"#),
        (MediaKind::File, "whole"),
        (MediaKind::File, "file_1"),
        (MediaKind::Image, "https://example.com/a.png None"),
    ]
    .map(|(kind, text)| (kind, text.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn a_document_of_blocks_and_a_search_result_are_their_texts() {
    let body = turn(&json!([
        {"type": "document", "title": "T", "context": "C",
            "source": {"type": "content", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}},
        {"type": "search_result", "source": "https://a", "title": "Found", "content": [{"type": "text", "text": "three"}]},
    ]));
    let request = read_request(body.as_bytes()).unwrap();
    let found: Vec<_> = texts(&request).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, ["C", "T", "one", "two", r"Found\nhttps://a\n\nthree"]);
}

#[test]
fn what_tools_gave_back_is_read() {
    let body = turn(&json!([
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "b", "content": "text", "is_error": true},
        {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "tool_reference", "tool_name": "f"}]},
    ]));
    let results: Vec<_> = parts(&body)
        .into_iter()
        .map(|part| match part {
            Part::ToolResult(result) => match result.content {
                ToolOutput::Parts(parts) => (result.id.unwrap().raw().to_owned(), parts.len(), result.is_error),
                ToolOutput::Value(_) => panic!(),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(results, [("a".into(), 0, false), ("b".into(), 1, true), ("c".into(), 1, false)]);
}

#[test]
fn tools_and_choices_are_read() {
    let body = json!({
        "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]}],
        "tools": [
            {"name": "f", "input_schema": {"type": "object"}, "strict": true},
            {"type": "custom", "name": "g", "description": "d", "input_schema": {"type": "object"}},
            {"type": "web_search_20260209", "name": "web_search", "blocked_domains": ["a.com"],
                "user_location": {"type": "approximate", "city": "Oslo", "region": null}},
            {"type": "bash_20250124", "name": "bash"},
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "output_format": {"type": "json_schema", "schema": {"type": "object"}},
    })
    .to_string();
    let request = read_request(body.as_bytes()).unwrap();
    let Part::ToolCall(call) = &request.turns[0].parts[0] else { panic!() };
    assert_eq!(call.arguments, Arguments::Value(crate::hub::text::Json::read(r#"{"x":1}"#)));
    let [Tool::Function(f), Tool::Function(g), Tool::WebSearch(search), Tool::Hosted { kind, .. }] = &*request.tools
    else {
        panic!()
    };
    assert_eq!((f.strict, g.strict, g.name.raw()), (Some(true), None, "g"));
    assert_eq!((search.blocked_domains[0].raw(), kind.raw()), ("a.com", "bash_20250124"));
    assert_eq!(search.location.as_ref().unwrap().raw(), r#"{"city":"Oslo"}"#);
    assert_eq!((&request.tool_choice, request.parallel_tools), (&Some(ToolChoice::Required), Some(false)));
    assert!(matches!(request.format, Some(Format::Schema { .. })));
}

#[test]
fn thinking_is_read_in_every_form() {
    for (fields, effort, budget, is_adaptive, is_shown) in [
        (r#""thinking":{"type":"enabled","budget_tokens":2000}"#, None, Some(2_000), false, None),
        (r#""thinking":{"type":"disabled"}"#, None, Some(0), false, None),
        (
            r#""thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"max"}"#,
            Some("max"),
            None,
            true,
            Some(false),
        ),
        (
            r#""output_config":{"effort":"low"},"thinking":{"type":"adaptive","display":"summarized"}"#,
            Some("low"),
            None,
            true,
            Some(true),
        ),
        (r#""output_config":{"effort":"low"}"#, Some("low"), None, false, None),
    ] {
        let body = format!("{{{fields}}}");
        let thinking = read_request(body.as_bytes()).unwrap().thinking.unwrap();
        let found = (
            thinking.effort.as_ref().map(|effort| effort.raw()),
            thinking.budget,
            thinking.is_adaptive,
            thinking.is_shown,
        );
        assert_eq!(found, (effort, budget, is_adaptive, is_shown), "{fields}");
    }
}
