-- What is configured, who changed it, and what seals it. Times are milliseconds since 1970.
--
-- Texts hold no NUL: the registry refuses it. They may be longer than an index takes, all but `kind`: what is looked up is a
-- text's SHA-256, and what is sorted is sorted by its beginning first. Texts are compared by their bytes (`COLLATE "C"`).

-- The number of the last transaction that changed rows. One row; whoever writes locks it first, so no number is left out.
CREATE TABLE registry_revision (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision BIGINT  NOT NULL
);

INSERT INTO registry_revision (one, revision) VALUES (1, 0);

-- The transactions of the last minutes: whose connection broke while it was committed looks here whether it was done.
CREATE TABLE registry_writes (
    mark BYTEA       PRIMARY KEY,
    at   TIMESTAMPTZ NOT NULL
);

CREATE INDEX registry_writes_by_time ON registry_writes (at);

-- `unique_name_hash` is of the name where no other row of the kind may have it, and NULL in rows that are deleted.
-- `token_hashes` is a row of SHA-256 hashes, 32 bytes each. `position` orders the rows of a kind.
CREATE TABLE entities (
    kind             TEXT COLLATE "C" NOT NULL,
    id_hash          BYTEA            NOT NULL,
    id               TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C",
    unique_name_hash BYTEA,
    document         TEXT             NOT NULL,
    token_hashes     BYTEA            NOT NULL,
    origin           TEXT             NOT NULL CHECK (origin IN ('file', 'api')),
    file_mac         BYTEA,
    is_deleted       BOOLEAN          NOT NULL,
    position         BIGINT           NOT NULL,
    created_ms       BIGINT           NOT NULL,
    updated_ms       BIGINT           NOT NULL,
    revision         BIGINT           NOT NULL,
    team_id          TEXT COLLATE "C",
    customer_id      TEXT COLLATE "C",
    PRIMARY KEY (kind, id_hash)
);

CREATE UNIQUE INDEX entities_by_unique_name ON entities (kind, unique_name_hash) WHERE unique_name_hash IS NOT NULL;
CREATE INDEX entities_by_position ON entities (kind, position);
CREATE INDEX entities_by_revision ON entities (revision);
CREATE INDEX entities_by_name ON entities (kind, substr(name, 1, 200) NULLS FIRST) WHERE NOT is_deleted;
CREATE INDEX entities_by_creation ON entities (kind, created_ms) WHERE NOT is_deleted;
CREATE INDEX entities_by_update ON entities (kind, updated_ms) WHERE NOT is_deleted;
CREATE INDEX entities_by_team ON entities (kind, substr(team_id, 1, 200)) WHERE team_id IS NOT NULL;
CREATE INDEX entities_by_customer ON entities (kind, substr(customer_id, 1, 200)) WHERE customer_id IS NOT NULL;

-- Whose a token is: no two rows have the same.
CREATE TABLE entity_tokens (
    hash BYTEA PRIMARY KEY,
    kind TEXT  NOT NULL,
    id   TEXT  NOT NULL
);

-- Rows that are really gone, for those who follow the changes.
CREATE TABLE entities_gone (
    kind     TEXT COLLATE "C" NOT NULL,
    id_hash  BYTEA            NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    at_ms    BIGINT           NOT NULL,
    revision BIGINT           NOT NULL,
    PRIMARY KEY (kind, id_hash)
);

CREATE INDEX entities_gone_by_revision ON entities_gone (revision);

-- The salt of the encryption key, a text that only that key opens, and what else is kept under a name; secrets among it are sealed.
CREATE TABLE notes (
    name_hash BYTEA            PRIMARY KEY,
    name      TEXT COLLATE "C" NOT NULL,
    text      TEXT             NOT NULL
);

-- Who changed what. `mac` is over the row and the `mac` of the one before it. No trigger keeps rows from being changed, as one does
-- in SQLite: not every database of this kind has triggers. A user of one's own for the gateway, without the right to UPDATE and
-- DELETE here, does the same; the `mac`s tell either way.
CREATE TABLE audit (
    seq          BIGINT PRIMARY KEY,
    at_ms        BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    actor_kind   TEXT   NOT NULL,
    address      TEXT   NOT NULL,
    action       TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    entity_id    TEXT   NOT NULL,
    before       TEXT,
    after        TEXT,
    previous_mac BYTEA  NOT NULL,
    mac          BYTEA  NOT NULL
);

CREATE INDEX audit_by_entity ON audit (substr(entity_id, 1, 200), seq);
CREATE INDEX audit_by_kind ON audit (substr(kind, 1, 200), seq);
CREATE INDEX audit_by_actor ON audit (substr(actor, 1, 200), seq);

-- The end of the audit log, so that rows cannot be cut off there unseen. One row; `head_mac` is over the others.
CREATE TABLE audit_head (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    seq       BIGINT  NOT NULL,
    row_count BIGINT  NOT NULL,
    mac       BYTEA   NOT NULL,
    head_mac  BYTEA   NOT NULL
);
