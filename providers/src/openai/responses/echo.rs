//! What an answer repeats of its request: an answer of the Responses API names the settings that it was made with
//! (`response.py`). Those that depend on the vendor's store are as they are without it.

use crate::hub::sink::Sink;
use crate::hub::source::Source;
use crate::hub::text::Json;

/// The fields that are repeated, with what they are where the request does not say.
const FIELDS: [(&str, &str); 16] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", "\"disabled\""),
    ("user", "null"),
];

/// The settings of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Echo<'a> {
    asked: Vec<(usize, Json<'a>)>,
}

impl<'a> Echo<'a> {
    /// Of a request's body. One that cannot be read says nothing.
    pub(super) fn read(asked: &'a [u8]) -> Self {
        let mut echo = Self::default();
        // It was read when it came.
        let _ = Source::new(asked).and_then(|mut source| {
            source.members(|source, name| {
                match FIELDS.iter().position(|(own, _)| *own == name) {
                    Some(place) => echo.asked.extend(source.json_or_null()?.map(|value| (place, value))),
                    None => source.skip()?,
                }
                Ok(())
            })
        });
        echo
    }

    /// The same, owing nothing to the request.
    pub(super) fn into_owned(self) -> Echo<'static> {
        Echo { asked: self.asked.into_iter().map(|(place, value)| (place, value.into_owned())).collect() }
    }

    /// Writes the settings as members.
    pub(super) fn write(&self, sink: &mut Sink) {
        for (place, (name, usual)) in FIELDS.iter().enumerate() {
            let asked = self.asked.iter().rev().find(|(own, _)| *own == place);
            match asked {
                Some((_, value)) => sink.json_member(name, value),
                None => sink.json_member(name, &Json::read(usual)),
            }
        }
        for name in ["background", "store"] {
            sink.flag_member(name, false);
        }
        sink.key("previous_response_id").null();
    }
}
