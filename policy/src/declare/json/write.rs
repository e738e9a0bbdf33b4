//! Writing JSON: as compact text, and in one form for all that mean the same.

use super::{Json, Text};

impl Json {
    /// A text.
    pub(in super::super) fn text(text: &str) -> Self {
        Self::Text(Text { text: text.into(), reference: None })
    }

    /// An id, written as a text or as a whole number.
    pub(in super::super) fn as_id(&self) -> Option<&str> {
        match self {
            Self::Number(digits) => Some(digits),
            _ => self.as_text().filter(|text| !text.is_empty()),
        }
    }

    /// The fields of an object; none of anything else.
    pub(in super::super) fn fields(&self) -> &[(Box<str>, Self)] {
        match self {
            Self::Object(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(in super::super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The object without some of its fields.
    pub(in super::super) fn without(mut self, names: &[&str]) -> Self {
        if let Self::Object(entries) = &mut self {
            entries.retain(|(name, _)| !names.contains(&&**name));
        }
        self
    }

    /// The object with a field of this value: in its place if it is there, else at the end.
    pub(in super::super) fn with(mut self, name: &str, value: Self) -> Self {
        if let Self::Object(entries) = &mut self {
            match entries.iter_mut().find(|(known, _)| **known == *name) {
                Some((_, old)) => *old = value,
                None => entries.push((name.into(), value)),
            }
        }
        self
    }

    /// The object with a field of this value: in its place if it is there, else before all others.
    pub(in super::super) fn with_first(mut self, name: &str, value: Self) -> Self {
        if let Self::Object(entries) = &mut self
            && !entries.iter().any(|(known, _)| **known == *name)
        {
            entries.insert(0, (name.into(), Self::Null));
        }
        self.with(name, value)
    }

    /// The value as compact JSON, as it is written: a reference stands for itself.
    pub(in super::super) fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, false);
        out
    }

    /// The value as compact JSON with the fields of each object in order: the same text for all that mean the same.
    pub(in super::super) fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, true);
        out
    }

    fn write(&self, out: &mut String, is_sorted: bool) {
        match self {
            Self::Null | Self::Nothing => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => write_text(out, &text.text),
            Self::List(items) => write_all(out, ['[', ']'], items, |out, item| item.write(out, is_sorted)),
            Self::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                if is_sorted {
                    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
                }
                write_all(out, ['{', '}'], entries, |out, (name, value)| {
                    write_text(out, name);
                    out.push(':');
                    value.write(out, is_sorted);
                });
            }
        }
    }
}

fn write_all<T>(
    out: &mut String,
    [open, close]: [char; 2],
    all: impl IntoIterator<Item = T>,
    write: impl Fn(&mut String, T),
) {
    out.push(open);
    for (index, one) in all.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, one);
    }
    out.push(close);
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = r#"{"b":[1,-2.5,0.000001,true,null],"a":{"x":"ü\" \\ \n \u0001","":""}}"#;
        let json: Json = serde_json::from_str(text).unwrap();
        assert_eq!(json.compact(), text);
        assert_eq!(json.canonical(), r#"{"a":{"":"","x":"ü\" \\ \n \u0001"},"b":[1,-2.5,0.000001,true,null]}"#);
    }
}
