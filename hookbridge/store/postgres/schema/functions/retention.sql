-- What is removed in time, in small batches.  Nobody waits for it: what somebody else has locked is left for the next time.

-- Remove at most so many events that ended then, dead letters or the others, the ones that ended first before the others; gives
-- how many.  The newest event stays.
CREATE OR REPLACE FUNCTION hookbridge.remove_events_1(
    own_slot integer, are_dead boolean, first double precision, before double precision, most integer
) RETURNS integer LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    chosen bigint[];
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    IF are_dead THEN
        chosen := ARRAY(
            SELECT e.event_id FROM ends AS e
            WHERE e.outcome = 'dead' AND e.settled_at >= first AND e.settled_at < before
              AND e.event_id < (SELECT max(k.id) FROM events AS k)
            ORDER BY e.settled_at LIMIT most
        );
    ELSE
        chosen := ARRAY(
            SELECT e.event_id FROM ends AS e
            WHERE e.outcome <> 'dead' AND e.settled_at >= first AND e.settled_at < before
              AND e.event_id < (SELECT max(k.id) FROM events AS k)
            ORDER BY e.settled_at LIMIT most
        );
    END IF;
    -- The events before their ends, like whoever opens one again.
    chosen := ARRAY(SELECT e.id FROM events AS e WHERE e.id = ANY (chosen) ORDER BY e.id FOR UPDATE SKIP LOCKED);
    WITH gone AS (
        DELETE FROM ends AS e WHERE e.event_id = ANY (chosen) AND (e.outcome = 'dead') = are_dead RETURNING e.event_id
    )
    SELECT coalesce(array_agg(g.event_id), '{}') INTO chosen FROM gone AS g;
    DELETE FROM events AS e WHERE e.id = ANY (chosen);
    IF are_dead THEN
        PERFORM count_1(own_slot, ARRAY['dead', 'ignored'], ARRAY[-cardinality(chosen), cardinality(chosen)]);
    END IF;
    RETURN cardinality(chosen);
END
$$;

-- Forget at most so many failed attempts that ended then; gives how many.
CREATE OR REPLACE FUNCTION hookbridge.remove_failures_1(first double precision, before double precision, most integer)
RETURNS integer LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    removed integer;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    DELETE FROM failures WHERE ctid = ANY (ARRAY(
        SELECT f.ctid FROM failures AS f WHERE f.ended_at >= first AND f.ended_at < before
        ORDER BY f.ended_at LIMIT most FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
