//! What is around the choices of a streamed answer's chunks, and the chunks at its end; text completions have the same.

use policy::usage::Usage;

use super::write_answer::{write_head, write_tier, write_usage};
use crate::hub::answer::Head;
use crate::hub::sink::Sink;
use crate::translate::Context;

/// What every chunk begins with.
#[derive(Debug)]
pub(in crate::openai) struct ChunkFrame {
    prefix: &'static str,
    object: &'static str,
    /// All up to the choices; empty as long as the head is unknown.
    text: String,
}

impl ChunkFrame {
    /// For chunks of this type, ids of which begin so where the vendor gives none.
    pub(in crate::openai) const fn new(prefix: &'static str, object: &'static str) -> Self {
        Self { prefix, object, text: String::new() }
    }

    /// Takes what the answer is known by.
    pub(in crate::openai) fn set(&mut self, head: &Head<'_>, context: &Context) {
        let mut sink = Sink::with_capacity(256);
        sink.object(|sink| write_head(head, self.prefix, self.object, context, sink));
        let head = sink.into_bytes();
        let open = String::from_utf8_lossy(&head);
        self.text = format!("data: {},\"choices\":[", open.trim_end_matches('}'));
    }

    fn begin(&mut self, context: &Context, sink: &mut Sink) {
        if self.text.is_empty() {
            self.set(&Head::default(), context);
        }
        sink.frame(&self.text);
    }

    /// Writes a chunk with this choice.
    pub(in crate::openai) fn chunk(&mut self, context: &Context, sink: &mut Sink, choice: impl FnOnce(&mut Sink)) {
        self.begin(context, sink);
        choice(sink);
        sink.frame("]}\n\n");
    }

    /// Writes the end: usage in a chunk of its own, for whom asked.
    pub(in crate::openai) fn end(&mut self, usage: Option<&Usage>, context: &Context, sink: &mut Sink) {
        if let Some(usage) = usage.filter(|_| context.wants_usage) {
            self.begin(context, sink);
            sink.frame("]");
            sink.key("usage");
            write_usage(usage, sink);
            write_tier(usage, sink);
            sink.frame("}\n\n");
        }
        sink.frame("data: [DONE]\n\n");
    }
}
