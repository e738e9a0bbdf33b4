//! What many virtual keys have alike is kept once: ids of what they name, and lists of names.

use std::sync::Arc;

use super::Snapshot;
use super::map::HashMap;
use crate::key::{ProviderAccess, VirtualKey};
use crate::limit::Limits;
use crate::list::{AllowList, Names};

/// More lists than these are not held to be the same few again and again.
const MOST: usize = 4_096;

/// The lists that keys have, as far as others may have them too.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists(HashMap<Names, ()>);

impl Lists {
    /// Puts the list that is known in the place of one that is equal.
    fn share(&mut self, list: &mut AllowList) {
        let AllowList::Only(names) = list else { return };
        if let Some((known, ())) = self.0.get_key_value(names) {
            *names = known.clone();
            return;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(names.clone(), ());
    }
}

impl Snapshot {
    /// The key, with what is there already in the place of what is equal in it.
    pub(super) fn shared(&mut self, mut key: Arc<VirtualKey>) -> Arc<VirtualKey> {
        let new = Arc::make_mut(&mut key);
        if let Some(known) = new.team.as_ref().and_then(|team| self.teams.get(team.as_str())) {
            new.team = Some(known.id.clone());
        }
        if let Some(known) = new.customer.as_ref().and_then(|customer| self.customers.get(customer.as_str())) {
            new.customer = Some(known.id.clone());
        }
        self.share_limits(&mut new.limits);
        new.providers.iter_mut().for_each(|access| self.share_access(access));
        key
    }

    fn share_access(&mut self, access: &mut ProviderAccess) {
        if let Some(known) = self.providers.get(access.provider.as_str()) {
            access.provider = known.name.clone();
        }
        for list in [&mut access.models, &mut access.denied_models, &mut access.credentials] {
            self.lists.share(list);
        }
        self.share_limits(&mut access.limits);
    }

    fn share_limits(&self, limits: &mut Limits) {
        for id in &mut limits.budgets {
            if let Some(known) = self.budget(id) {
                *id = known.id.clone();
            }
        }
        if let Some(known) = limits.rate_limit.as_ref().and_then(|id| self.rate_limit(id)) {
            limits.rate_limit = Some(known.id.clone());
        }
    }
}
