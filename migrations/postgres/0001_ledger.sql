-- What is known of budgets and rate limits, folded from the journals of all nodes. Amounts are nano-dollars, times milliseconds
-- since 1970 by the clocks of the nodes; `lease.until` alone goes by the database's clock.
--
-- Texts come from outside, so NUL is written `\0` in them, and `\` is `\\`. An id may be longer than an index takes: what is
-- looked up is its SHA-256.

-- The number of the last process. Whoever changes balances locks this one row first, so no two nodes do so at once.
CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    run BIGINT  NOT NULL
);

INSERT INTO ledger (one, run) VALUES (1, 0);

-- A node is a data folder: how far its journal is folded, and its last process.
CREATE TABLE nodes (
    id        TEXT   PRIMARY KEY,
    run       BIGINT NOT NULL,
    folded_to BIGINT NOT NULL
);

-- Which node may go by its own memory alone, and until when. One row; a holder that ended leaves no name.
CREATE TABLE lease (
    one   INTEGER     PRIMARY KEY CHECK (one = 1),
    node  TEXT,
    run   BIGINT      NOT NULL,
    until TIMESTAMPTZ NOT NULL
);

INSERT INTO lease (one, run, until) VALUES (1, 0, now());

-- `spent_nano` belongs to the window that began at `window_ms`; 0: nothing was charged in the windows as they are now.
CREATE TABLE budgets (
    id_hash    BYTEA  PRIMARY KEY,
    id         TEXT   NOT NULL,
    windows    TEXT   NOT NULL,
    began_ms   BIGINT NOT NULL,
    window_ms  BIGINT NOT NULL,
    spent_nano BIGINT NOT NULL,
    total_nano BIGINT NOT NULL
);

-- `kind` is `requests` or `tokens`. From `ends_ms` on a slice cannot count any more, and is deleted.
CREATE TABLE slices (
    kind      TEXT   NOT NULL,
    id_hash   BYTEA  NOT NULL,
    length_ms BIGINT NOT NULL,
    start_ms  BIGINT NOT NULL,
    id        TEXT   NOT NULL,
    used      BIGINT NOT NULL,
    ends_ms   BIGINT NOT NULL,
    PRIMARY KEY (kind, id_hash, length_ms, start_ms)
);

CREATE INDEX slices_by_end ON slices (ends_ms);

-- Attempts that were open when their node's journal was folded last: their records, as the journal has them.
CREATE TABLE open_attempts (
    run    BIGINT NOT NULL,
    number BIGINT NOT NULL,
    node   TEXT   NOT NULL,
    record BYTEA  NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE INDEX open_attempts_by_node ON open_attempts (node);

-- Attempts that were charged in full because nobody saw their end. A later one has a greater `place`.
CREATE TABLE abandoned (
    place        BIGINT PRIMARY KEY,
    run          BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    opened_ms    BIGINT NOT NULL,
    at_ms        BIGINT NOT NULL,
    virtual_key  TEXT   NOT NULL,
    provider     TEXT   NOT NULL,
    model        TEXT   NOT NULL,
    nano         BIGINT NOT NULL,
    voided_at_ms BIGINT,
    UNIQUE (run, number)
);

-- What each of them was charged on each account, in the order of its record.
CREATE TABLE abandoned_amounts (
    place     BIGINT  NOT NULL REFERENCES abandoned (place),
    nth       INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    start_ms  BIGINT  NOT NULL,
    length_ms BIGINT  NOT NULL,
    amount    BIGINT  NOT NULL,
    PRIMARY KEY (place, nth)
);
