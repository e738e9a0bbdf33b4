//! Virtual keys: what a caller shows instead of a vendor's key, and what it lets them do.

use std::fmt;

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::id::{CredentialName, CustomerId, ModelName, ProviderName, TeamId, VirtualKeyId};
use crate::limit::Limits;
use crate::list::AllowList;
use crate::request::OperationSet;
use crate::route::Weight;
use crate::route::balance::Balance;

/// The SHA-256 of a token. All of it is compared whatever differs, so that a look-up tells nothing about how near a guess was.
#[derive(Clone, Copy)]
pub struct TokenHash {
    sha256: [u8; 32],
    /// From when it no longer opens its key, in milliseconds since 1970; the largest number: never. Two that differ in this alone
    /// are equal: a token opens one key.
    ends_at_ms: u64,
}

impl TokenHash {
    /// The hash of a token as the caller sent it.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self { sha256: Sha256::digest(token.as_bytes()).into(), ends_at_ms: u64::MAX }
    }

    /// The hash that these 64 hexadecimal digits stand for.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut sha256 = [0; 32];
        if pairs.len() != sha256.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in sha256.iter_mut().zip(pairs) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Some(Self { sha256, ends_at_ms: u64::MAX })
    }

    /// The hash itself.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.sha256
    }

    /// The hash as 64 hexadecimal digits, in which form it is stored.
    #[must_use]
    pub fn to_hex(&self) -> String {
        use fmt::Write as _;
        self.sha256.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The same hash, which opens its key until then only, in milliseconds since 1970; `None`: for ever.
    #[must_use]
    pub fn until(self, ends_at_ms: Option<u64>) -> Self {
        Self { ends_at_ms: ends_at_ms.unwrap_or(u64::MAX), ..self }
    }

    /// From when it no longer opens its key, in milliseconds since 1970.
    #[must_use]
    pub fn ends_at_ms(&self) -> Option<u64> {
        Some(self.ends_at_ms).filter(|end| *end != u64::MAX)
    }

    /// A part of it, as good as all for finding it among others.
    pub(crate) fn short(&self) -> u32 {
        let [a, b, c, d, ..] = self.sha256;
        u32::from_le_bytes([a, b, c, d])
    }

    fn words(&self) -> impl Iterator<Item = u64> {
        self.sha256.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word))
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        let differences = self.words().zip(other.words()).map(|(one, other)| one ^ other);
        differences.fold(0, |all, one| all | one) == 0
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// The tokens of a key: nearly always one, so it lies in the key.
pub type KeyTokens = SmallVec<[TokenHash; 1]>;

/// One virtual key.
#[derive(Clone, Debug)]
pub struct VirtualKey {
    /// Its id, to which budgets, rules and logs refer.
    pub id: VirtualKeyId,
    /// Its name for people.
    pub name: Box<str>,
    /// The hashes of the tokens that open it: one, or two during a rotation.
    pub tokens: KeyTokens,
    /// Whether it may be used at all.
    pub is_active: bool,
    /// The wall-clock time (milliseconds since 1970) from which it may no longer be used.
    pub expires_at_ms: Option<u64>,
    /// The team it belongs to.
    pub team: Option<TeamId>,
    /// The customer it belongs to. A key has a team or a customer, not both.
    pub customer: Option<CustomerId>,
    /// The providers it may use, each with its own limits.
    pub providers: Vec<ProviderAccess>,
    /// Whether providers that are not listed may be used too, with all models and credentials.
    pub unlisted_providers: bool,
    /// The operations it may use.
    pub operations: OperationSet,
    /// How its traffic is spread; `None`: as the settings say.
    pub balance: Option<Balance>,
    /// Its budgets and its rate limit.
    pub limits: Limits,
}

/// What a virtual key may do with one provider.
#[derive(Clone, Debug)]
pub struct ProviderAccess {
    /// The id of this entry, to which budgets may refer.
    pub id: Option<Box<str>>,
    /// The provider.
    pub provider: ProviderName,
    /// The models it may use.
    pub models: AllowList,
    /// Models it may not use, whatever `models` says.
    pub denied_models: AllowList,
    /// The provider's credentials it may use, by name.
    pub credentials: AllowList,
    /// Its share of traffic that names no provider; `None`: reached only by name.
    pub weight: Option<Weight>,
    /// What the key may spend and use there.
    pub limits: Limits,
}

/// What a key may do with one provider, looked up.
#[derive(Clone, Copy, Debug)]
pub enum Access<'a> {
    /// Nothing: the provider is not allowed.
    Denied,
    /// Everything, with no entry of its own.
    Unlisted,
    /// What this entry says.
    Listed(&'a ProviderAccess),
}

/// Why a key cannot be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// It was switched off.
    Inactive,
    /// Its time is over.
    Expired,
}

