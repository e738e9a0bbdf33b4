//! The audit log: who changed what. Each row holds a MAC over itself and the one before it, so that it can only be added to.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use thiserror::Error;

/// HMAC-SHA-256.
pub(crate) type Mac = [u8; 32];

/// What precedes the first row.
const NOTHING: Mac = [0; 32];
const ROW: &[u8] = b"tollgate audit row v1";
const HEAD: &[u8] = b"tollgate audit head v1";

/// A change, as it is told in the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at_ms: u64,
    /// Who: a user's name, the name of an API key, ….
    pub actor: String,
    /// What that is: `user`, `api_key`, `file`, `command`, ….
    pub actor_kind: String,
    /// From where; empty if it was no call.
    pub address: String,
    /// What was done: `create`, `update`, `delete`, ….
    pub action: String,
    /// To what kind of entity.
    pub kind: String,
    /// To which.
    pub entity_id: String,
    /// What it was, without secrets; `None`: it was not there.
    pub before: Option<String>,
    /// What it is, without secrets; `None`: it is not there any more.
    pub after: Option<String>,
}

/// A row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number: 1, 2, 3, ….
    pub seq: u64,
    /// What it tells.
    pub entry: AuditEntry,
    /// The MAC of the row before it; zeros before the first.
    pub previous_mac: [u8; 32],
    /// Over all of that.
    pub mac: [u8; 32],
}

/// Which rows of the audit log are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this actor.
    pub actor: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this entity.
    pub entity_id: Option<String>,
    /// Where this was done.
    pub action: Option<String>,
    /// Not before this.
    pub from_ms: Option<u64>,
    /// Not at or after this.
    pub to_ms: Option<u64>,
    /// Those with a smaller number only: the last one's of the page before.
    pub before: Option<u64>,
    /// No more than so many.
    pub limit: u32,
}

/// That the audit log is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many rows it has.
    pub rows: u64,
}

/// Where the audit log is not what was written, at the first place that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("row {seq} {what}")]
pub struct Tampered {
    /// The row's number; that of the last row where it is about the end.
    pub seq: i64,
    /// What is wrong there.
    pub what: Defect,
}

/// What is wrong with a row of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Defect {
    /// It is not what was written there.
    #[error("was changed, or moved")]
    Changed,
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is beyond what was written.
    #[error("was added by somebody else")]
    Added,
    /// What says where the log ends was changed or is missing.
    #[error("is told to be the last by a record that was changed or is missing")]
    End,
}

/// Where the log ends, with a MAC of its own, so that it cannot be cut off unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) rows: u64,
    pub(crate) mac: Mac,
    pub(crate) head_mac: Mac,
}

/// A row as it was found; `row` is `None` if it cannot be read.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) seq: i64,
    pub(crate) row: Option<AuditRow>,
}

/// Makes and checks the MACs.
#[derive(Clone)]
pub(crate) struct Chain(Hmac<Sha256>);

impl Chain {
    pub(crate) fn new(key: &Mac) -> Self {
        Self(keyed(key))
    }

    /// The end of a log in which nothing was written.
    pub(crate) fn begin(&self) -> Head {
        self.head(0, 0, NOTHING)
    }

    /// The row that comes next, and the end after it. An end that is not authentic is not gone on from.
    pub(crate) fn append(&self, head: &Head, entry: AuditEntry) -> Result<(AuditRow, Head), Tampered> {
        self.check_head(head)?;
        let (seq, rows) = (head.seq.saturating_add(1), head.rows.saturating_add(1));
        let mut row = AuditRow { seq, entry, previous_mac: head.mac, mac: NOTHING };
        row.mac = self.over_row(&row).finalize().into_bytes().into();
        let head = self.head(seq, rows, row.mac);
        Ok((row, head))
    }

    fn head(&self, seq: u64, rows: u64, mac: Mac) -> Head {
        let head_mac = self.over_head(seq, rows, &mac).finalize().into_bytes().into();
        Head { seq, rows, mac, head_mac }
    }

    fn check_head(&self, head: &Head) -> Result<(), Tampered> {
        let over = self.over_head(head.seq, head.rows, &head.mac);
        over.verify_slice(&head.head_mac).map_err(|_| tampered(head.seq, Defect::End))
    }

    fn over_head(&self, seq: u64, rows: u64, mac: &Mac) -> Hmac<Sha256> {
        let mut over = self.0.clone();
        for part in [HEAD, &seq.to_le_bytes(), &rows.to_le_bytes(), mac] {
            over.update(part);
        }
        over
    }

    /// Every text with its length before it, so that no two rows are written alike.
    fn over_row(&self, row: &AuditRow) -> Hmac<Sha256> {
        let AuditEntry { at_ms, actor, actor_kind, address, action, kind, entity_id, before, after } = &row.entry;
        let mut over = self.0.clone();
        for part in [ROW, &row.seq.to_le_bytes(), &row.previous_mac, &at_ms.to_le_bytes()] {
            over.update(part);
        }
        let texts = [actor, actor_kind, address, action, kind, entity_id].map(|text| Some(text.as_str()));
        for text in texts.into_iter().chain([before.as_deref(), after.as_deref()]) {
            over.update(&[u8::from(text.is_some())]);
            over.update(&(text.unwrap_or_default().len() as u64).to_le_bytes());
            over.update(text.unwrap_or_default().as_bytes());
        }
        over
    }
}

/// A walk along the log, a row after the other.
pub(crate) struct Walk<'a> {
    chain: &'a Chain,
    seq: u64,
    mac: Mac,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(chain: &'a Chain) -> Self {
        Self { chain, seq: 0, mac: NOTHING }
    }

    /// Takes the next row.
    pub(crate) fn step(&mut self, found: &Numbered) -> Result<(), Tampered> {
        let due = self.seq.saturating_add(1);
        match u64::try_from(found.seq) {
            Ok(seq) if seq == due => {}
            Ok(seq) if seq > due => return Err(tampered(due, Defect::Missing)),
            _ => return Err(Tampered { seq: found.seq, what: Defect::Added }),
        }
        let changed = || tampered(due, Defect::Changed);
        let row = found.row.as_ref().filter(|row| row.previous_mac == self.mac).ok_or_else(changed)?;
        self.chain.over_row(row).verify_slice(&row.mac).map_err(|_| changed())?;
        (self.seq, self.mac) = (due, row.mac);
        Ok(())
    }

    /// Compares where the rows ended with where the log says that it ends.
    pub(crate) fn end(self, head: Option<&Head>) -> Result<Verified, Tampered> {
        let head = head.ok_or(tampered(self.seq, Defect::End))?;
        self.chain.check_head(head)?;
        if self.seq < head.seq {
            return Err(tampered(self.seq.saturating_add(1), Defect::Missing));
        }
        if self.seq > head.seq {
            return Err(tampered(head.seq.saturating_add(1), Defect::Added));
        }
        if self.mac != head.mac || self.seq != head.rows {
            return Err(tampered(self.seq, Defect::End));
        }
        Ok(Verified { rows: self.seq })
    }
}

/// HMAC-SHA-256 with a key, which is padded with zeros to a block as the standard says (RFC 2104, section 2).
pub(super) fn keyed(key: &Mac) -> Hmac<Sha256> {
    let mut block = [0_u8; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new(&block.into())
}

fn tampered(seq: u64, what: Defect) -> Tampered {
    Tampered { seq: i64::try_from(seq).unwrap_or(i64::MAX), what }
}
