-- The request log and sums of it. Times are milliseconds since 1970, amounts nano-dollars, durations microseconds.

-- One row for each call. `place` is the moment when it began, times 2^21, and a number. `status` is success, error, refused,
-- client_left or abandoned. `detail` is a JSON object of what nobody looks for.
CREATE TABLE request_logs (
    place         INTEGER PRIMARY KEY,
    request_id    TEXT    NOT NULL,
    virtual_key   TEXT    NOT NULL,
    team          TEXT    NOT NULL,
    customer      TEXT    NOT NULL,
    provider      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    model_asked   TEXT    NOT NULL,
    operation     TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    latency_us    INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens  INTEGER NOT NULL,
    cost_nano     INTEGER NOT NULL,
    detail        TEXT    NOT NULL
) STRICT;

CREATE INDEX request_logs_by_request_id ON request_logs (request_id) WHERE request_id <> '';
CREATE INDEX request_logs_by_key ON request_logs (virtual_key) WHERE virtual_key <> '';
CREATE INDEX request_logs_by_model ON request_logs (model) WHERE model <> '';
CREATE INDEX request_logs_by_failure ON request_logs (place) WHERE status <> 'success';

-- Calls of which attempts have ended, and that were not over, when the journal was folded last: their records, as the journal has
-- those of calls. `number` is that of the first attempt.
CREATE TABLE untold_calls (
    run    INTEGER NOT NULL,
    number INTEGER NOT NULL,
    record BLOB    NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- Sums over calls that began in the stretch from `start_ms` on, which is `length_ms` long: a minute, an hour or a day.
CREATE TABLE log_sums (
    length_ms     INTEGER NOT NULL,
    start_ms      INTEGER NOT NULL,
    provider      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    operation     TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    requests      INTEGER NOT NULL,
    latency_us    INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens  INTEGER NOT NULL,
    cost_nano     INTEGER NOT NULL,
    PRIMARY KEY (length_ms, start_ms, provider, model, operation, status)
) STRICT, WITHOUT ROWID;

-- The same for each hour of each key, team and customer (`owner_kind`).
CREATE TABLE log_owner_sums (
    owner_kind    TEXT    NOT NULL,
    owner         TEXT    NOT NULL,
    start_ms      INTEGER NOT NULL,
    provider      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    operation     TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    requests      INTEGER NOT NULL,
    latency_us    INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens  INTEGER NOT NULL,
    cost_nano     INTEGER NOT NULL,
    PRIMARY KEY (owner_kind, owner, start_ms, provider, model, operation, status)
) STRICT, WITHOUT ROWID;

CREATE INDEX log_owner_sums_by_start ON log_owner_sums (start_ms);

-- From when on sums are kept. One row.
CREATE TABLE log_sums_kept (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    minutes_from_ms INTEGER NOT NULL,
    hours_from_ms   INTEGER NOT NULL
) STRICT;

INSERT INTO log_sums_kept (one, minutes_from_ms, hours_from_ms) VALUES (1, 0, 0);

-- Models that are told apart in sums, of each provider.
CREATE TABLE log_models (
    provider TEXT NOT NULL,
    model    TEXT NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;
