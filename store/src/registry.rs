//! What is configured: a row for each entity, in the same database as the balances, and the audit log of its changes.
//!
//! It is used beside the path of requests: each call waits for the database, and not for long.

mod audit;
mod changes;
mod commit;
pub(crate) mod database;
mod error;
mod keys;
mod rotate;
mod row;

use std::cell::Cell;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{RwLock, RwLockReadGuard};
use policy::provider::Secret;

use self::audit::Walk;
pub use self::audit::{AuditEntry, AuditFilter, AuditRow, Defect, Tampered, Verified};
pub(crate) use self::audit::{Head, Numbered};
pub use self::changes::Changes;
pub(crate) use self::changes::Signal;
use self::database::{Change, Database, Look};
pub use self::error::{RegistryError, Unfit};
use self::keys::Keys;
pub use self::rotate::Rotated;
pub use self::row::{
    Committed, Entity, Expected, Feed, FieldIs, Filter, Origin, Put, Refused, Removal, Row, Sort, TokenHash, Write,
};
use crate::postgres::PostgresRegistry;
use crate::seal::Seal;
use crate::sqlite::SqliteRegistry;
use crate::{Config, Database as Place, StoreError, folder};

/// How long a call waits for others that write.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Where the configuration is kept. Clones are the same registry; any thread may use it.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    database: Box<dyn Database>,
    keys: RwLock<Arc<Keys>>,
    /// Taken by all who write, and by a rotation for itself.
    turn: RwLock<()>,
}

impl Registry {
    /// Opens what is kept, beside a [`Store`](crate::Store) or another registry on it; a folder alone says that it is there. The folder
    /// is made if need be. The first one decides what the encryption key is. A server is waited for: neither this nor what is asked of
    /// a registry is to be called where asynchronous tasks are driven.
    ///
    /// # Errors
    /// When it was sealed with another key ([`SealError::OtherKey`](crate::seal::SealError::OtherKey)), was made by a newer version,
    /// or cannot be reached, read or written.
    pub fn open(config: impl Into<Config>, encryption_key: &Secret) -> Result<Self, RegistryError> {
        let database: Box<dyn Database> = match config.into() {
            Config { folder, database: Place::Sqlite { path } } => {
                std::fs::create_dir_all(&folder).map_err(StoreError::file("made", &folder))?;
                folder::check_restored(&folder)?;
                Box::new(SqliteRegistry::open(&path)?)
            }
            Config { database: Place::Postgres(server), .. } => Box::new(PostgresRegistry::open(&server)?),
        };
        let keys = keys::unlock(&*database, encryption_key)?;
        Ok(Self(Arc::new(Inner { database, keys: RwLock::new(Arc::new(keys)), turn: RwLock::new(()) })))
    }

    /// What seals secrets in documents now. If the encryption key is rotated before they are committed, the commit is refused
    /// ([`Unfit::Seal`]), and they must be sealed anew.
    #[must_use]
    pub fn seal(&self) -> Seal {
        self.keys().seal.clone()
    }

    /// What an entry of the file resolved to, in a form that tells nothing of it; the same after a rotation of the encryption key.
    #[must_use]
    pub fn file_mac(&self, kind: &str, id: &str, resolved: &[u8]) -> [u8; 32] {
        self.keys().file_mac(kind, id, resolved)
    }

    /// Gives every row, deleted ones among them, by kind and order, all as they are at one moment. Gives the revision of that moment.
    ///
    /// # Errors
    /// When they cannot be read; some rows may have been given then.
    pub fn load(&self, each: &mut dyn FnMut(Row)) -> Result<u64, RegistryError> {
        self.read(|look| {
            look.rows(&mut |row| {
                each(row);
                Ok(())
            })?;
            look.revision()
        })
    }

