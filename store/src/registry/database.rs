//! What a database must be able to do for the registry. One implementation each; what may be changed is decided elsewhere, and is
//! the same for all.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::audit::{AuditFilter, AuditRow, Head, Numbered};
use super::{Filter, RegistryError, Row, Signal, TokenHash};

type Done<T = ()> = Result<T, RegistryError>;

/// The document of a row.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) document: String,
}

/// Where rows are kept. No call waits for long for others.
pub(crate) trait Database: fmt::Debug + Send + Sync {
    /// Does something in one transaction, beside which there is no other that writes. It is durable when this returns, or nothing of
    /// it was done. An error of `work` undoes it. `work` is done anew if the transaction has to be.
    fn write(&self, work: &mut dyn FnMut(&dyn Change) -> Done) -> Done;

    /// Looks at everything as it is at one moment.
    fn read(&self, work: &mut dyn FnMut(&dyn Look) -> Done) -> Done;

    /// Rings when others may have changed something. Not every database tells.
    fn signal(&self) -> Arc<Signal> {
        Arc::default()
    }
}

/// What is asked of the tables.
pub(crate) trait Look {
    /// The number of the last transaction that changed rows.
    fn revision(&self) -> Done<u64>;

    /// A row, perhaps deleted.
    fn row(&self, kind: &str, id: &str) -> Done<Option<Row>>;

    /// All rows, deleted ones among them, by kind, order and id.
    fn rows(&self, each: &mut dyn FnMut(Row) -> Done) -> Done;

    /// All rows with a revision greater than this, by revision, and what is told of those that are gone.
    fn rows_since(&self, revision: u64, each: &mut dyn FnMut(Row) -> Done) -> Done;

    /// A part of the rows that are not deleted, and how many there are in all.
    fn page(&self, filter: &Filter) -> Done<(Vec<Row>, u64)>;

    /// The greatest order of a kind; deleted rows count.
    fn last_order(&self, kind: &str) -> Done<Option<i64>>;

    /// The id of the row that has a name for itself.
    fn name_owner(&self, kind: &str, name: &str) -> Done<Option<String>>;

    /// Kind and id of the row that has a token.
    fn token_owner(&self, hash: &TokenHash) -> Done<Option<(String, String)>>;

    /// Documents with this text in them, from the one after `after` on, in an order of the database's own.
    fn documents(&self, text: &str, after: &(String, String), most: u32) -> Done<Vec<Document>>;

    /// A text that is kept under a name.
    fn note(&self, name: &str) -> Done<Option<String>>;

    /// All of them, by name.
    fn notes(&self) -> Done<Vec<(String, String)>>;

    /// The end of the audit log; `None` before anything was written.
    fn audit_head(&self) -> Done<Option<Head>>;

    /// Rows of the audit log by number, those that cannot be read among them, until `each` breaks off.
    fn audit(&self, each: &mut dyn FnMut(Numbered) -> Done<ControlFlow<()>>) -> Done;

    /// A part of the audit log, newest first.
    fn audit_page(&self, filter: &AuditFilter) -> Done<Vec<AuditRow>>;
}

/// How the tables are changed.
pub(crate) trait Change: Look {
    /// Sets the number of this transaction.
    fn set_revision(&self, revision: u64) -> Done;

    /// Lets go of the name and the tokens that a row has for itself.
    fn release(&self, row: &Row) -> Done;

    /// Gives a token that nobody has to a row.
    fn claim_token(&self, hash: &TokenHash, kind: &str, id: &str) -> Done;

    /// Makes or replaces a row whose name nobody has. Tokens are claimed on their own.
    fn put(&self, row: &Row) -> Done;

    /// Replaces the document of a row.
    fn redocument(&self, kind: &str, id: &str, document: &str, revision: u64) -> Done;

    /// Takes a released row away, and remembers that.
    fn erase(&self, row: &Row, at_ms: u64, revision: u64) -> Done;

    /// Keeps a text under a name.
    fn set_note(&self, name: &str, text: &str) -> Done;

    /// Adds to the audit log.
    fn append_audit(&self, row: &AuditRow) -> Done;

    /// Says where the audit log ends now.
    fn set_audit_head(&self, head: &Head) -> Done;
}
