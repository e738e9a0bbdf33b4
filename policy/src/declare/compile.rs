//! From what is written to what is decided with: the conversions that need nothing but the shapes.

pub(super) mod limits;

use std::sync::Arc;

use crate::id::{CustomerId, TeamId, VirtualKeyId};
use crate::key::{KeyTokens, ProviderAccess, TokenHash, VirtualKey};
use crate::list::AllowList;
use crate::provider::{Credential, Endpoint, Secret};
use crate::route::Weight;
use crate::route::expr::Condition;
use crate::route::rule::{Failures, Rule, RuleScope, RuleTarget};
use crate::settings::{KeysSaid, Settings};
use crate::snapshot::{Customer, Team};

use super::{
    AuthShape, ClientShape, CredentialShape, CustomerShape, File, PluginShape, ProviderConfigShape, ProviderShape,
    RuleShape, Scope, TargetShape, TeamShape, Version, VirtualKeyShape,
};

impl File {
    /// The settings that decisions depend on.
    #[must_use]
    pub fn settings(&self) -> Settings {
        PluginShape::onto(&self.plugins, &self.governance.auth.onto(&self.client.onto(&Settings::default())))
    }
}

impl ClientShape {
    /// The settings that decisions depend on. `keys` is what was said about keys, here and elsewhere.
    fn settings(&self, keys: KeysSaid) -> Settings {
        let (key_requirement, key_requirement_reason) = keys.requirement();
        Settings {
            keys_said: keys,
            key_prefix: self.virtual_key_prefix.clone(),
            key_requirement,
            key_requirement_reason,
            allow_direct_keys: self.allow_direct_keys,
            required_headers: self.required_headers.clone(),
            default_max_output_tokens: self.default_max_output_tokens,
            balance: self.balance,
            stream_recovery: self.stream_recovery,
            prompt_cache_affinity: self.prompt_cache_affinity,
            chain_depth: self.chain_depth,
            refuse_unpriced: self.refuse_unpriced,
            min_clamped_tokens: self.min_clamped_tokens,
            compat: self.compat,
            logging: self.logging,
        }
    }

    /// The settings after this section was put in force: what the other sections said stays.
    #[must_use]
    pub fn onto(&self, settings: &Settings) -> Settings {
        self.settings(KeysSaid { enforced: self.enforce_auth_on_inference, ..settings.keys_said })
    }
}

impl AuthShape {
    /// The settings after this section was put in force.
    #[must_use]
    pub fn onto(&self, settings: &Settings) -> Settings {
        settings.with_keys_said(KeysSaid {
            disabled: self.disable_auth_on_inference,
            is_admin_enabled: self.is_enabled,
            ..settings.keys_said
        })
    }
}

impl PluginShape {
    /// The settings after these plugins were put in force.
    #[must_use]
    pub fn onto(plugins: &[Self], settings: &Settings) -> Settings {
        settings.with_keys_said(KeysSaid { mandatory: is_vk_mandatory(plugins), ..settings.keys_said })
    }
}

/// What the governance plugin says; the stricter word if it stands twice.
fn is_vk_mandatory(plugins: &[PluginShape]) -> Option<bool> {
    plugins.iter().filter(|plugin| plugin.is_enabled).filter_map(|plugin| plugin.is_vk_mandatory).max()
}

impl VirtualKeyShape {
    /// Whether providers that it does not list are allowed too.
    pub(super) fn allows_unlisted(&self, version: Version) -> bool {
        self.allow_all_providers.unwrap_or(version == Version::V1 && self.providers.is_none())
    }

    /// The hashes of the tokens that open it; none where one is still to be generated.
    #[must_use]
    pub fn tokens(&self) -> KeyTokens {
        // Where there are hashes, what stands as `value` is sealed, and opens nothing.
        if self.hashes.is_empty() {
            return self.value.iter().map(|token| TokenHash::of(token.reveal())).collect();
        }
        let mut tokens = KeyTokens::new();
        for stored in &self.hashes {
            if !tokens.contains(stored) {
                tokens.push(*stored);
            }
        }
        tokens
    }

    /// The key as decisions see it. The shape is in the normal form.
    #[must_use]
    pub fn to_policy(&self) -> VirtualKey {
        let mut providers: Vec<_> = self.providers.iter().flatten().map(ProviderConfigShape::to_policy).collect();
        providers.shrink_to_fit();
        VirtualKey {
            id: self.id.clone(),
            name: self.name.clone(),
            tokens: self.tokens(),
            is_active: self.is_active,
            expires_at_ms: self.expires_at_ms,
            team: self.team.clone(),
            customer: self.customer.clone(),
            providers,
            unlisted_providers: self.allows_unlisted(Version::V2),
            operations: self.operations,
            balance: self.balance,
            keeps_content: self.keeps_content,
            limits: self.limits.to_policy(),
        }
    }
}

impl ProviderConfigShape {
    fn to_policy(&self) -> ProviderAccess {
        ProviderAccess {
            id: self.id.clone(),
            provider: self.provider.clone(),
            models: self.models.clone(),
            denied_models: self.denied_models.clone(),
            credentials: self.credentials.clone(),
            weight: self.weight,
            limits: self.limits.to_policy(),
        }
    }
}

impl TeamShape {
    /// The team as decisions see it. The shape is in the normal form.
    #[must_use]
    pub fn to_policy(&self) -> Team {
        let limits = self.limits.to_policy();
        Team { id: self.id.clone(), name: self.name.clone(), customer: self.customer.clone(), limits }
    }
}

impl CustomerShape {
    /// The customer as decisions see it. The shape is in the normal form.
    #[must_use]
    pub fn to_policy(&self) -> Customer {
        Customer { id: self.id.clone(), name: self.name.clone(), limits: self.limits.to_policy() }
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
    /// The credential as decisions see it. `endpoint` is where its server is, if it has one of its own.
    #[must_use]
    pub fn to_policy(&self, endpoint: Option<Endpoint>) -> Credential {
        let only = self.server.as_ref().and_then(|server| server.model.as_ref());
        Credential {
            name: self.name.clone(),
            secret: self.value.clone().unwrap_or_else(|| Secret::new("")),
            models: only.map_or_else(|| self.models.clone(), |model| AllowList::only([model.as_str()])),
            denied_models: self.denied_models.clone(),
            weight: self.weight,
            aliases: self.aliases.clone(),
            is_enabled: self.is_enabled,
            endpoint,
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
