//! Query strings, as far as they matter here.

/// The value of a parameter, as written. Keys and flags that are looked for here need no decoding.
pub(super) fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    pairs(query).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The query without one parameter; `None` if nothing is left.
pub(super) fn without(query: &str, name: &str) -> Option<String> {
    let kept: Vec<_> =
        query.split('&').filter(|pair| pair.split('=').next() != Some(name) && !pair.is_empty()).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_and_taken_out() {
        assert_eq!(value("alt=sse&key=secret", "key"), Some("secret"));
        assert_eq!(value("monkey=no", "key"), None);
        assert_eq!(without("key=secret&alt=sse", "key").as_deref(), Some("alt=sse"));
        assert_eq!(without("key=secret", "key"), None);
    }
}
