-- What the counters say once a minute.

-- Write them down for this minute, and keep so many minutes.  Whichever nodes do it, a minute has one row: they are counts
-- since the beginning, so the last one in a minute is as right as the first.
CREATE OR REPLACE FUNCTION hookbridge.take_sample_1(most integer, moment double precision) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    taken_at double precision := now_1(moment);
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    INSERT INTO samples (minute, at, received, applied, open)
    SELECT floor(taken_at / 60), taken_at,
           coalesce(sum(c.value) FILTER (WHERE c.name = 'received'), 0),
           coalesce(sum(c.value) FILTER (WHERE c.name IN ('applied', 'coalesced')), 0),
           coalesce(sum(c.value) FILTER (WHERE c.name = 'open'), 0)
    FROM counters AS c
    ON CONFLICT (minute) DO UPDATE
    SET at = excluded.at, received = excluded.received, applied = excluded.applied, open = excluded.open;
    DELETE FROM samples WHERE minute <= (SELECT s.minute FROM samples AS s ORDER BY s.minute DESC OFFSET most LIMIT 1);
END
$$;
