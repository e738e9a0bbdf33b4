//! Headers in a configuration: those that calls must carry, and those that are added on the way to a provider.

use std::collections::HashSet;

use crate::headers::{HeaderRule, RequiredHeader};
use crate::provider::Secret;

use super::json::{Json, Text};
use super::node::{Node, Read};
use super::scalar::any_text;

/// Headers that belong to the connection or the framing of a message; adding one would break it.
const OURS: [&str; 9] =
    ["connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Reads `client.required_headers`: a list of names, or an object of names and patterns.
pub(super) fn required_headers(node: Node<'_>) -> Vec<RequiredHeader> {
    let mut seen = HashSet::new();
    let mut header = |node: Node<'_>, name: &str, value| {
        let name = lower_case(node, name);
        if !name.is_empty() && !seen.insert(name.clone()) {
            node.log.error_about_secret(node.path, "this header stands here twice (case does not matter)");
        }
        RequiredHeader { name, value }
    };
    match node.json {
        Json::List(_) => node.list(|item| header(item, &Box::<str>::read(item), HeaderRule::Present)),
        Json::Object(_) => node.map(|name, item| header(item, name, rule(item))),
        _ => {
            node.wrong_kind("a list of header names, or an object of names and patterns");
            Vec::new()
        }
    }
}

/// A pattern, or `env.VAR`: just that variable's value.
fn rule(node: Node<'_>) -> HeaderRule {
    if let Json::Text(Text { text, reference: Some(_) }) = node.json {
        return HeaderRule::Equals(Secret::new(text));
    }
    HeaderRule::from_pattern(&any_text(node)).unwrap_or_else(|error| {
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        node.error(format!("not a regular expression: {why}"));
        HeaderRule::Present
    })
}

/// Reads `extra_headers`: an object of names and values. The values are often credentials.
pub(super) fn extra_headers(node: Node<'_>) -> Vec<(Box<str>, Secret)> {
    let mut seen = HashSet::new();
    node.map(|name, item| {
        let name = lower_case(item, name);
        if !name.is_empty() && !seen.insert(name.clone()) {
            item.log.error_about_secret(item.path, "this header stands here twice (case does not matter)");
        }
        if OURS.contains(&&*name) {
            item.log.error_about_secret(item.path, "this header is set by the gateway itself");
        }
        let value = Secret::read(item);
        let can_be_sent = |c: char| c == '\t' || (!c.is_control() && c != '\u{7f}');
        if !value.reveal().chars().all(can_be_sent) {
            item.log.error_about_secret(item.path, "contains a line break or another control character");
        }
        (name, value)
    })
}

/// The name in lower case; one that is no header name is noted and becomes empty.
fn lower_case(node: Node<'_>, name: &str) -> Box<str> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() {
        return Box::default();
    }
    if !name.bytes().all(is_token) {
        node.log.error_about_secret(node.path, "not a header name: letters, digits and - are allowed");
        return Box::default();
    }
    name.to_ascii_lowercase().into()
}
