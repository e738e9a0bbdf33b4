-- What is configured, who changed it, and what seals it. Times are milliseconds since 1970.

-- The number of the last transaction that changed rows. One row; whoever writes takes it first.
CREATE TABLE registry_revision (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
) STRICT;

INSERT INTO registry_revision (one, revision) VALUES (1, 0);

-- `unique_name` is the name where no other row of the kind may have it, and NULL in rows that are deleted.
-- `token_hashes` is a row of SHA-256 hashes, 32 bytes each. `position` orders the rows of a kind.
CREATE TABLE entities (
    place        INTEGER PRIMARY KEY,
    kind         TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    name         TEXT,
    unique_name  TEXT,
    document     TEXT    NOT NULL,
    token_hashes BLOB    NOT NULL,
    origin       TEXT    NOT NULL CHECK (origin IN ('file', 'api')),
    file_mac     BLOB,
    is_deleted   INTEGER NOT NULL CHECK (is_deleted IN (0, 1)),
    position     INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    team_id      TEXT,
    customer_id  TEXT
) STRICT;

CREATE UNIQUE INDEX entities_by_id ON entities (kind, id);
CREATE UNIQUE INDEX entities_by_unique_name ON entities (kind, unique_name) WHERE unique_name IS NOT NULL;
CREATE INDEX entities_by_position ON entities (kind, position, id);
CREATE INDEX entities_by_revision ON entities (revision, kind, position, id);
CREATE INDEX entities_by_name ON entities (kind, is_deleted, name, id);
CREATE INDEX entities_by_creation ON entities (kind, is_deleted, created_ms, id);
CREATE INDEX entities_by_update ON entities (kind, is_deleted, updated_ms, id);
CREATE INDEX entities_by_team ON entities (kind, team_id) WHERE team_id IS NOT NULL;
CREATE INDEX entities_by_customer ON entities (kind, customer_id) WHERE customer_id IS NOT NULL;

-- Whose a token is: no two rows have the same.
CREATE TABLE entity_tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows that are really gone, for those who follow the changes.
CREATE TABLE entities_gone (
    kind     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX entities_gone_by_revision ON entities_gone (revision);

-- The salt of the encryption key, a text that only that key opens, and what else is kept under a name; secrets among it are sealed.
CREATE TABLE notes (
    name TEXT NOT NULL PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who changed what. `mac` is over the row and the `mac` of the one before it.
CREATE TABLE audit (
    seq          INTEGER PRIMARY KEY,
    at_ms        INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    actor_kind   TEXT    NOT NULL,
    address      TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    entity_id    TEXT    NOT NULL,
    before       TEXT,
    after        TEXT,
    previous_mac BLOB    NOT NULL,
    mac          BLOB    NOT NULL
) STRICT;

CREATE INDEX audit_by_entity ON audit (entity_id, kind, seq);
CREATE INDEX audit_by_kind ON audit (kind, seq);
CREATE INDEX audit_by_actor ON audit (actor, seq);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- The end of the audit log, so that rows cannot be cut off there unseen. One row; `head_mac` is over the others.
CREATE TABLE audit_head (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    seq       INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    mac       BLOB    NOT NULL,
    head_mac  BLOB    NOT NULL
) STRICT;
