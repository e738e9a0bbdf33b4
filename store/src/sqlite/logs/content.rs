//! What was said in calls.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::column;
use crate::StoreError;
use crate::logs::content::{Content, ContentId, Said};
use crate::number::number;

/// Adds what was said in these calls.
pub(in crate::sqlite) fn keep(transaction: &Transaction<'_>, contents: &[Content]) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT OR REPLACE INTO log_contents (id, request, request_bytes, answer, answer_bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for Content { id, request, answer } in contents {
        let (request_bytes, answer_bytes) = (column(request.length), column(answer.length));
        add.execute(params![column(id.0), request.bytes, request_bytes, answer.bytes, answer_bytes])?;
    }
    Ok(())
}

/// What was said in one.
pub(super) fn read(connection: &Connection, id: ContentId) -> Result<Option<Content>, StoreError> {
    let mut find = connection
        .prepare_cached("SELECT request, request_bytes, answer, answer_bytes FROM log_contents WHERE id = ?1")?;
    let content = find.query_row([column(id.0)], |row| {
        let request = Said { bytes: row.get(0)?, length: number(row.get(1)?) };
        Ok(Content { id, request, answer: Said { bytes: row.get(2)?, length: number(row.get(3)?) } })
    });
    Ok(content.optional()?)
}

/// Whether anything is kept of calls with lesser names.
pub(super) fn is_any_before(transaction: &Transaction<'_>, id: u64) -> Result<bool, StoreError> {
    let mut find = transaction.prepare_cached("SELECT EXISTS (SELECT 1 FROM log_contents WHERE id < ?1)")?;
    Ok(find.query_row([column(id)], |row| row.get(0))?)
}

/// Removes a few that have lesser names.
pub(super) fn remove_before(transaction: &Transaction<'_>, id: u64, most: u32) -> Result<(), StoreError> {
    let mut remove = transaction.prepare_cached(
        "DELETE FROM log_contents WHERE id IN (SELECT id FROM log_contents WHERE id < ?1 ORDER BY id LIMIT ?2)",
    )?;
    remove.execute(params![column(id), most])?;
    Ok(())
}
