//! What an open transaction is asked, one question after the other.

use std::cell::Cell;
use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use deadpool_postgres::Transaction;
use tokio::time::timeout;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{Portal, Row as Found};

use super::{Verdict, audit, entities, notes, pages};
use crate::postgres::failure::{Failure, Remedy, refused};
use crate::postgres::server::Server;
use crate::registry::database::{Change, Document, Look};
use crate::registry::{AuditFilter, AuditRow, Filter, Head, Numbered, RegistryError, Row, TokenHash};

type Done<T = ()> = Result<T, RegistryError>;

/// So many rows are fetched at a time.
const AT_ONCE: i32 = 1_000;
/// A part of many rows that takes longer is given up: the server may have to sort them first.
const PART: Duration = Duration::from_secs(120);

/// An open transaction.
pub(super) struct Tables<'a> {
    server: &'a Server,
    transaction: &'a Transaction<'a>,
    /// What the last thing that went wrong with the server means.
    verdict: Cell<Verdict>,
    /// The revision that was set.
    news: Cell<Option<u64>>,
}

impl<'a> Tables<'a> {
    pub(super) fn of(server: &'a Server, transaction: &'a Transaction<'a>) -> Self {
        let verdict = Verdict { remedy: Remedy::GiveUp, spoils: false };
        Self { server, transaction, verdict: Cell::new(verdict), news: Cell::new(None) }
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.get()
    }

    pub(super) fn news(&self) -> Option<u64> {
        self.news.get()
    }

    /// Waits for an answer.
    fn ask<T>(&self, question: impl Future<Output = Result<T, Failure>>) -> Done<T> {
        let bounded = async { timeout(PART, question).await.unwrap_or(Err(Failure::Slow)) };
        self.server.runtime().block_on(bounded).map_err(|failure| {
            self.verdict.set(Verdict::of(&failure));
            refused(failure, self.server.place())
        })
    }

    /// Gives the rows of a query, a part at a time, until `each` breaks off.
    fn each(
        &self,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
        each: &mut dyn FnMut(&Found) -> Done<ControlFlow<()>>,
    ) -> Done {
        let portal: Portal = self.ask(async {
            self.transaction.batch_execute("SET LOCAL statement_timeout = '110s'").await?;
            let query = self.transaction.prepare_cached(query).await?;
            Ok(self.transaction.bind(&query, parameters).await?)
        })?;
        loop {
            let part = self.ask(async { Ok(self.transaction.query_portal(&portal, AT_ONCE).await?) })?;
            for row in &part {
                if each(row)?.is_break() {
                    return Ok(());
                }
            }
            if part.len() < usize::try_from(AT_ONCE).unwrap_or_default() {
                return Ok(());
            }
        }
    }

