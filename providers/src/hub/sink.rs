//! Writing JSON from the neutral form: members and elements in the order of the calls, commas between them put by themselves.

use super::text::{Json, Str};

/// JSON text that is written.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    out: Vec<u8>,
}

impl Sink {
    /// A sink with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// What was written so far; the sink is empty again.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// An object with these members.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.begin(b'{');
        members(self);
        self.out.push(b'}');
    }

    /// An array with these elements.
    pub(crate) fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        self.begin(b'[');
        elements(self);
        self.out.push(b']');
    }

    /// A member's name; its value is to follow.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.plain(name);
        self.out.push(b':');
        self
    }

    /// A string as JSON has it.
    pub(crate) fn text(&mut self, text: &Str<'_>) {
        self.begin(b'"');
        self.out.extend_from_slice(text.raw().as_bytes());
        self.out.push(b'"');
    }

    /// A string that is no JSON yet.
    pub(crate) fn plain(&mut self, text: &str) {
        self.text(&Str::of(text));
    }

    /// A value as it stands, in one line: what is written may be the data of an event.
    pub(crate) fn json(&mut self, value: &Json<'_>) {
        self.comma();
        let mut rest = value.raw().as_bytes();
        while let Some((line, tail)) = memchr::memchr2(b'\n', b'\r', rest).and_then(|at| rest.split_at_checked(at)) {
            self.out.extend_from_slice(line);
            rest = tail.trim_ascii_start();
        }
        self.out.extend_from_slice(rest);
    }

    /// A whole number.
    pub(crate) fn count(&mut self, count: u64) {
        self.comma();
        let mut digits = [0; 20];
        let mut rest = count;
        let mut used = 0;
        for place in digits.iter_mut().rev() {
            *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            used += 1;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.word(if flag { "true" } else { "false" });
    }

    pub(crate) fn null(&mut self) {
        self.word("null");
    }

    /// Bytes around the JSON: the frame of an event.
    pub(crate) fn frame(&mut self, bytes: &str) {
        self.out.extend_from_slice(bytes.as_bytes());
    }

    fn word(&mut self, word: &str) {
        self.comma();
        self.out.extend_from_slice(word.as_bytes());
    }

    fn begin(&mut self, bracket: u8) {
        self.comma();
        self.out.push(bracket);
    }

    /// Behind a whole value comes a comma before the next one. What a frame ends with, a space or a line's end, is no value.
    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b' ' | b'\n')) {
            self.out.push(b',');
        }
    }
}

/// Members of an object, in short.
impl Sink {
    pub(crate) fn text_member(&mut self, name: &str, text: &Str<'_>) {
        self.key(name).text(text);
    }

    pub(crate) fn plain_member(&mut self, name: &str, text: &str) {
        self.key(name).plain(text);
    }

    pub(crate) fn json_member(&mut self, name: &str, value: &Json<'_>) {
        self.key(name).json(value);
    }

    pub(crate) fn count_member(&mut self, name: &str, count: u64) {
        self.key(name).count(count);
    }

    pub(crate) fn flag_member(&mut self, name: &str, flag: bool) {
        self.key(name).flag(flag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_values_only() {
        let mut sink = Sink::default();
        sink.frame("data: ");
        sink.object(|sink| {
            sink.key("a").array(|sink| {
                sink.count(0);
                sink.count(u64::MAX);
                sink.array(|_| {});
                sink.object(|_| {});
                sink.plain("x{");
                sink.plain("y: ");
                sink.null();
            });
            sink.flag_member("b\"", true);
            sink.text_member("c", &Str::raw_of(r"\n"));
            sink.json_member("d", &Json::read("[1,\r\n  2]"));
        });
        sink.frame("\n\n");
        let expected = concat!(
            "data: ",
            r#"{"a":[0,18446744073709551615,[],{},"x{","y: ",null],"b\"":true,"c":"\n","d":[1,2]}"#,
            "\n\n"
        );
        assert_eq!(String::from_utf8(sink.into_bytes()).unwrap(), expected);
    }
}
