//! The keys of a registry: what seals, and what the MACs are made with. The latter are made once and kept sealed, so that they
//! outlive the encryption key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use policy::provider::Secret;
use sha2::Sha256;

use super::audit::{Chain, Mac, keyed};
use super::database::{Change, Database, Look};
use super::{RegistryError, read, write};
use crate::seal::{Context, SALT_BYTES, Seal, SealError, random};

const SALT: &str = "seal.salt";
const CANARY: &str = "seal.canary";
const MAC_KEY: &str = "mac.key";
const SECRET: &str = "secret/";
const DAMAGED: RegistryError = RegistryError::Damaged("its keys cannot be read");

/// What is derived from the encryption key and what that opens.
pub(super) struct Keys {
    /// As it is kept: it tells whether the key was rotated by another process.
    salt: String,
    pub(super) seal: Seal,
    pub(super) chain: Chain,
    file: Hmac<Sha256>,
}

/// A new encryption key with its salt, before anything is sealed with it.
pub(super) struct Draft {
    salt: String,
    pub(super) seal: Seal,
}

/// Opens the keys of a database, and makes those of a new one.
pub(super) fn unlock(database: &dyn Database, encryption_key: &Secret) -> Result<Keys, RegistryError> {
    if read(database, |look| look.note(SALT))?.is_none() {
        let draft = Draft::new(encryption_key)?;
        let mac_key = random::<32>()?;
        write(database, |change| {
            // Another process may have been first.
            if change.note(SALT)?.is_some() { Ok(()) } else { draft.begin(change, &mac_key) }
        })?;
    }
    read(database, |look| Keys::open(look, encryption_key))
}

impl Draft {
    pub(super) fn new(encryption_key: &Secret) -> Result<Self, RegistryError> {
        let salt = random::<SALT_BYTES>()?;
        let seal = Seal::derive(encryption_key, &salt)?;
        Ok(Self { salt: URL_SAFE_NO_PAD.encode(salt), seal })
    }

    fn begin(&self, change: &dyn Change, mac_key: &Mac) -> Result<(), RegistryError> {
        self.keep_salt(change)?;
        let canary = Secret::new("tollgate");
        let mac = Secret::new(&URL_SAFE_NO_PAD.encode(mac_key));
        for (name, secret) in [(CANARY, &canary), (MAC_KEY, &mac)] {
            change.set_note(name, &self.seal.seal(place(name), secret)?)?;
        }
        change.set_audit_head(&chain(mac_key).begin())
    }

    pub(super) fn keep_salt(&self, change: &dyn Change) -> Result<(), RegistryError> {
        change.set_note(SALT, &self.salt)
    }
}

impl Keys {
    fn open(look: &dyn Look, encryption_key: &Secret) -> Result<Self, RegistryError> {
        let salt = look.note(SALT)?.ok_or(DAMAGED)?;
        let bytes = URL_SAFE_NO_PAD.decode(&salt).map_err(|_| DAMAGED)?;
        let seal = Seal::derive(encryption_key, &bytes.try_into().map_err(|_| DAMAGED)?)?;
        let canary = look.note(CANARY)?.ok_or(DAMAGED)?;
        seal.unseal(place(CANARY), &canary).map_err(|_| SealError::OtherKey)?;
        let mac = look.note(MAC_KEY)?.ok_or(DAMAGED)?;
        let mac = URL_SAFE_NO_PAD.decode(seal.unseal(place(MAC_KEY), &mac)?.reveal()).map_err(|_| DAMAGED)?;
        let mac = mac.try_into().map_err(|_| DAMAGED)?;
        Ok(Self { salt, seal, chain: chain(&mac), file: keyed(&derived(&mac, b"file")) })
    }

    /// Fails if everything was sealed with another key meanwhile.
    pub(super) fn check<L: Look + ?Sized>(&self, look: &L) -> Result<(), RegistryError> {
        let is_ours = look.note(SALT)?.is_some_and(|salt| salt == self.salt);
        if is_ours { Ok(()) } else { Err(SealError::OtherKey.into()) }
    }

    /// The same under a new encryption key.
    pub(super) fn resealed(&self, draft: Draft) -> Self {
        let Draft { salt, seal } = draft;
        Self { salt, seal, chain: self.chain.clone(), file: self.file.clone() }
    }

    pub(super) fn file_mac(&self, kind: &str, id: &str, resolved: &[u8]) -> Mac {
        let mut over = self.file.clone();
        for part in [kind.as_bytes(), id.as_bytes(), resolved] {
            over.update(&(part.len() as u64).to_le_bytes());
            over.update(part);
        }
        over.finalize().into_bytes().into()
    }

    /// A secret that is kept by name.
    pub(super) fn kept<L: Look + ?Sized>(&self, look: &L, name: &str) -> Result<Option<Secret>, RegistryError> {
        let name = format!("{SECRET}{name}");
        let unseal = |text: String| self.seal.unseal(place(&name), &text).map_err(RegistryError::from);
        look.note(&name)?.map(unseal).transpose()
    }

    /// Keeps one by name, if there is none.
    pub(super) fn keep(&self, change: &dyn Change, name: &str, secret: &Secret) -> Result<(), RegistryError> {
        match change.note(&format!("{SECRET}{name}"))? {
            Some(_) => Ok(()),
            None => self.replace(change, name, secret),
        }
    }

    /// Keeps another secret in the place of one that is kept by name; nothing if none is.
    pub(super) fn renew(&self, change: &dyn Change, name: &str, secret: &Secret) -> Result<(), RegistryError> {
        let name = format!("{SECRET}{name}");
        match change.note(&name)? {
            Some(_) => change.set_note(&name, &self.seal.seal(place(&name), secret)?),
            None => Ok(()),
        }
    }

    /// Keeps one by name, whether there is one or not.
    pub(super) fn replace(&self, change: &dyn Change, name: &str, secret: &Secret) -> Result<(), RegistryError> {
        let name = format!("{SECRET}{name}");
        change.set_note(&name, &self.seal.seal(place(&name), secret)?)
    }
}

/// Where a sealed note belongs. No kind of entity has this name.
pub(super) fn place(name: &str) -> Context<'_> {
    Context { kind: "tollgate.note", id: name, field: "" }
}

fn chain(mac_key: &Mac) -> Chain {
    Chain::new(&derived(mac_key, b"audit"))
}

fn derived(mac_key: &Mac, use_of: &[u8]) -> Mac {
    let mut over = keyed(mac_key);
    over.update(use_of);
    over.finalize().into_bytes().into()
}
