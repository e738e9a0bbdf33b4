//! Numbers and words as the database keeps them: its integers are signed.

use crate::balance::MOST;
use crate::journal::Kind;

/// An amount or a time. More than can be kept is kept as the most that can.
pub(super) fn column(number: u64) -> i64 {
    number.min(MOST).cast_signed()
}

/// Back from that.
pub(super) fn number(column: i64) -> u64 {
    column.max(0).cast_unsigned()
}

/// What is counted, as a word.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Budget => "budget",
        Kind::Requests => "requests",
        Kind::Tokens => "tokens",
    }
}

/// Back from that.
pub(super) fn kind(word: &str) -> Kind {
    match word {
        "budget" => Kind::Budget,
        "tokens" => Kind::Tokens,
        _ => Kind::Requests,
    }
}
