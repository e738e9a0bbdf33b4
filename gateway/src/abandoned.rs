//! `tollgate abandoned`: attempts that were charged in full because nobody saw their end, and taking such a charge back.

use engine::clock::Clock;
use policy::money::NanoUsd;
use policy::window::utc_text;
use store::{AbandonedCharge, AttemptId, Config, Kind, Page, Store, StoreError};
use thiserror::Error;

/// How many are shown.
const MOST: u32 = 1_000;

/// Why nothing could be shown or taken back.
#[derive(Debug, Error)]
pub(crate) enum AbandonedError {
    /// What is kept could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such charge, or not any more.
    #[error("no attempt `{0}` was charged as abandoned, or its charge was taken back before")]
    NoSuchCharge(String),
}

/// The attempts, a line each, newest first. They can be looked at while a gateway is running.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn list(place: &Config) -> Result<String, AbandonedError> {
    let charges = store::read_abandoned(place, Page { before: None, most: MOST })?;
    Ok(charges.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Takes the charge of an attempt back. No gateway may be running on the folder: it would not know.
///
/// # Errors
/// When there is no such charge, or it cannot be written.
pub(crate) fn void(place: &Config, attempt: &str) -> Result<String, AbandonedError> {
    let no_such = || AbandonedError::NoSuchCharge(attempt.to_owned());
    let id = parse(attempt).ok_or_else(no_such)?;
    let now = Clock::start().now().wall_ms;
    let (store, _) = Store::open(place, now)?;
    let voided = store.void(id, now)?.ok_or_else(no_such)?;
    store.close()?;
    let of_budgets = voided.entries.iter().filter(|entry| entry.kind == Kind::Budget);
    let parts: Vec<_> =
        of_budgets.map(|entry| format!("{} USD of budget `{}`", NanoUsd(entry.amount), entry.id)).collect();
    Ok(format!("taken back: {}", if parts.is_empty() { "nothing of a budget".to_owned() } else { parts.join(", ") }))
}

fn line(charge: &AbandonedCharge) -> String {
    let attempted = &charge.attempted;
    let key = if attempted.key.is_empty() { "-" } else { &attempted.key };
    let cost = attempted.amounts.iter().find(|amount| amount.kind == Kind::Budget).map_or(0, |amount| amount.amount);
    let voided = charge.voided_at_ms.map_or_else(String::new, |at| format!("\ttaken back at {}", utc_text(at)));
    format!(
        "{}\t{}\t{key}\t{}/{}\t{}{voided}",
        attempted.attempt,
        utc_text(attempted.at_ms),
        attempted.provider,
        attempted.model,
        NanoUsd(cost)
    )
}

/// Reads an attempt's name as it is shown: `18f3c2a1b-42`.
fn parse(text: &str) -> Option<AttemptId> {
    let (run, number) = text.split_once('-')?;
    Some(AttemptId { run: u64::from_str_radix(run, 16).ok()?, number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_shown() {
        for id in [AttemptId { run: 0, number: 0 }, AttemptId { run: u64::MAX, number: 42 }] {
            assert_eq!(parse(&id.to_string()), Some(id));
        }
        for text in ["", "1", "x-1", "1-x", "-1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
