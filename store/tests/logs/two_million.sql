-- Rows like those of `two_million.rs`, with their partitions and sums, as folds would have made them: in the order of time.

CREATE TEMPORARY TABLE made AS
    SELECT n, dice, dice / 8 % 5000 AS key, CASE WHEN dice % 29 = 0 THEN 'error' ELSE 'success' END AS status,
        (ARRAY['openai', 'openai', 'openai', 'anthropic', 'anthropic', 'gemini', 'gemini', 'bedrock'])[dice % 8 + 1] AS provider,
        (ARRAY['gpt-4o', 'gpt-4o-mini', 'text-embedding-3-small', 'claude-sonnet-4-5', 'claude-haiku-4-5', 'gemini-2.5-pro',
            'gemini-2.5-flash', 'claude-sonnet-4-5'])[dice % 8 + 1] AS model,
        {now} - span + n * span / {count} AS at_ms
    FROM (
        SELECT n, CAST(CAST('x' || substr(md5(CAST(n AS text)), 1, 15) AS bit(60)) AS bigint) AS dice,
            CASE WHEN n % 4 = 0 THEN 31536000000 ELSE 2592000000 END AS span
        FROM generate_series(CAST(0 AS bigint), {count} - 1) AS g (n)) AS rolled;

INSERT INTO log_days SELECT at_ms - at_ms % 86400000, TRUE, count(*), count(*) FROM made GROUP BY 1;

DO $$
DECLARE day bigint;
BEGIN
    FOR day IN SELECT start_ms FROM log_days LOOP
        EXECUTE format('CREATE TABLE request_logs_%s PARTITION OF request_logs FOR VALUES FROM (%s) TO (%s)',
            to_char(to_timestamp(day / 1000) AT TIME ZONE 'UTC', 'YYYYMMDD'), day << 21, (day + 86400000) << 21);
    END LOOP;
END $$;

INSERT INTO request_logs
    SELECT (at_ms << 21) + (n & 2097151), format('0195f2c1-%s-7000-8000-%s', lpad(to_hex(n >> 12), 4, '0'), to_hex(dice)),
        'vk-' || key, 'team-' || key % 100, 'customer-' || key % 10, provider, model, provider || '/' || model, 'chat_completion',
        status, 400000 + dice % 3000000, dice % 3000, dice % 700, dice % 3000 + dice % 700, dice % 40000000, '',
        format('{"run":1795000000000,"call":%s,"credential":"main","dialect":"openai","http_status":200,"vendor_status":200,'
            '"priced":true,"first_content_us":345678,"tokens":{"input":%s,"output":%s},"source":"reported","attempts":1,'
            '"bytes_in":4321,"bytes_out":1234}', n, dice % 3000, dice % 700)
    FROM made;

INSERT INTO log_models SELECT DISTINCT sha256(convert_to(provider || '/' || model, 'UTF8')), provider, model FROM made;

INSERT INTO log_sums
    SELECT length_ms, at_ms - at_ms % length_ms, substr(sha256(convert_to(provider || '/' || model || '/' || status, 'UTF8')), 1, 16),
        provider, model, 'chat_completion', status, count(*), sum(400000 + dice % 3000000), sum(dice % 3000), sum(dice % 700),
        sum(dice % 3000 + dice % 700), sum(dice % 40000000)
    FROM made CROSS JOIN (VALUES (60000), (3600000), (86400000)) AS sizes (length_ms) GROUP BY 1, 2, 3, 4, 5, 6, 7
    ORDER BY 2;

-- What an owner is found by: the length and the text.
INSERT INTO log_owner_sums
    SELECT kind, substr(sha256(decode(lpad(to_hex(octet_length(owner)), 2, '0') || '00000000000000', 'hex') || convert_to(owner, 'UTF8')), 1, 16),
        at_ms - at_ms % 3600000, substr(sha256(convert_to(provider || '/' || model || '/' || status, 'UTF8')), 1, 16), owner, provider,
        model, 'chat_completion', status, count(*), sum(400000 + dice % 3000000), sum(dice % 3000), sum(dice % 700),
        sum(dice % 3000 + dice % 700), sum(dice % 40000000)
    FROM made CROSS JOIN LATERAL (VALUES ('key', 'vk-' || key), ('team', 'team-' || key % 100), ('customer', 'customer-' || key % 10))
        AS owners (kind, owner) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    ORDER BY 3;

DROP TABLE made;
ANALYZE;
