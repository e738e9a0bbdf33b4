//! What was charged, taken back by hand. The audit log tells of it before it is done: what nobody could read of is not done.

use std::fmt;

use policy::declare::entity::Kind;
use policy::money::NanoUsd;
use store::{AttemptId, Began, StoreError, Voided};

use super::{Actor, Control, ControlError};

/// Remembers when budgets began, and takes charges back.
pub trait Bookkeeping: fmt::Debug + Send + Sync {
    /// Remembers when budgets began. Tells by itself when it cannot.
    ///
    /// # Errors
    /// When it cannot be written.
    fn adopt(&self, budgets: &[Began]) -> Result<(), StoreError>;

    /// Takes the charge of an abandoned attempt back, once. `None`: it is not one, or was taken back before.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was taken back.
    fn void(&self, attempt: AttemptId, at_ms: u64) -> Result<Option<Voided>, StoreError>;

    /// Counts as not spent what was spent of a budget in the window that began then.
    ///
    /// # Errors
    /// When it cannot be written; then it counts as it did.
    fn forgive(&self, budget: &str, start_ms: u64, nano: u64) -> Result<(), StoreError>;
}

impl Control {
    /// Takes the charge of an abandoned attempt back. `None`: it is not one, or was taken back before. The audit log tells of it before
    /// it is done, and that it came to nothing if it did.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was taken back.
    pub fn void(&self, attempt: AttemptId, actor: &Actor<'_>) -> Result<Option<Voided>, ControlError> {
        let parts = &self.0.parts;
        let id = format!("{}/{}", attempt.run, attempt.number);
        let what = ("abandoned_charge", &*id);
        self.tell(actor, "void", what)?;
        let voided = parts.books.void(attempt, self.now().wall_ms);
        match &voided {
            Ok(Some(voided)) => parts.ledger.void(&voided.entries),
            // Whether that is told too changes nothing: who reads of an act that was not done is on the safe side.
            Ok(None) | Err(_) => drop(self.tell(actor, "void_failed", what)),
        }
        Ok(voided?)
    }

    /// Counts as not spent what was spent of a budget in its window, and gives how much that was, in nano-dollars. What calls in
    /// flight reserved stays reserved. The audit log tells of it before it is done, and that it failed if it did.
    ///
    /// # Errors
    /// When there is no such budget, or it cannot be written: then nothing is reset.
    pub fn reset_budget(&self, id: &str, actor: &Actor<'_>) -> Result<u64, ControlError> {
        let (parts, snapshot) = (&self.0.parts, self.snapshot());
        let budget = snapshot.budget(&id.into()).ok_or_else(|| ControlError::not_found(Kind::Budget, id))?;
        let what = (Kind::Budget.as_str(), id);
        self.tell(actor, "reset", what)?;
        let forgive = |start_ms, nano: NanoUsd| parts.books.forgive(id, start_ms, nano.0);
        let spent = parts.ledger.reset(budget, self.now(), forgive);
        if spent.is_err() {
            drop(self.tell(actor, "reset_failed", what));
        }
        Ok(spent?.0)
    }

    /// Tells the audit log of something that changes no entity.
    pub(super) fn tell(
        &self,
        actor: &Actor<'_>,
        action: &'static str,
        (kind, id): (&str, &str),
    ) -> Result<(), ControlError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        let tell = self.change(actor, action, move |draft| {
            draft.tell_of(&kind, &id);
            Ok(None)
        });
        tell.map(drop)
    }
}
