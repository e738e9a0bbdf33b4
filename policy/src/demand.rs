//! The most that a request can use, read from its body before it is sent.

/// Upper bounds of what a request can use. A hold is priced from it; what the vendor reports later can only be less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Bytes of input that become text tokens. A token is at least one byte, so this bounds the tokens.
    pub text_bytes: u64,
    /// Images in the input, inline or by reference.
    pub images: u32,
    /// Decoded bytes of inline audio.
    pub audio_bytes: u64,
    /// Decoded bytes of inline documents.
    pub file_bytes: u64,
    /// Something the body only points at (a stored conversation, a file id, cached content, a hosted tool):
    /// the input can be as large as the model's context window.
    pub unseen: bool,
    /// The output limit that the client set, in tokens per choice. `None`: the model's own maximum.
    pub max_output: Option<u64>,
    /// How many answers are asked for (`n`, `candidateCount`), of all prompts together; at least 1.
    pub choices: u32,
    /// How many prompts there are, or inputs to embed, each with a context window of its own; 0 counts as 1.
    pub prompts: u32,
    /// Web searches that the vendor may make for one answer: as many as the request allows, else [`OPEN_SEARCHES`]. 0: it has no
    /// tool for that.
    pub searches: u64,
    /// The client asked for a price class other than the standard one, or left the choice to the vendor.
    pub tier_is_open: bool,
    /// The client asked for Anthropic's fast mode.
    pub is_fast: bool,
    /// The client asked to be served in a certain region.
    pub is_regional: bool,
}

/// Tokens that a vendor may add unseen: chat framing, tool-use preambles.
pub const HIDDEN_INPUT_TOKENS: u64 = 1_024;
/// The most tokens that one image is counted as by any vendor in the price list (OpenAI's small models, high detail).
pub const TOKENS_PER_IMAGE: u64 = 37_000;
/// The web searches that are expected of an answer at most where the request sets no bound. More are possible, but rare; what they
/// cost beyond the hold is charged.
pub const OPEN_SEARCHES: u64 = 10;

impl Demand {
    /// The most input tokens that the request can be counted as, at most `context_window` for each prompt where that is known. However
    /// many answers are asked for, vendors count the input once.
    /// Audio: vendors count 10 to 32 tokens a second, and no codec in use has less than 500 bytes a second.
    /// Documents: a page is at most 3,000 tokens and takes at least 3,000 bytes; so bytes bound them too.
    #[must_use]
    pub fn input_bound(&self, context_window: Option<u64>) -> u64 {
        let prompts = u64::from(self.prompts.max(1));
        if self.unseen {
            let window = context_window.unwrap_or(crate::catalog::DEFAULT_CONTEXT_WINDOW);
            return window.saturating_mul(prompts);
        }
        let windows = context_window.map_or(u64::MAX, |window| window.saturating_mul(prompts));
        self.text_bytes
            .saturating_add(HIDDEN_INPUT_TOKENS)
            .saturating_add(u64::from(self.images).saturating_mul(TOKENS_PER_IMAGE))
            .saturating_add(self.audio_bytes.div_ceil(500).saturating_mul(32))
            .saturating_add(self.file_bytes)
            .min(windows)
    }

    /// A likely number of input tokens, for charging when nobody reports: four bytes of text a token.
    #[must_use]
    pub fn input_estimate(&self) -> u64 {
        self.text_bytes
            .div_ceil(4)
            .saturating_add(u64::from(self.images).saturating_mul(1_000))
            .saturating_add(self.audio_bytes / 500)
            .saturating_add(self.file_bytes.div_ceil(4))
    }

    /// The most output tokens of all answers together.
    #[must_use]
    pub fn output_bound(&self, model_maximum: u64) -> u64 {
        self.max_output.unwrap_or(model_maximum).saturating_mul(u64::from(self.choices.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_counts_as_the_context_window() {
        let demand = Demand { text_bytes: 10, unseen: true, choices: 1, ..Demand::default() };
        assert_eq!(demand.input_bound(Some(128_000)), 128_000);
    }

    #[test]
    fn every_choice_can_use_the_output_limit() {
        let demand = Demand { max_output: Some(100), choices: 3, ..Demand::default() };
        assert_eq!(demand.output_bound(4_096), 300);
        let open = Demand { choices: 2, ..Demand::default() };
        assert_eq!(open.output_bound(4_096), 8_192);
    }

    #[test]
    fn no_input_is_larger_than_the_context_window() {
        let demand = Demand { text_bytes: 1_000_000, choices: 1, ..Demand::default() };
        assert_eq!(demand.input_bound(Some(8_192)), 8_192);
    }

    #[test]
    fn each_prompt_has_a_context_window_of_its_own() {
        let demand = Demand { text_bytes: 100_000, prompts: 3, choices: 3, ..Demand::default() };
        assert_eq!(demand.input_bound(Some(8_192)), 3 * 8_192);
        assert_eq!(demand.input_bound(None), 100_000 + HIDDEN_INPUT_TOKENS);
        assert_eq!(Demand { unseen: true, ..demand }.input_bound(Some(8_192)), 3 * 8_192);
    }

    #[test]
    fn the_input_is_counted_once_for_all_answers() {
        let one = Demand { text_bytes: 1_000, choices: 1, ..Demand::default() };
        for bound in [None, Some(1_500), Some(128_000)] {
            assert_eq!(Demand { choices: 8, ..one }.input_bound(bound), one.input_bound(bound));
        }
    }
}
