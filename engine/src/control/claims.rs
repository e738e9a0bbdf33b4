//! What only one entity may have, beside its id: a rule's name in its scope, the id of a provider config, the model that limits are
//! for. A whole file is checked for it by its reader; here it is looked up for one entity, which may come from a call.

use std::sync::Arc;

use foldhash::quality::FixedState;
use imbl::GenericHashMap;
use imbl::shared_ptr::DefaultSharedPtr;
use policy::declare::Scope;
use policy::declare::entity::{Kind, Shape};

use crate::compile::Model;

/// A map that is copied in no time.
type Map<K, V> = GenericHashMap<K, V, FixedState, DefaultSharedPtr>;

/// What one entity has for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Claim {
    /// The name of a rule, in its scope.
    Rule(Scope, Option<Box<str>>, Box<str>),
    /// The id of a virtual key's entry for a provider.
    ProviderConfig(Box<str>),
    /// The model of a provider (`None`: of whichever serves it) that limits are for.
    Model(Model),
}

/// A claim that another entity has, and the field that makes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) field: String,
    pub(super) message: String,
}

/// Who has what. Copied in no time.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    owners: Map<Claim, Arc<str>>,
    /// What each has; who has nothing is not there.
    of: Map<(Kind, Arc<str>), Arc<[Claim]>>,
}

impl Claims {
    /// What an entity claims that another one has.
    pub(super) fn taken(&self, claimed: &Claimed) -> Option<Taken> {
        claimed.claims.iter().enumerate().find_map(|(index, claim)| {
            let owner = self.owners.get(claim).filter(|owner| **owner != claimed.id)?;
            let field = claimed.fields.get(index).cloned().unwrap_or_default();
            Some(Taken { field, message: message(claim, owner) })
        })
    }

    /// Who limits the model that another entity claims.
    pub(super) fn loser(&self, claimed: &Claimed) -> Option<Arc<str>> {
        let models = claimed.claims.iter().filter(|claim| matches!(claim, Claim::Model(_)));
        models.filter_map(|claim| self.owners.get(claim)).find(|owner| **owner != claimed.id).map(Arc::clone)
    }

    /// An entity has what it claims, and nothing else any more. What another one had is its own from here on.
    pub(super) fn put(&mut self, Claimed { kind, id, claims, .. }: Claimed) {
        self.remove(kind, &id);
        if claims.is_empty() {
            return;
        }
        for claim in claims.iter() {
            self.owners.insert(claim.clone(), Arc::clone(&id));
        }
        self.of.insert((kind, id), claims);
    }

    /// An entity has nothing any more.
    pub(super) fn remove(&mut self, kind: Kind, id: &str) {
        let Some(claims) = self.of.remove(&(kind, id.into())) else { return };
        for claim in claims.iter() {
            if self.owners.get(claim).is_some_and(|owner| **owner == *id) {
                self.owners.remove(claim);
            }
        }
    }

    /// The model that an entity limits, unless another one does by now.
    pub(super) fn model_of(&self, kind: Kind, id: &str) -> Option<Model> {
        if kind != Kind::ModelConfig {
            return None;
        }
        let claims = self.of.get(&(kind, id.into()))?;
        let own = |claim: &&Claim| self.owners.get(*claim).is_some_and(|owner| **owner == *id);
        claims
            .iter()
            .find(own)
            .and_then(|claim| if let Claim::Model(model) = claim { Some(model.clone()) } else { None })
    }
}

/// What an entity claims, apart from what else it says.
#[derive(Debug)]
pub(super) struct Claimed {
    kind: Kind,
    id: Arc<str>,
    claims: Arc<[Claim]>,
    /// The fields that say so, one for each.
    fields: Vec<String>,
}

impl Claimed {
    /// Who claims it.
    pub(super) fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Whether it claims this model.
    pub(super) fn is_for(&self, model: &Model) -> bool {
        self.claims.iter().any(|claim| matches!(claim, Claim::Model(own) if own == model))
    }

    pub(super) fn of(shape: &Shape) -> Self {
        let (fields, claims): (Vec<_>, Vec<_>) = claims(shape).into_iter().unzip();
        Self { kind: shape.kind(), id: shape.id().into(), claims: claims.into(), fields }
    }
}

/// What an entity claims, with the field that says so.
fn claims(shape: &Shape) -> Vec<(String, Claim)> {
    match shape {
        Shape::RoutingRule(rule) => {
            vec![("name".to_owned(), Claim::Rule(rule.scope, rule.scope_id.clone(), rule.name.clone()))]
        }
        Shape::ModelConfig(config) => {
            vec![("model_name".to_owned(), Claim::Model((config.provider.clone(), config.model.clone())))]
        }
        Shape::VirtualKey(key) => {
            let configs = key.providers.iter().flatten().enumerate();
            let named = configs.filter_map(|(index, config)| Some((index, config.id.as_deref()?)));
            let named = named.filter(|(_, id)| !id.is_empty());
            named
                .map(|(index, id)| (format!("provider_configs[{index}].id"), Claim::ProviderConfig(id.into())))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn message(claim: &Claim, owner: &str) -> String {
    match claim {
        Claim::Rule(..) => format!("the rule `{owner}` of the same scope has this name"),
        Claim::ProviderConfig(_) => format!("a provider config of the virtual key `{owner}` has this id"),
        Claim::Model(_) => format!("the model config `{owner}` is for the same model and provider"),
    }
}