    /// Makes changes, together with what the audit log tells of them: all, and durable, or none.
    ///
    /// # Errors
    /// When a row is not as expected, a name or a token is taken, something cannot be kept, or the database cannot be written.
    pub fn commit(&self, write: &Write) -> Result<Committed, RegistryError> {
        let done = self.commit_all(None, &[write]).map_err(|refused| refused.error)?;
        done.first().copied().ok_or(UNANSWERED)
    }

    /// Makes several changes, one after the other, in one transaction: all, and durable, or none. Each has a revision of its own. With
    /// `base` only if that is the revision of the last change: nobody else has changed anything meanwhile.
    ///
    /// # Errors
    /// The same as for one change, and which one it was; [`RegistryError::Moved`] if `base` is not the last revision.
    pub fn commit_all(&self, base: Option<u64>, writes: &[&Write]) -> Result<Vec<Committed>, Refused> {
        let (_turn, keys) = self.turn().map_err(|error| Refused { at: None, error })?;
        for (at, write) in writes.iter().enumerate() {
            commit::check(write, &keys.seal).map_err(|error| Refused { at: Some(at), error })?;
        }
        let at = Cell::new(None);
        let done = self.write(&keys, |change| commit::apply_all(change, &keys, base, writes, &at));
        done.map_err(|error| Refused { at: at.get(), error })
    }

