//! Query strings, as far as they matter here.

/// The value of a parameter, as written. Keys and flags that are looked for here need no decoding.
pub(super) fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    pairs(query).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_whole_name() {
        assert_eq!(value("alt=sse&key=secret", "key"), Some("secret"));
        assert_eq!(value("monkey=no", "key"), None);
    }
}
