-- What is listed of the inbox.

-- The id up to which no event can come to be there any more that is not there now.  Ids are given before the commit, so one
-- with a smaller id may become visible later; but no append takes as long as 20 seconds, because a statement ends before.
-- Not the newest such id: the steps down double, so it is at most twice as far back.
CREATE OR REPLACE FUNCTION hookbridge.horizon_1(moment double precision) RETURNS bigint LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    settled CONSTANT double precision := now_1(moment) - 20;
    newest CONSTANT bigint := (SELECT max(e.id) FROM events AS e);
    step bigint := 0;
    one record;
BEGIN
    LOOP
        SELECT e.id, e.stored_at INTO one FROM events AS e WHERE e.id <= newest - step ORDER BY e.id DESC LIMIT 1;
        IF NOT FOUND THEN
            RETURN 0;
        END IF;
        IF one.stored_at < settled THEN
            RETURN one.id;
        END IF;
        step := greatest(2 * step, newest - one.id, 1);
    END LOOP;
END
$$;

-- What reasons have in common that differ in numbers and ids only; store/reasons.py has the same expression.
CREATE OR REPLACE FUNCTION hookbridge.reason_kind_1(reason text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN left(
    regexp_replace(
        coalesce(reason, '') COLLATE "C",
        '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}|(?<!py:)(?<![0-9])[0-9]+', '…', 'g'
    ), 200
);
