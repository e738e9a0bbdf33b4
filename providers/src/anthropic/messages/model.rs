//! What Anthropic's models of each generation can be asked, as their names tell
//! (<https://platform.claude.com/docs/en/about-claude/models/migration-guide>, 2026-11).

/// A model's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Another vendor's model behind the same API: it is as Anthropic's were when others began to copy it.
    Other,
    /// One of Anthropic's: 4.6 as (4, 6). Names without numbers are taken for new ones.
    Claude(u8, u8),
}

impl Generation {
    /// The generation of a model of this name, in any vendor's way of writing it.
    pub(super) fn of(model: &str) -> Self {
        let Some((_, name)) = model.rsplit_once("claude") else { return Self::Other };
        // Dates, which have eight digits, and what stands behind them, are no versions.
        let mut numbers = name
            .split(|character: char| !character.is_ascii_alphanumeric())
            .take_while(|word| word.len() < 8 || word.bytes().any(|byte| !byte.is_ascii_digit()))
            .filter_map(|word| word.parse().ok());
        match numbers.next() {
            Some(major) => Self::Claude(major, numbers.next().unwrap_or_default()),
            None => Self::Claude(u8::MAX, 0),
        }
    }

    fn is_from(self, major: u8, minor: u8) -> bool {
        matches!(self, Self::Claude(own, minor_own) if (own, minor_own) >= (major, minor))
    }

    /// Whether it thinks as much as it likes, by an effort; those before it by a budget.
    pub(super) fn thinks_by_effort(self) -> bool {
        self.is_from(4, 6)
    }

    /// Whether it thinks unless told not to.
    pub(super) fn thinks_unasked(self) -> bool {
        self.is_from(5, 0)
    }

    /// Whether it knows the effort between `high` and `max`.
    pub(super) fn knows_xhigh(self) -> bool {
        self.is_from(4, 7)
    }

    /// Whether temperature and the like can be set.
    pub(super) fn takes_sampling(self) -> bool {
        !self.is_from(4, 7)
    }

    /// Whether temperature and `top_p` can be set both.
    pub(super) fn takes_both_sampling(self) -> bool {
        !self.is_from(4, 1)
    }

    /// Whether it can be held to a schema.
    pub(super) fn keeps_to_schemas(self) -> bool {
        self == Self::Other || self.is_from(4, 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_generation() {
        for (name, generation) in [
            ("claude-3-haiku-20240307", Generation::Claude(3, 0)),
            ("claude-3-5-sonnet-latest", Generation::Claude(3, 5)),
            ("claude-opus-4-20250514", Generation::Claude(4, 0)),
            ("claude-sonnet-4@20250514", Generation::Claude(4, 0)),
            ("claude-haiku-4-5-20251001", Generation::Claude(4, 5)),
            ("us.anthropic.claude-opus-4-6-v1:0", Generation::Claude(4, 6)),
            ("anthropic/claude-opus-4.8", Generation::Claude(4, 8)),
            ("claude-sonnet-5", Generation::Claude(5, 0)),
            ("claude-fable-5-2", Generation::Claude(5, 2)),
            ("claude-mythos-preview", Generation::Claude(255, 0)),
            ("MiniMax-M3", Generation::Other),
        ] {
            assert_eq!(Generation::of(name), generation, "{name}");
        }
    }
}
