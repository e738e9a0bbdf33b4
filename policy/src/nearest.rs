//! Guessing what a misspelt name was meant to be.

/// Names that older files use, and what they are called now.
const RENAMED: [(&str, &str); 2] =
    [("enforce_governance_header", "enforce_auth_on_inference"), ("allowed_keys", "key_ids")];

/// The name that was most likely meant, if one is near enough.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let renamed = RENAMED.iter().find(|(old, _)| *old == written).map(|(_, new)| *new);
    let plain = plain(written);
    let tolerance = (plain.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let distance =
                if renamed == Some(name) { 0 } else { strsim::damerau_levenshtein(&plain, &self::plain(name)) };
            (distance <= tolerance).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `; did you mean …?`, or else the known names where they are few, or else nothing.
pub(crate) fn hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    const FEW: usize = 12;
    if let Some(name) = nearest(written, known.clone()) {
        return format!("; did you mean `{name}`?");
    }
    let names: Vec<_> = known.into_iter().filter(|name| !name.is_empty()).take(FEW + 1).collect();
    match names.len() {
        1..=FEW => format!("; known: {}", names.join(", ")),
        _ => String::new(),
    }
}

/// `allowedModels` and `allowed-models` are `allowed_models`, but for their style.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["allowed_models", "key_ids", "weight", "provider"];

    #[test]
    fn typing_mistakes_other_styles_and_old_names_are_recognised() {
        for (written, meant) in [
            ("allowed_model", "allowed_models"),
            ("allowedModels", "allowed_models"),
            ("wieght", "weight"),
            ("allowed_keys", "key_ids"),
        ] {
            assert_eq!(nearest(written, KNOWN), Some(meant), "{written}");
        }
    }

    #[test]
    fn a_name_that_is_like_no_other_gets_no_guess() {
        assert_eq!(nearest("budget", KNOWN), None);
        assert_eq!(hint("budget", KNOWN), "; known: allowed_models, key_ids, weight, provider");
        assert_eq!(hint("budget", []), "");
    }
}
