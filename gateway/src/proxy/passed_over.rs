//! The targets of a call that were passed over, and what the client is told of them where none is left.

use policy::decision::Refusal;
use policy::id::{ModelName, ProviderName};
use policy::route::{DropReason, Plan, Target};

/// Why targets of a call were passed over.
#[derive(Debug, Default)]
pub(crate) struct PassedOver {
    /// Of the first that another time may do, or that no other target helps with.
    refusal: Option<Refusal>,
    /// Of the first that cannot be asked this.
    untranslatable: Option<Refusal>,
    /// Those that cannot be asked this, whatever the credential.
    not_asked: Vec<(ProviderName, ModelName)>,
}

impl PassedOver {
    /// An account is short for a target.
    pub(super) fn denied(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    /// The caller's own account is short: no other target can help.
    pub(super) fn denied_to_caller(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
    }

    /// A target cannot be asked this.
    pub(super) fn untranslatable(&mut self, target: &Target, refusal: Refusal) {
        self.untranslatable.get_or_insert(refusal);
        self.not_asked.push((target.provider.name.clone(), target.model.clone()));
    }

    /// Whether a target cannot be asked this, as far as that is known.
    pub(super) fn cannot_be_asked(&self, target: &Target) -> bool {
        self.not_asked.iter().any(|(provider, model)| *provider == target.provider.name && *model == target.model)
    }

    /// Whether any target could not be asked this.
    pub(super) const fn has_untranslatable(&self) -> bool {
        self.untranslatable.is_some()
    }

    /// What the client is told. That it cannot be asked this is the last word only if no target will ever take it: one that is left
    /// alone at present, or exhausted, may.
    pub(super) fn refusal(&self, plan: &Plan) -> Option<Refusal> {
        if self.refusal.is_some() {
            return self.refusal.clone();
        }
        let is_for_now = |reason| matches!(reason, DropReason::Down { .. } | DropReason::Exhausted);
        let may_take_it = plan.dropped.iter().any(|dropped| is_for_now(dropped.reason))
            || !plan.targets.iter().all(|target| self.cannot_be_asked(target));
        self.untranslatable.clone().filter(|_| !may_take_it)
    }
}
