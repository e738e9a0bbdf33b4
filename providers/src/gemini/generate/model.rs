//! What is known of Gemini's models by their names (<https://ai.google.dev/gemini-api/docs/thinking>, 2026-11).

/// A family of models that think alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// They do not think: Gemini 2.0 and older, Gemma.
    Plain,
    /// Gemini 2.5: a budget in tokens, with a least one that is not 0 and a largest one; 0 where it may be switched off.
    Budget { off: u64, least: u64, most: u64 },
    /// Gemini 3 and later: a level; checks that tool calls of the turn are signed.
    Level { is_pro: bool },
    /// Nothing is known of it.
    Unknown,
}

impl Family {
    /// The family of a model by its name, as `gemini-2.5-flash-lite` or `models/gemini-3-pro-preview`.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        if name.starts_with("gemma") {
            return Self::Plain;
        }
        let Some(version) = name.strip_prefix("gemini-") else { return Self::Unknown };
        let is_pro = version.split('-').any(|word| word == "pro");
        match version.split(['.', '-']).next().and_then(|major| major.parse::<u32>().ok()) {
            // An alias of the newest model, as `gemini-flash-latest`.
            None if version.ends_with("-latest") => Self::Level { is_pro },
            None => Self::Unknown,
            Some(..2) => Self::Plain,
            Some(2) if !version.starts_with("2.5") => Self::Plain,
            Some(2) if is_pro => Self::Budget { off: 128, least: 128, most: 32_768 },
            Some(2) if version.contains("-lite") => Self::Budget { off: 0, least: 512, most: 24_576 },
            Some(2) => Self::Budget { off: 0, least: 1, most: 24_576 },
            Some(_) => Self::Level { is_pro },
        }
    }

    /// Whether it refuses calls of tools that are not signed, and takes media in what tools gave back.
    pub(super) const fn is_third(self) -> bool {
        matches!(self, Self::Level { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_known_by_their_names() {
        for (model, family) in [
            ("gemini-2.5-pro", Family::Budget { off: 128, least: 128, most: 32_768 }),
            ("models/gemini-2.5-flash", Family::Budget { off: 0, least: 1, most: 24_576 }),
            ("gemini-2.5-flash-lite-preview", Family::Budget { off: 0, least: 512, most: 24_576 }),
            ("gemini-3-pro-preview", Family::Level { is_pro: true }),
            ("google/gemini-3.1-flash", Family::Level { is_pro: false }),
            ("gemini-2.0-flash", Family::Plain),
            ("gemini-1.5-pro", Family::Plain),
            ("gemma-3-27b-it", Family::Plain),
            ("gemini-flash-latest", Family::Level { is_pro: false }),
            ("gemini-pro-latest", Family::Level { is_pro: true }),
            ("gemini-exp-1206", Family::Unknown),
            ("tuned", Family::Unknown),
        ] {
            assert_eq!(Family::of(model), family, "{model}");
        }
    }
}
