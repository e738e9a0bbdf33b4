//! The most that a request can use, read from its body before it is sent.

use crate::catalog::DEFAULT_CONTEXT_WINDOW;

/// Upper bounds of what a request can use. A hold is priced from it; what the vendor reports later is less, unless the model's
/// limits are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Bytes of input that become text tokens. A token is at least one byte, so this bounds the tokens.
    pub text_bytes: u64,
    /// Images in the input, inline or by reference.
    pub images: u32,
    /// Decoded bytes of inline audio. They bound its tokens only in WAV and MP3; other forms are `unseen` as well.
    pub audio_bytes: u64,
    /// Decoded bytes of inline documents. They bound their tokens only in text; other forms are `unseen` as well.
    pub file_bytes: u64,
    /// Something of which the body does not show how much it is: what it only points at (a stored conversation, a file id, cached
    /// content, a hosted tool), and documents and audio that can hold any amount in few bytes. The input can be as large as the
    /// model's context window.
    pub unseen: bool,
    /// The output limit that the client set, in tokens per choice. `None`: the model's own maximum.
    pub max_output: Option<u64>,
    /// The client set an output limit of 0, which some vendors read as none: the model's own maximum counts.
    pub limit_is_open: bool,
    /// The client set no output limit, and `max_output` is what the API documents for that. It holds only if it is sent.
    pub limit_is_assumed: bool,
    /// Bytes of an answer that the client predicts. What of it the model does not write is charged as output too.
    pub prediction_bytes: u64,
    /// How many answers are asked for (`n`, `candidateCount`), of all prompts together; at least 1.
    pub choices: u32,
    /// How many prompts there are, or inputs to embed, each with a context window of its own; 0 counts as 1.
    pub prompts: u32,
    /// Web searches that the vendor may make for one answer: as many as the request allows, else [`OPEN_SEARCHES`]. 0: it has no
    /// tool for that.
    pub searches: u64,
    /// The client asked for a price class other than the standard one, or left the choice to the vendor.
    pub tier_is_open: bool,
    /// The client named a price class, whichever.
    pub tier_is_named: bool,
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
    /// The most input tokens that the request can be counted as: all of its text, and of media no more than fits beside it into
    /// `context_window` for each prompt, where that is known. Text is not cut there, since a list's window may be smaller than
    /// what the vendor takes. Where something is unseen and no window is known, a usual one is only assumed, and is no bound.
    /// However many answers are asked for, vendors count the input once.
    /// Audio: vendors count 10 to 32 tokens a second, and WAV and MP3 take at least 500 bytes a second.
    #[must_use]
    pub fn input_bound(&self, context_window: Option<u64>) -> u64 {
        let windows = |window: u64| window.saturating_mul(self.prompts.max(1).into());
        let text = self.text_bytes.saturating_add(HIDDEN_INPUT_TOKENS);
        let media = u64::from(self.images)
            .saturating_mul(TOKENS_PER_IMAGE)
            .saturating_add(self.audio_bytes.div_ceil(500).saturating_mul(32))
            .saturating_add(self.file_bytes);
        let unseen = if self.unseen { windows(context_window.unwrap_or(DEFAULT_CONTEXT_WINDOW)) } else { 0 };
        text.saturating_add(media).max(unseen).min(context_window.map_or(u64::MAX, windows)).max(text)
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

    /// The output limit that the client set and every vendor reads as one.
    #[must_use]
    pub fn own_limit(&self) -> Option<u64> {
        self.max_output.filter(|_| !self.limit_is_open && !self.limit_is_assumed)
    }

    /// The most output tokens of one answer, without what it does not take of a prediction.
    #[must_use]
    pub fn output_limit(&self, model_maximum: u64) -> u64 {
        self.max_output.filter(|_| !self.limit_is_open).unwrap_or(model_maximum)
    }

    /// The most output tokens of all answers together.
    #[must_use]
    pub fn output_bound(&self, model_maximum: u64) -> u64 {
        let one = self.output_limit(model_maximum).saturating_add(self.prediction_bytes);
        one.saturating_mul(u64::from(self.choices.max(1)))
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
    fn an_output_limit_that_is_open_counts_as_the_models_maximum() {
        let none = Demand { max_output: Some(0), choices: 2, ..Demand::default() };
        assert_eq!(none.output_bound(4_096), 0);
        assert_eq!(Demand { limit_is_open: true, ..none }.output_bound(4_096), 8_192);
    }

    #[test]
    fn a_prediction_can_be_output_of_every_choice() {
        let demand = Demand { max_output: Some(16), choices: 2, prediction_bytes: 1_000, ..Demand::default() };
        assert_eq!(demand.output_bound(4_096), 2 * 1_016);
    }

    #[test]
    fn media_are_no_larger_than_the_context_window_and_text_counts_in_full() {
        let media =
            Demand { text_bytes: 100, images: 9, audio_bytes: 1 << 20, file_bytes: 1 << 20, ..Demand::default() };
        assert_eq!(media.input_bound(Some(8_192)), 8_192);
        for demand in
            [Demand { text_bytes: 1_000_000, ..media }, Demand { text_bytes: 1_000_000, unseen: true, ..media }]
        {
            assert_eq!(demand.input_bound(Some(8_192)), 1_000_000 + HIDDEN_INPUT_TOKENS);
        }
    }

    #[test]
    fn without_a_known_window_a_usual_one_is_assumed_for_what_is_unseen() {
        let unseen = Demand { unseen: true, ..Demand::default() };
        assert_eq!(unseen.input_bound(None), DEFAULT_CONTEXT_WINDOW);
        let seen = Demand { file_bytes: 1_000_000, ..unseen };
        assert_eq!(seen.input_bound(None), 1_000_000 + HIDDEN_INPUT_TOKENS);
    }

    #[test]
    fn each_prompt_has_a_context_window_of_its_own() {
        let demand = Demand { file_bytes: 100_000, prompts: 3, choices: 3, ..Demand::default() };
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