impl VirtualKey {
    /// Whether the key may be used at `wall_ms`; being inactive is told before being expired.
    #[must_use]
    pub fn blocked(&self, wall_ms: u64) -> Option<Blocked> {
        if !self.is_active {
            return Some(Blocked::Inactive);
        }
        self.expires_at_ms.is_some_and(|end| wall_ms >= end).then_some(Blocked::Expired)
    }

    /// Whether a token opens the key at `wall_ms`: it is one of its tokens, and that one's time is not over.
    #[must_use]
    pub fn is_opened_by(&self, token: &TokenHash, wall_ms: u64) -> bool {
        self.tokens.iter().any(|known| known == token && known.ends_at_ms().is_none_or(|end| wall_ms < end))
    }

    /// What the key may do with a provider.
    #[must_use]
    pub fn access(&self, provider: &str) -> Access<'_> {
        match self.providers.iter().find(|access| access.provider.as_str() == provider) {
            Some(listed) => Access::Listed(listed),
            None if self.unlisted_providers => Access::Unlisted,
            None => Access::Denied,
        }
    }
}

impl Access<'_> {
    /// Whether the provider may be used at all.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        !matches!(self, Self::Denied)
    }

    /// Whether the model may be used. It is known by two names: the one asked for and the one it resolves to.
    /// An allow-list is satisfied by either name, a deny-list hit by either.
    #[must_use]
    pub fn allows_model(&self, asked: &ModelName, resolved: &ModelName) -> bool {
        match self {
            Self::Denied => false,
            Self::Unlisted => true,
            Self::Listed(access) => {
                let either = |list: &AllowList| list.allows(asked.as_str()) || list.allows(resolved.as_str());
                either(&access.models) && !either(&access.denied_models)
            }
        }
    }

    /// Whether the entry names the credential, rather than allowing it with all others.
    #[must_use]
    pub fn names_credential(&self, credential: &CredentialName) -> bool {
        matches!(self, Self::Listed(access) if access.credentials.names(credential.as_str()))
    }

    /// Whether the provider is reached only by a client that names it: its weight is `null`.
    #[must_use]
    pub fn is_only_by_name(&self) -> bool {
        matches!(self, Self::Listed(access) if access.weight.is_none())
    }

    /// Whether a credential of the provider may be used.
    #[must_use]
    pub fn allows_credential(&self, credential: &CredentialName) -> bool {
        match self {
            Self::Denied => false,
            Self::Unlisted => true,
            Self::Listed(access) => access.credentials.allows(credential.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> VirtualKey {
        VirtualKey {
            id: "vk".into(),
            name: "vk".into(),
            tokens: KeyTokens::from_buf([TokenHash::of("token")]),
            is_active: true,
            expires_at_ms: Some(1_000),
            team: None,
            customer: None,
            providers: vec![ProviderAccess {
                id: None,
                provider: "openai".into(),
                models: AllowList::only(["fast"]),
                denied_models: AllowList::only(["gpt-4"]),
                credentials: AllowList::All,
                weight: None,
                limits: Limits::default(),
            }],
            unlisted_providers: false,
            operations: OperationSet::ALL,
            balance: None,
            limits: Limits::default(),
        }
    }

    #[test]
    fn a_key_expires_on_the_millisecond() {
        assert_eq!(key().blocked(999), None);
        assert_eq!(key().blocked(1_000), Some(Blocked::Expired));
        let inactive = VirtualKey { is_active: false, ..key() };
        assert_eq!(inactive.blocked(1_000), Some(Blocked::Inactive));
    }

    #[test]
    fn a_token_that_was_replaced_opens_its_key_until_its_time_is_over() {
        let old = TokenHash::of("old").until(Some(500));
        let key = VirtualKey { tokens: KeyTokens::from_slice(&[TokenHash::of("new"), old]), ..key() };
        let opens = |token: &str, wall_ms| key.is_opened_by(&TokenHash::of(token), wall_ms);
        assert!(opens("old", 499) && !opens("old", 500));
        assert!(opens("new", u64::MAX) && !opens("other", 0));
    }

    #[test]
    fn a_hash_is_read_back_from_its_digits() {
        let hash = TokenHash::of("token");
        let text = hash.to_hex();
        assert_eq!(text, "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0");
        assert_eq!(TokenHash::from_hex(&text.to_uppercase()), Some(hash));
        for wrong in ["", "3c", "zz", &text[1..], &format!("{text}00"), &text.replace('3', "g")] {
            assert_eq!(TokenHash::from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_alias_is_allowed_by_either_name_and_denied_by_either() {
        let key = key();
        let access = key.access("openai");
        assert!(access.allows_model(&"fast".into(), &"gpt-4o-mini".into()));
        assert!(!access.allows_model(&"fast".into(), &"gpt-4".into()));
        assert!(!access.allows_model(&"gpt-4o".into(), &"gpt-4o".into()));
    }

    #[test]
    fn unlisted_providers_are_denied_unless_the_key_says_otherwise() {
        assert!(!key().access("groq").is_allowed());
        let open = VirtualKey { unlisted_providers: true, ..key() };
        assert!(open.access("groq").is_allowed());
    }
}
