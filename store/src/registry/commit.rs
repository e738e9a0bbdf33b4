//! What may be changed, and how: the same for every database.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

use serde::de::IgnoredAny;

use super::audit::{AuditEntry, Chain, Defect, Tampered};
use super::database::Change;
use super::keys::Keys;
use super::{Committed, Entity, Expected, Put, RegistryError, Removal, Row, Unfit, Write};
use crate::balance::MOST;
use crate::seal::Seal;
use crate::seal::text::{PREFIX, replace_all};

type Done<T = ()> = Result<T, RegistryError>;

const MOST_BYTES: usize = 16 << 20;
/// Indexes have it as it is.
const MOST_KIND_BYTES: usize = 200;

/// Whether the changes can be kept at all.
pub(super) fn check(write: &Write, seal: &Seal) -> Done {
    let mut named = HashSet::new();
    let put = write.puts.iter().map(|put| (&*put.entity.kind, &*put.entity.id));
    let removed = write.removals.iter().map(|removal| (&*removal.kind, &*removal.id));
    for (kind, id) in put.chain(removed) {
        check_texts(kind, id, [Some(kind), Some(id)])?;
        if kind.is_empty() || id.is_empty() {
            return Err(RegistryError::unfit(kind, id, Unfit::Nameless));
        }
        if kind.len() > MOST_KIND_BYTES {
            return Err(RegistryError::unfit(kind, id, Unfit::TooLong));
        }
        if !named.insert((kind, id)) {
            return Err(RegistryError::unfit(kind, id, Unfit::Twice));
        }
    }
    write.puts.iter().try_for_each(|put| check_entity(&put.entity, seal))?;
    write.audit.iter().try_for_each(check_entry)
}

fn check_entity(entity: &Entity, seal: &Seal) -> Done {
    let Entity { kind, id, name, document, team_id, customer_id, .. } = entity;
    let texts = [Some(document), name.as_ref(), team_id.as_ref(), customer_id.as_ref()];
    check_texts(kind, id, texts.map(|text| text.map(String::as_str)))?;
    if serde_json::from_str::<IgnoredAny>(document).is_err() {
        return Err(RegistryError::unfit(kind, id, Unfit::NotJson));
    }
    if memchr::memmem::find(document.as_bytes(), PREFIX.as_bytes()).is_some() {
        // What opens now is opened by a rotation too.
        let opened = replace_all(document, |sealed| seal.open(kind, id, sealed).map(|_| None));
        opened.map_err(|_| RegistryError::unfit(kind, id, Unfit::Seal))?;
    }
    Ok(())
}

/// Whether a line of the audit log can be kept.
pub(super) fn check_entry(entry: &AuditEntry) -> Done {
    let AuditEntry { at_ms: _, actor, actor_kind, address, action, kind, entity_id, before, after } = entry;
    let texts = [actor, actor_kind, address, action, kind, entity_id].map(|text| Some(text.as_str()));
    let texts = texts.into_iter().chain([before.as_deref(), after.as_deref()]);
    check_texts(kind, entity_id, texts)
}

/// Whether every database keeps the texts.
pub(super) fn check_texts<'a>(kind: &str, id: &str, texts: impl IntoIterator<Item = Option<&'a str>>) -> Done {
    for text in texts.into_iter().flatten() {
        if text.len() > MOST_BYTES {
            return Err(RegistryError::unfit(kind, id, Unfit::TooLong));
        }
        if text.contains('\0') {
            return Err(RegistryError::unfit(kind, id, Unfit::Nul));
        }
    }
    Ok(())
}

/// Makes changes in an open transaction, one after the other, and gives the revision after each. `at` tells which one is being made.
pub(super) fn apply_all(
    change: &dyn Change,
    keys: &Keys,
    base: Option<u64>,
    writes: &[&Write],
    at: &Cell<Option<usize>>,
) -> Done<Vec<Committed>> {
    at.set(None);
    let before = change.revision()?;
    if base.is_some_and(|base| base != before) {
        return Err(RegistryError::Moved { found: before });
    }
    let (mut revision, mut done) = (before, Vec::with_capacity(writes.len()));
    for (index, write) in writes.iter().enumerate() {
        at.set(Some(index));
        write.secrets.iter().try_for_each(|(name, secret)| keys.renew(change, name, secret))?;
        if !write.puts.is_empty() || !write.removals.is_empty() {
            revision = revision.saturating_add(1);
            rows(change, write, revision)?;
        }
        done.push(Committed { revision });
    }
    at.set(None);
    if revision != before {
        change.set_revision(revision)?;
    }
    append(change, &keys.chain, writes.iter().flat_map(|write| &write.audit))?;
    Ok(done)
}

pub(super) fn next_revision(change: &dyn Change) -> Done<u64> {
    Ok(change.revision()?.saturating_add(1))
}

