//! From what is written to what is decided with: the conversions that need nothing but the shapes.

pub(super) mod limits;

use std::sync::Arc;

use crate::id::{CustomerId, TeamId, VirtualKeyId};
use crate::key::{ProviderAccess, TokenHash, VirtualKey};
use crate::provider::{Credential, Secret};
use crate::route::Weight;
use crate::route::expr::Condition;
use crate::route::rule::{Failures, Rule, RuleScope, RuleTarget};
use crate::settings::{KeyRequirement, Settings};
use crate::snapshot::{Customer, Team};

use super::{
    CredentialShape, CustomerShape, File, FileLimits, Owner, ProviderConfigShape, ProviderShape, RuleShape, Scope,
    TargetShape, TeamShape, Version, VirtualKeyShape,
};

impl File {
    /// The settings that decisions depend on.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let (key_requirement, key_requirement_reason) = self.key_requirement();
        Settings {
            key_prefix: self.client.virtual_key_prefix.clone(),
            key_requirement,
            key_requirement_reason,
            allow_direct_keys: self.client.allow_direct_keys,
            required_headers: self.client.required_headers.clone(),
            default_max_output_tokens: self.client.default_max_output_tokens,
            balance: self.client.balance,
            stream_recovery: self.client.stream_recovery,
            prompt_cache_affinity: self.client.prompt_cache_affinity,
            chain_depth: self.client.chain_depth,
            refuse_unpriced: self.client.refuse_unpriced,
            min_clamped_tokens: self.client.min_clamped_tokens,
        }
    }

    /// Whether a call needs a virtual key, and the setting that says so.
    fn key_requirement(&self) -> (KeyRequirement, &'static str) {
        let enforced = self.client.enforce_auth_on_inference;
        let mandatory = self.is_vk_mandatory();
        let auth = &self.governance.auth;
        if auth.disable_auth_on_inference == Some(true) {
            (KeyRequirement::Never, "governance.auth_config.disable_auth_on_inference is true")
        } else if enforced == Some(true) {
            (KeyRequirement::Always, "client.enforce_auth_on_inference is true")
        } else if mandatory == Some(true) {
            (KeyRequirement::Always, "is_vk_mandatory of the governance plugin is true")
        } else if auth.is_enabled {
            (KeyRequirement::Always, "governance.auth_config.is_enabled is true")
        } else if enforced == Some(false) {
            (KeyRequirement::Never, "client.enforce_auth_on_inference is false")
        } else if mandatory == Some(false) {
            (KeyRequirement::Never, "is_vk_mandatory of the governance plugin is false")
        } else {
            (KeyRequirement::WhenKeysExist, "no setting says otherwise")
        }
    }

    /// What the governance plugin says; the stricter word if it stands twice.
    fn is_vk_mandatory(&self) -> Option<bool> {
        let said = self.plugins.iter().filter(|plugin| plugin.is_enabled);
        said.filter_map(|plugin| plugin.is_vk_mandatory).max()
    }
}

impl VirtualKeyShape {
    /// The key as decisions see it. `token` is its `value`, or the one that was generated for it; `limits` are the file's.
    #[must_use]
    pub fn to_policy(&self, version: Version, token: &Secret, limits: &FileLimits<'_>) -> VirtualKey {
        let absent_means_all = version == Version::V1 && self.providers.is_none();
        VirtualKey {
            id: self.id.clone(),
            name: self.name.clone(),
            tokens: vec![TokenHash::of(token.reveal())],
            is_active: self.is_active,
            expires_at_ms: self.expires_at_ms,
            team: self.team.clone(),
            customer: self.customer.clone(),
            providers: self.providers.iter().flatten().map(|config| config.to_policy(self, limits)).collect(),
            unlisted_providers: self.allow_all_providers.unwrap_or(absent_means_all),
            operations: self.operations,
            balance: self.balance,
            limits: limits.of(Owner::VirtualKey(self.id.as_str())),
        }
    }
}

impl ProviderConfigShape {
    fn to_policy(&self, key: &VirtualKeyShape, limits: &FileLimits<'_>) -> ProviderAccess {
        ProviderAccess {
            id: self.id.clone(),
            provider: self.provider.clone(),
            models: self.models.clone(),
            denied_models: self.denied_models.clone(),
            credentials: self.credentials.clone(),
            weight: self.weight,
            limits: limits.of(Owner::of_config(key, self)),
        }
    }
}

impl TeamShape {
    /// The team as decisions see it. `limits` are the file's.
    #[must_use]
    pub fn to_policy(&self, limits: &FileLimits<'_>) -> Team {
        Team {
            id: self.id.clone(),
            name: self.name.clone(),
            customer: self.customer.clone(),
            limits: limits.of(Owner::Team(self.id.as_str())),
        }
    }
}

impl CustomerShape {
    /// The customer as decisions see it. `limits` are the file's.
    #[must_use]
    pub fn to_policy(&self, limits: &FileLimits<'_>) -> Customer {
        let limits = limits.of(Owner::Customer(self.id.as_str()));
        Customer { id: self.id.clone(), name: self.name.clone(), limits }
    }
}

impl RuleShape {
    /// The rule as decisions see it. `order` is its place in the file.
    #[must_use]
    pub fn to_policy(&self, order: u32) -> Rule {
        Rule {
            id: (*self.id).into(),
            name: self.name.clone(),
            scope: self.rule_scope(),
            priority: self.priority,
            order,
            condition: self.condition.clone().unwrap_or_else(|| Condition::never().into()),
            targets: self.targets.iter().map(TargetShape::to_policy).collect(),
            fallbacks: self.fallbacks.as_deref().map(Arc::from),
            is_chained: self.is_chained,
            balance: self.balance,
            failures: Failures::default(),
        }
    }

    fn rule_scope(&self) -> RuleScope {
        let id = self.scope_id.as_deref().unwrap_or_default();
        match self.scope {
            Scope::Global => RuleScope::Global,
            Scope::Team => RuleScope::Team(TeamId::from(id)),
            Scope::Customer => RuleScope::Customer(CustomerId::from(id)),
            Scope::VirtualKey => RuleScope::VirtualKey(VirtualKeyId::from(id)),
        }
    }
}

impl TargetShape {
    fn to_policy(&self) -> RuleTarget {
        RuleTarget {
            provider: self.provider.clone(),
            model: self.model.as_deref().map(Into::into),
            credential: self.credential.clone(),
            weight: self.weight.as_weight().unwrap_or(Weight::ONE),
        }
    }
}

impl CredentialShape {
    /// The credential as decisions see it.
    #[must_use]
    pub fn to_policy(&self) -> Credential {
        Credential {
            name: self.name.clone(),
            secret: self.value.clone().unwrap_or_else(|| Secret::new("")),
            models: self.models.clone(),
            denied_models: self.denied_models.clone(),
            weight: self.weight,
            aliases: self.aliases.clone(),
            is_enabled: self.is_enabled,
        }
    }
}

impl ProviderShape {
    /// The headers that are added to each request, as they are sent.
    #[must_use]
    pub fn headers_to_send(&self) -> Vec<(Box<str>, Box<str>)> {
        self.extra_headers.iter().map(|(name, value)| (name.clone(), value.reveal().into())).collect()
    }
}
