-- What was said in calls, as far as it is kept. `id` is made like the place of a row of `request_logs`, whose `detail` names it as
-- `content`. Of a long body there is the beginning; `request_bytes` and `answer_bytes` say how long it was.
CREATE TABLE log_contents (
    id            INTEGER PRIMARY KEY,
    request       BLOB    NOT NULL,
    request_bytes INTEGER NOT NULL,
    answer        BLOB    NOT NULL,
    answer_bytes  INTEGER NOT NULL
) STRICT;