/// Names and tokens are let go of before any is taken, so that they can change hands.
fn rows(change: &dyn Change, write: &Write, revision: u64) -> Done {
    let removed: Vec<_> = write.removals.iter().map(|removal| removable(change, removal)).collect::<Done<_>>()?;
    let replaced: Vec<_> = write.puts.iter().map(|put| replaceable(change, put)).collect::<Done<_>>()?;
    for (removal, row) in write.removals.iter().zip(removed) {
        if removal.is_remembered {
            change.put(&row.deleted(write.at_ms, revision))?;
        } else {
            change.erase(&row, write.at_ms, revision)?;
        }
    }
    let mut orders = BTreeMap::new();
    for (Put { entity, .. }, before) in write.puts.iter().zip(replaced) {
        let order = order(change, &mut orders, entity, before.as_ref())?;
        put(change, &Row::of(entity, before.as_ref(), order, write.at_ms, revision))?;
    }
    Ok(())
}

/// The row that is to be removed, without its name and tokens.
fn removable(change: &dyn Change, removal: &Removal) -> Done<Row> {
    let Removal { kind, id, is_remembered, expected } = removal;
    let row = found(change, kind, id, *expected)?;
    let row = row.filter(|row| !row.is_deleted || !is_remembered);
    let row = row.ok_or_else(|| RegistryError::Unknown { kind: kind.clone(), id: id.clone() })?;
    change.release(&row)?;
    Ok(row)
}

/// The row that is to be replaced, without the name and the tokens that it will not have.
fn replaceable(change: &dyn Change, put: &Put) -> Done<Option<Row>> {
    let Entity { kind, id, name, is_name_unique, token_hashes, .. } = &put.entity;
    let row = found(change, kind, id, put.expected)?;
    if let Some(row) = &row {
        let is_named_alike = row.unique_name() == name.as_deref().filter(|_| *is_name_unique);
        if !is_named_alike || row.token_hashes != *token_hashes {
            change.release(row)?;
        }
    }
    Ok(row)
}

fn found(change: &dyn Change, kind: &str, id: &str, expected: Expected) -> Done<Option<Row>> {
    let row = change.row(kind, id)?;
    let living = row.as_ref().filter(|row| !row.is_deleted);
    let (kind, id) = (kind.to_owned(), id.to_owned());
    match expected {
        Expected::Absent if living.is_some() => Err(RegistryError::Exists { kind, id }),
        Expected::Revision(revision) if row.as_ref().is_none_or(|row| row.revision != revision) => {
            Err(RegistryError::Stale { kind, id, found: living.map(|row| row.revision) })
        }
        _ => Ok(row),
    }
}

/// `orders` has the last one of each kind that was given in this transaction.
fn order<'a>(
    change: &dyn Change,
    orders: &mut BTreeMap<&'a str, i64>,
    entity: &'a Entity,
    before: Option<&Row>,
) -> Done<i64> {
    let before = before.filter(|row| !row.is_deleted).map(|row| row.order);
    if let Some(order) = entity.order.or(before) {
        // One of the same transaction that comes last must come after it.
        if let Some(last) = orders.get_mut(&*entity.kind) {
            *last = order.max(*last);
        }
        return Ok(order);
    }
    let last = match orders.get(&*entity.kind) {
        Some(last) => *last,
        None => change.last_order(&entity.kind)?.unwrap_or(-1),
    };
    let order = last.saturating_add(1);
    orders.insert(&entity.kind, order);
    Ok(order)
}

fn put(change: &dyn Change, row: &Row) -> Done {
    let (kind, id) = (&row.kind, &row.id);
    if let Some(name) = row.unique_name()
        && let Some(by) = change.name_owner(kind, name)?
        && by != *id
    {
        return Err(RegistryError::Taken { kind: kind.clone(), name: name.to_owned(), by });
    }
    change.put(row)?;
    for hash in &row.token_hashes {
        match change.token_owner(hash)? {
            None => change.claim_token(hash, kind, id)?,
            Some((by_kind, by)) if (&by_kind, &by) == (kind, id) => {}
            Some((by_kind, by)) => {
                return Err(RegistryError::TokenTaken { kind: kind.clone(), id: id.clone(), by_kind, by });
            }
        }
    }
    Ok(())
}

/// Adds to the audit log.
pub(super) fn append<'a>(
    change: &dyn Change,
    chain: &Chain,
    entries: impl IntoIterator<Item = &'a AuditEntry>,
) -> Done {
    let mut entries = entries.into_iter().peekable();
    if entries.peek().is_none() {
        return Ok(());
    }
    let mut head = change.audit_head()?.ok_or(Tampered { seq: 0, what: Defect::End })?;
    for entry in entries {
        // What is kept must be what the MAC is over.
        let entry = AuditEntry { at_ms: entry.at_ms.min(MOST), ..entry.clone() };
        let (row, next) = chain.append(&head, entry)?;
        change.append_audit(&row)?;
        head = next;
    }
    change.set_audit_head(&head)
}