    /// The greatest order of a kind; `None`: there is none of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_order(&self, kind: &str) -> Result<Option<i64>, RegistryError> {
        self.read(|look| look.last_order(kind))
    }

    /// The revision of the last change.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn revision(&self) -> Result<u64, RegistryError> {
        self.read(|look| look.revision())
    }

    /// Every row that was changed after a revision, as it is now: who has the rows of that revision and puts these in their place has
    /// those of the revision that is given back. All of them at once: who is far behind should [`load`](Self::load), and so must who is
    /// given a revision that is less than the one asked for: the database was put back to an older copy.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn since(&self, revision: u64) -> Result<Feed, RegistryError> {
        self.read(|look| {
            let mut rows = Vec::new();
            look.rows_since(revision, &mut |row| {
                rows.push(row);
                Ok(())
            })?;
            Ok(Feed { revision: look.revision()?, rows })
        })
    }

    /// What waits for changes, those of other processes among them.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::of(self)
    }

    /// A part of the rows that a filter lets through, and how many it lets through in all.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn page(&self, filter: &Filter) -> Result<(Vec<Row>, u64), RegistryError> {
        self.read(|look| look.page(filter))
    }

    /// A row that is not deleted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, kind: &str, id: &str) -> Result<Option<Row>, RegistryError> {
        Ok(self.read(|look| look.row(kind, id))?.filter(|row| !row.is_deleted))
    }

    /// What is left of a row that was deleted and is remembered.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn remembered(&self, kind: &str, id: &str) -> Result<Option<Row>, RegistryError> {
        Ok(self.read(|look| look.row(kind, id))?.filter(|row| row.is_deleted))
    }

    /// A part of the audit log, newest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn audit_page(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, RegistryError> {
        self.read(|look| look.audit_page(filter))
    }

    /// Gives every row of the audit log, oldest first, until `each` breaks off. What it gives is not verified. The database's log grows
    /// while this lasts: who waits for a slow reader should ask for [pages](Self::audit_page).
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn audit_each(&self, each: &mut dyn FnMut(AuditRow) -> ControlFlow<()>) -> Result<(), RegistryError> {
        self.read(|look| {
            look.audit(&mut |found| {
                let row = found.row.ok_or(RegistryError::Damaged("a row of the audit log cannot be read"))?;
                Ok(each(row))
            })
        })
    }

    /// Checks every row of the audit log, and that none is missing. What it cannot see: that the whole database was put back to
    /// an older copy of itself.
    ///
    /// # Errors
    /// [`RegistryError::Tampered`] with the first row that is not what was written; or when the log cannot be read.
    pub fn verify(&self) -> Result<Verified, RegistryError> {
        let keys = self.keys();
        self.read(|look| {
            let mut walk = Walk::new(&keys.chain);
            look.audit(&mut |found| {
                walk.step(&found)?;
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(walk.end(look.audit_head()?.as_ref())?)
        })
    }

    /// Seals everything anew under another encryption key, in one transaction. Other processes that have this registry open cannot
    /// write any more until they open it with the new key. Rows whose documents held sealed values get a new revision.
    ///
    /// # Errors
    /// When it cannot be done; then everything is sealed as before.
    pub fn rotate(&self, encryption_key: &Secret, audit: &AuditEntry) -> Result<Rotated, RegistryError> {
        let _turn = self.0.turn.try_write_for(PATIENCE).ok_or(RegistryError::Busy)?;
        let old = self.keys();
        let new = keys::Draft::new(encryption_key)?;
        let rotated = self.write(&old, |change| rotate::rotate(change, &old, &new, audit))?;
        *self.0.keys.write() = Arc::new(old.resealed(new));
        Ok(rotated)
    }

    /// Secrets that were kept by name; `None` where there is none.
    ///
    /// # Errors
    /// When they cannot be read or opened.
    pub fn kept(&self, names: &[String]) -> Result<Vec<Option<Secret>>, RegistryError> {
        let keys = self.keys();
        self.read(|look| names.iter().map(|name| keys.kept(look, name)).collect())
    }

    /// Keeps secrets by name, where none is kept yet: the first one stays.
    ///
    /// # Errors
    /// When they cannot be written; then none is kept.
    pub fn keep(&self, secrets: &[(String, Secret)]) -> Result<(), RegistryError> {
        secrets.iter().try_for_each(|(name, _)| commit::check_texts("secret", name, [Some(name.as_str())]))?;
        let (_turn, keys) = self.turn()?;
        self.write(&keys, |change| secrets.iter().try_for_each(|(name, secret)| keys.keep(change, name, secret)))
    }

    /// Changes the secret that is kept by a name, in one transaction: `change` makes the new one of the one that is there, and is perhaps
    /// asked more than once. `None`: it stays.
    ///
    /// # Errors
    /// When it cannot be read, opened or written; then it is as it was.
    pub fn rework(
        &self,
        name: &str,
        change: &mut dyn FnMut(Option<Secret>) -> Option<Secret>,
    ) -> Result<(), RegistryError> {
        commit::check_texts("secret", name, [Some(name)])?;
        let (_turn, keys) = self.turn()?;
        self.write(&keys, |tables| match change(keys.kept(tables, name)?) {
            Some(new) => keys.replace(tables, name, &new),
            None => Ok(()),
        })
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.keys.read())
    }

    /// The keys, which nobody changes while the guard lives.
    fn turn(&self) -> Result<(RwLockReadGuard<'_, ()>, Arc<Keys>), RegistryError> {
        let turn = self.0.turn.try_read_for(PATIENCE).ok_or(RegistryError::Busy)?;
        Ok((turn, self.keys()))
    }

    fn read<T>(&self, work: impl FnMut(&dyn Look) -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        read(&*self.0.database, work)
    }

    /// In one transaction; not if another process has rotated the key.
    fn write<T>(
        &self,
        keys: &Keys,
        mut work: impl FnMut(&dyn Change) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        write(&*self.0.database, |change| {
            keys.check(change)?;
            work(change)
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.0.database).finish()
    }
}

const UNANSWERED: RegistryError = RegistryError::Damaged("it did not answer");

fn read<T>(
    database: &dyn Database,
    mut work: impl FnMut(&dyn Look) -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    let mut done = None;
    database.read(&mut |look| {
        done = Some(work(look)?);
        Ok(())
    })?;
    done.ok_or(UNANSWERED)
}

fn write<T>(
    database: &dyn Database,
    mut work: impl FnMut(&dyn Change) -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    let mut done = None;
    database.write(&mut |change| {
        done = Some(work(change)?);
        Ok(())
    })?;
    done.ok_or(UNANSWERED)
}
