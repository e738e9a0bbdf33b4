//! Texts as PostgreSQL keeps them: it takes every character but NUL, and an index takes none that are long.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// A text without NUL, from which [`plain`] makes the same again.
pub(super) fn text(plain: &str) -> Cow<'_, str> {
    if plain.contains(['\0', '\\']) {
        Cow::Owned(plain.replace('\\', r"\\").replace('\0', r"\0"))
    } else {
        Cow::Borrowed(plain)
    }
}

/// Back from that.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let escaped = if character == '\\' { rest.next() } else { None };
        plain.push(match escaped {
            None => character,
            Some('0') => '\0',
            Some(other) => other,
        });
    }
    plain
}

/// What several texts together are looked up by where there are many: half of their SHA-256.
pub(super) fn hash_of<const N: usize>(texts: [&str; N]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.len().to_le_bytes());
        digest.update(text);
    }
    digest.finalize().into_iter().take(16).collect()
}

/// What an id is looked up by.
pub(super) fn hash(id: &str) -> Vec<u8> {
    Sha256::digest(id).to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ordinary_text_is_kept_as_it_is() {
        assert_eq!(text("a'b\"c;--💰"), "a'b\"c;--💰");
    }

    proptest! {
        #[test]
        fn every_text_comes_back_as_it_was(original in r"[\\0a\x00💰]{0,12}") {
            let kept = text(&original);
            prop_assert!(!kept.contains('\0'));
            prop_assert_eq!(plain(&kept), original);
        }
    }
}