    fn each_entity(&self, query: &str, parameters: &[&(dyn ToSql + Sync)], each: &mut dyn FnMut(Row) -> Done) -> Done {
        self.each(query, parameters, &mut |found| {
            let row = entities::read(found).map_err(|failure| refused(failure, self.server.place()))?;
            each(row)?;
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// A value of a row.
pub(super) fn value<'a, T: FromSql<'a>>(row: &'a Found, column: usize) -> Result<T, Failure> {
    row.try_get(column).map_err(|_| Failure::Damaged("a value cannot be read"))
}

/// A value of so many bytes.
pub(super) fn bytes<const LENGTH: usize>(row: &Found, column: usize) -> Result<[u8; LENGTH], Failure> {
    value::<&[u8]>(row, column)?.try_into().map_err(|_| Failure::Damaged("a value cannot be read"))
}

/// Nothing that is asked for is found by a text with NUL, which the server does not take.
pub(super) fn is_askable<'t>(texts: impl IntoIterator<Item = &'t str>) -> bool {
    texts.into_iter().all(|text| !text.contains('\0'))
}

impl Look for Tables<'_> {
    fn revision(&self) -> Done<u64> {
        self.ask(entities::revision(self.transaction))
    }

    fn row(&self, kind: &str, id: &str) -> Done<Option<Row>> {
        self.ask(entities::row(self.transaction, kind, id))
    }

    fn rows(&self, each: &mut dyn FnMut(Row) -> Done) -> Done {
        self.each_entity(entities::ALL, &[], each)
    }

    /// Two tables, walked along side by side.
    fn rows_since(&self, revision: u64, each: &mut dyn FnMut(Row) -> Done) -> Done {
        let mut gone = self.ask(entities::gone_since(self.transaction, revision))?.into_iter().peekable();
        let since = crate::number::column(revision);
        self.each_entity(entities::SINCE, &[&since], &mut |row| {
            while let Some(gone) = gone.next_if(|gone| gone.revision <= row.revision) {
                each(gone)?;
            }
            each(row)
        })?;
        gone.try_for_each(each)
    }

    fn page(&self, filter: &Filter) -> Done<(Vec<Row>, u64)> {
        self.ask(pages::page(self.transaction, filter))
    }

    fn last_order(&self, kind: &str) -> Done<Option<i64>> {
        self.ask(entities::last_order(self.transaction, kind))
    }

    fn name_owner(&self, kind: &str, name: &str) -> Done<Option<String>> {
        self.ask(entities::name_owner(self.transaction, kind, name))
    }

    fn token_owner(&self, hash: &TokenHash) -> Done<Option<(String, String)>> {
        self.ask(entities::token_owner(self.transaction, hash))
    }

    fn documents(&self, text: &str, after: &(String, String), most: u32) -> Done<Vec<Document>> {
        self.ask(entities::documents(self.transaction, text, after, most))
    }

    fn note(&self, name: &str) -> Done<Option<String>> {
        self.ask(notes::note(self.transaction, name))
    }

    fn notes(&self) -> Done<Vec<(String, String)>> {
        self.ask(notes::all(self.transaction))
    }

    fn audit_head(&self) -> Done<Option<Head>> {
        self.ask(audit::head(self.transaction))
    }

    fn audit(&self, each: &mut dyn FnMut(Numbered) -> Done<ControlFlow<()>>) -> Done {
        self.each(audit::ALL, &[], &mut |found| {
            let seq = value(found, 0).map_err(|failure| refused(failure, self.server.place()))?;
            each(Numbered { seq, row: audit::read(found).ok() })
        })
    }

    fn audit_page(&self, filter: &AuditFilter) -> Done<Vec<AuditRow>> {
        self.ask(audit::page(self.transaction, filter))
    }
}

impl Change for Tables<'_> {
    fn set_revision(&self, revision: u64) -> Done {
        self.news.set(Some(revision));
        self.ask(entities::set_revision(self.transaction, revision))
    }

    fn release(&self, row: &Row) -> Done {
        self.ask(entities::release(self.transaction, row))
    }

    fn claim_token(&self, hash: &TokenHash, kind: &str, id: &str) -> Done {
        self.ask(entities::claim_token(self.transaction, hash, kind, id))
    }

    fn put(&self, row: &Row) -> Done {
        self.ask(entities::put(self.transaction, row))
    }

    fn redocument(&self, kind: &str, id: &str, document: &str, revision: u64) -> Done {
        self.ask(entities::redocument(self.transaction, kind, id, document, revision))
    }

    fn erase(&self, row: &Row, at_ms: u64, revision: u64) -> Done {
        self.ask(entities::erase(self.transaction, row, at_ms, revision))
    }

    fn set_note(&self, name: &str, text: &str) -> Done {
        self.ask(notes::set(self.transaction, name, text))
    }

    fn append_audit(&self, row: &AuditRow) -> Done {
        self.ask(audit::append(self.transaction, row))
    }

    fn set_audit_head(&self, head: &Head) -> Done {
        self.ask(audit::set_head(self.transaction, head))
    }
}
