-- What is known of budgets and rate limits, folded from the journal. Amounts are nano-dollars, times milliseconds since 1970.

-- How far the journal is folded, and the number of the last process. One row.
CREATE TABLE progress (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    folded_to INTEGER NOT NULL,
    run       INTEGER NOT NULL
) STRICT;

INSERT INTO progress (one, folded_to, run) VALUES (1, 0, 0);

-- `spent_nano` belongs to the window that began at `window_ms`; 0: nothing was charged in the windows as they are now.
CREATE TABLE budgets (
    id         TEXT    NOT NULL PRIMARY KEY,
    windows    TEXT    NOT NULL,
    began_ms   INTEGER NOT NULL,
    window_ms  INTEGER NOT NULL,
    spent_nano INTEGER NOT NULL,
    total_nano INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `kind` is `requests` or `tokens`. From `ends_ms` on a slice cannot count any more, and is deleted.
CREATE TABLE slices (
    kind      TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    length_ms INTEGER NOT NULL,
    start_ms  INTEGER NOT NULL,
    used      INTEGER NOT NULL,
    ends_ms   INTEGER NOT NULL,
    PRIMARY KEY (kind, id, length_ms, start_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX slices_by_end ON slices (ends_ms);

-- Attempts that were open when the journal was folded last: their records, as the journal has them.
CREATE TABLE open_attempts (
    run    INTEGER NOT NULL,
    number INTEGER NOT NULL,
    record BLOB    NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- Attempts that were charged in full because nobody saw their end. A later one has a greater `place`.
CREATE TABLE abandoned (
    place        INTEGER PRIMARY KEY AUTOINCREMENT,
    run          INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    opened_ms    INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL,
    virtual_key  TEXT    NOT NULL,
    provider     TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    nano         INTEGER NOT NULL,
    voided_at_ms INTEGER,
    UNIQUE (run, number)
) STRICT;

-- What each of them was charged on each account.
CREATE TABLE abandoned_amounts (
    place     INTEGER NOT NULL REFERENCES abandoned (place),
    kind      TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    start_ms  INTEGER NOT NULL,
    length_ms INTEGER NOT NULL,
    amount    INTEGER NOT NULL
) STRICT;

CREATE INDEX abandoned_amounts_by_place ON abandoned_amounts (place);
