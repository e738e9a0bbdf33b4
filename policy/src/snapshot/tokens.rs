//! Which virtual key a token opens.

use std::sync::Arc;

use super::buckets::{Buckets, Item};
use crate::key::{TokenHash, VirtualKey};

/// Virtual keys by the hashes of their tokens, which stand in the keys alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(Buckets<Token>);

/// One of a key's tokens.
#[derive(Clone, Debug)]
struct Token {
    key: Arc<VirtualKey>,
    at: u32,
    hash: u32,
}

impl Tokens {
    pub(super) fn key(&self, token: &TokenHash) -> Option<&Arc<VirtualKey>> {
        self.0.find(token.short(), |found| found.is(token)).map(|found| &found.key)
    }

    /// All of a key's tokens open it from now on.
    pub(super) fn put(&mut self, key: &Arc<VirtualKey>) {
        for (at, token) in (0..).zip(&key.tokens) {
            let new = Token { key: Arc::clone(key), at, hash: token.short() };
            self.0.put(new, |found| found.is(token));
        }
    }

    pub(super) fn remove(&mut self, key: &VirtualKey) {
        for token in &key.tokens {
            self.0.remove(token.short(), |found| found.is(token));
        }
    }
}

impl Token {
    fn is(&self, token: &TokenHash) -> bool {
        let at = usize::try_from(self.at).ok();
        at.and_then(|at| self.key.tokens.get(at)).is_some_and(|known| known == token)
    }
}

impl Item for Token {
    fn hash(&self) -> u32 {
        self.hash
    }
}
