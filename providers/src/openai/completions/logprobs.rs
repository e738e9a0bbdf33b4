//! Log-probabilities as text completions have them: an array for each of tokens, logarithms, others in their place, and offsets.

use crate::hub::answer::Logprob;
use crate::hub::sink::Sink;
use crate::openai::chat::characters;

/// Writes those of a choice, or null. `start`: the characters before them.
pub(super) fn write(tokens: &[Logprob<'_>], start: u64, sink: &mut Sink) {
    let sink = sink.key("logprobs");
    if tokens.is_empty() {
        return sink.null();
    }
    sink.object(|sink| {
        sink.key("tokens").array(|sink| tokens.iter().for_each(|token| sink.text(&token.token)));
        sink.key("token_logprobs").array(|sink| tokens.iter().for_each(|token| sink.json(&token.logprob)));
        sink.key("top_logprobs").array(|sink| tokens.iter().for_each(|token| write_top(token, sink)));
        sink.key("text_offset").array(|sink| {
            let mut offset = start;
            for token in tokens {
                sink.count(offset);
                offset += characters(&token.token);
            }
        });
    });
}

/// Tokens that read the same are one member: the first, which is the likeliest.
fn write_top(token: &Logprob<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        for (place, top) in token.top.iter().enumerate() {
            if !token.top.iter().take(place).any(|before| before.token == top.token) {
                sink.key(&top.token.plain()).json(&top.logprob);
            }
        }
    });
}
