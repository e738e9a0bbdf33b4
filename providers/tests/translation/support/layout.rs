//! JSON with line breaks, for golden files that people read: no byte of it is changed but the space between.

/// The text of a JSON value, laid out. What is short stays in one line.
pub(crate) fn laid_out(json: &str) -> String {
    let mut out = String::new();
    lay_out(json.trim(), 0, &mut out);
    out.push('\n');
    out
}

const WIDTH: usize = 110;

fn lay_out(value: &str, depth: usize, out: &mut String) {
    let is_container = value.starts_with(['{', '[']);
    if !is_container || value.len() + 2 * depth <= WIDTH {
        out.push_str(value);
        return;
    }
    let (open, rest) = value.split_at(1);
    let (inside, close) = rest.split_at(rest.len() - 1);
    out.push_str(open);
    let parts = split(inside, ',');
    for (index, part) in parts.iter().enumerate() {
        line(depth + 1, out);
        match split(part, ':').as_slice() {
            [name, first, rest @ ..] if open == "{" => {
                out.push_str(name.trim());
                out.push_str(": ");
                lay_out(
                    part[part.len() - first.len() - rest.iter().map(|more| more.len() + 1).sum::<usize>()..].trim(),
                    depth + 1,
                    out,
                );
            }
            _ => lay_out(part.trim(), depth + 1, out),
        }
        if index + 1 < parts.len() {
            out.push(',');
        }
    }
    line(depth, out);
    out.push_str(close);
}

fn line(depth: usize, out: &mut String) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

/// Splits where this stands outside of strings and containers.
fn split(text: &str, border: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let (mut is_string, mut is_escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_string => is_escaped = true,
            '"' => is_string = !is_string,
            _ if is_string => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            other if other == border && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < text.len() {
        parts.push(&text[start..]);
    }
    parts
}

#[test]
fn only_space_is_added() {
    let json = format!(r#"{{"a":[1,"x, {{:\"y",{{"b":{{}}}}],"long":"{}","c":[[],{{}}]}}"#, "z".repeat(WIDTH));
    let laid_out = laid_out(&json);
    assert!(laid_out.lines().count() > 3);
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parse(&laid_out), parse(&json), "{laid_out}");
}
