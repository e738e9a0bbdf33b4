-- The request log and sums of it. Times are milliseconds since 1970, amounts nano-dollars, durations microseconds.
--
-- Texts are escaped as `0001_ledger.sql` says. They come from outside and may be longer than an index takes: what is looked up is the
-- beginning of a text, or half of a SHA-256 (`group_hash`: of all that tells sums apart).

-- One row for each call. `place` is the moment when it began, times 2^21, and a number. `status` is success, error, refused,
-- client_left or abandoned. `detail` is a JSON object of what nobody looks for.
--
-- Each day has a partition (`log_days`), so that old rows go by dropping a table. Here we leave what CockroachDB takes: it has no partitions
-- that are tables, and can neither attach nor drop them. YugabyteDB has them.
CREATE TABLE request_logs (
    place         BIGINT           NOT NULL,
    request_id    TEXT COLLATE "C" NOT NULL,
    virtual_key   TEXT COLLATE "C" NOT NULL,
    team          TEXT COLLATE "C" NOT NULL,
    customer      TEXT COLLATE "C" NOT NULL,
    provider      TEXT COLLATE "C" NOT NULL,
    model         TEXT COLLATE "C" NOT NULL,
    model_asked   TEXT COLLATE "C" NOT NULL,
    operation     TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL,
    latency_us    BIGINT           NOT NULL,
    input_tokens  BIGINT           NOT NULL,
    output_tokens BIGINT           NOT NULL,
    total_tokens  BIGINT           NOT NULL,
    cost_nano     BIGINT           NOT NULL,
    reason_text   TEXT COLLATE "C" NOT NULL,
    detail        TEXT             NOT NULL,
    PRIMARY KEY (place)
) PARTITION BY RANGE (place);

CREATE INDEX request_logs_by_request_id ON request_logs (substr(request_id, 1, 200), place) WHERE request_id <> '';
CREATE INDEX request_logs_by_key ON request_logs (substr(virtual_key, 1, 200), place) WHERE virtual_key <> '';
CREATE INDEX request_logs_by_model ON request_logs (substr(model, 1, 200), place) WHERE model <> '';
CREATE INDEX request_logs_by_failure ON request_logs (place) WHERE status <> 'success';

-- The rows of days that have no partition of their own: whoever keeps rows may not make tables, or could not at that moment.
CREATE TABLE request_logs_rest PARTITION OF request_logs DEFAULT;

-- The days (of UTC) of which there are rows, or soon will be, by their beginnings; whether each has a partition; how many rows it has,
-- and how many it had when it had most.
CREATE TABLE log_days (
    start_ms      BIGINT  PRIMARY KEY,
    has_partition BOOLEAN NOT NULL,
    row_count     BIGINT  NOT NULL,
    most_rows     BIGINT  NOT NULL
);

-- Calls of which attempts have ended, and that were not over, when their node's journal was folded last: their records, as the journal
-- has those of calls. `number` is that of the first attempt.
CREATE TABLE untold_calls (
    run    BIGINT NOT NULL,
    number BIGINT NOT NULL,
    node   TEXT   NOT NULL,
    record BYTEA  NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE INDEX untold_calls_by_node ON untold_calls (node);

-- Sums over calls that began in the stretch from `start_ms` on, which is `length_ms` long: a minute, an hour or a day. A sum changes
-- again and again until its stretch is over, hence the room.
CREATE TABLE log_sums (
    length_ms     BIGINT           NOT NULL,
    start_ms      BIGINT           NOT NULL,
    group_hash    BYTEA            NOT NULL,
    provider      TEXT COLLATE "C" NOT NULL,
    model         TEXT COLLATE "C" NOT NULL,
    operation     TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL,
    requests      BIGINT           NOT NULL,
    latency_us    BIGINT           NOT NULL,
    input_tokens  BIGINT           NOT NULL,
    output_tokens BIGINT           NOT NULL,
    total_tokens  BIGINT           NOT NULL,
    cost_nano     BIGINT           NOT NULL,
    PRIMARY KEY (length_ms, start_ms, group_hash)
) WITH (fillfactor = 70);

-- The same for each hour of each key, team and customer (`owner_kind`).
CREATE TABLE log_owner_sums (
    owner_kind    TEXT COLLATE "C" NOT NULL,
    owner_hash    BYTEA            NOT NULL,
    start_ms      BIGINT           NOT NULL,
    group_hash    BYTEA            NOT NULL,
    owner         TEXT COLLATE "C" NOT NULL,
    provider      TEXT COLLATE "C" NOT NULL,
    model         TEXT COLLATE "C" NOT NULL,
    operation     TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL,
    requests      BIGINT           NOT NULL,
    latency_us    BIGINT           NOT NULL,
    input_tokens  BIGINT           NOT NULL,
    output_tokens BIGINT           NOT NULL,
    total_tokens  BIGINT           NOT NULL,
    cost_nano     BIGINT           NOT NULL,
    PRIMARY KEY (owner_kind, owner_hash, start_ms, group_hash)
) WITH (fillfactor = 70);

CREATE INDEX log_owner_sums_by_start ON log_owner_sums (start_ms);

-- From when on sums are kept. One row.
CREATE TABLE log_sums_kept (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    minutes_from_ms BIGINT  NOT NULL,
    hours_from_ms   BIGINT  NOT NULL
);

INSERT INTO log_sums_kept (one, minutes_from_ms, hours_from_ms) VALUES (1, 0, 0);

-- Models that are told apart in sums, of each provider. `name_hash` is of both.
CREATE TABLE log_models (
    name_hash BYTEA PRIMARY KEY,
    provider  TEXT COLLATE "C" NOT NULL,
    model     TEXT COLLATE "C" NOT NULL
);
