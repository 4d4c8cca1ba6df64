-- The nodes that share the store: that they are there, what each does alone, what they ask of each other and of sources.

-- Say that a node is there, keep or take the duties that it wants (sorted), and learn how the others are; gives a Cluster as
-- JSON, and under "open" how many events are open.  Null where a later life of the node was here: another process has its name.
-- ``lows`` says of each of ``sources`` from which time on it is looked for what is due.
CREATE OR REPLACE FUNCTION hookbridge.beat_1(
    moment double precision, the_node text, the_life bigint, the_version text, the_roles text[], the_figures text,
    wants text[], lease_seconds double precision, hears text[], sources text[], lows double precision[],
    halted text[], halted_seconds double precision[], forgotten_seconds double precision, asked_seconds double precision
) RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at double precision := now_1(moment);
    seen_before CONSTANT double precision := (SELECT n.seen_at FROM nodes AS n WHERE n.name = the_node);
BEGIN
    -- An epoch that a crash of the server took back would be given twice.
    PERFORM set_config('synchronous_commit', 'on', true);
    INSERT INTO nodes AS n (name, life, version, roles, figures, seen_at)
    VALUES (the_node, the_life, the_version, the_roles, the_figures, now_at)
    ON CONFLICT (name) DO UPDATE
    SET life = the_life, version = the_version, roles = the_roles, figures = the_figures, seen_at = now_at
    WHERE n.life <= the_life;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- The node's row may have been waited for, and so may a lead's be: what has ended meanwhile is over.
    now_at := now_1(moment);
    PERFORM lead_1(now_at, the_node, the_life, wants, lease_seconds);
    IF seen_before > now_at + 1 THEN
        -- The server's clock was set back.  What was reserved by it nobody waits for any more.
        UPDATE budget SET tat = now_at WHERE source = ANY (ARRAY(
            SELECT b.source FROM budget AS b WHERE b.tat > now_at ORDER BY b.source FOR UPDATE
        ));
    END IF;
    INSERT INTO budget AS b (source, tat, halted_until)
    SELECT h.source, 0, now_at + h.seconds FROM unnest(halted, halted_seconds) AS h (source, seconds) ORDER BY h.source
    ON CONFLICT (source) DO UPDATE SET halted_until = greatest(b.halted_until, excluded.halted_until);
    -- One that is back just now beats itself, and then waits for what this one took, or deletes this one's row.
    DELETE FROM nodes WHERE name = ANY (ARRAY(
        SELECT n.name FROM nodes AS n WHERE n.seen_at < now_at - forgotten_seconds ORDER BY n.name FOR UPDATE SKIP LOCKED
    ));
    -- Nobody was seen later than now: one that is gone would be there until a clock that was set back has caught up.
    UPDATE nodes SET seen_at = now_at WHERE name = ANY (ARRAY(
        SELECT n.name FROM nodes AS n WHERE n.seen_at > now_at + 1 ORDER BY n.name FOR UPDATE SKIP LOCKED
    ));
    DELETE FROM asks WHERE asked_at < now_at - asked_seconds;
    now_at := now_1(moment);
    RETURN cluster_1(now_at, the_node, the_life, hears, sources, lows);
END
$$;

-- Keep, take and give up duties.  One that is held is renewed when a third of its lease is over.  A row is written, and with
-- that locked, only where there is a reason: who leads writes under its lock.
CREATE OR REPLACE FUNCTION hookbridge.lead_1(
    now_at double precision, the_node text, the_life bigint, wants text[], lease_seconds double precision
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    renewed_before double precision := now_at + lease_seconds * 2 / 3;
BEGIN
    -- A lease that ends later than one could that begins now was taken before the clock was set back.  It begins anew, so that
    -- who has it is not overtaken; the second is for those that were answered while this one waited.
    UPDATE leads AS l SET until = now_at + l.seconds WHERE l.duty = ANY (ARRAY(
        SELECT k.duty FROM leads AS k WHERE k.until > now_at + k.seconds + 1 ORDER BY k.duty FOR UPDATE SKIP LOCKED
    ));
    UPDATE leads AS l SET until = now_at
    WHERE l.node = the_node AND l.life = the_life AND l.until > now_at AND l.duty <> ALL (wants);
    INSERT INTO leads AS l (duty, node, life, epoch, until, seconds)
    SELECT w.duty, the_node, the_life, 1, now_at + lease_seconds, lease_seconds
    FROM unnest(wants) AS w (duty) LEFT JOIN leads AS k ON k.duty = w.duty
    WHERE k.duty IS NULL OR k.until <= now_at OR (k.node = the_node AND (k.life < the_life OR k.until < renewed_before))
    ORDER BY w.duty
    ON CONFLICT (duty) DO UPDATE
    SET node = the_node, life = the_life, until = excluded.until, seconds = excluded.seconds,
        -- Who had it until its end may have been forgotten by then: what was written with that epoch is over for good.
        epoch = l.epoch + (l.node <> the_node OR l.life <> the_life OR l.until <= now_at)::integer
    WHERE l.until <= now_at OR (l.node = the_node AND l.life <= the_life);
END
$$;

-- What a beat is answered.
CREATE OR REPLACE FUNCTION hookbridge.cluster_1(
    now_at double precision, the_node text, the_life bigint, hears text[], sources text[], lows double precision[]
) RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
SELECT json_build_object(
    'now', now_at,
    'open', (SELECT coalesce(sum(c.value), 0) FROM counters AS c WHERE c.name = 'open')::bigint,
    'nodes', (
        SELECT coalesce(json_agg(json_build_object(
            'name', n.name, 'version', n.version, 'roles', n.roles, 'figures', n.figures,
            'seen_seconds', greatest(now_at - n.seen_at, 0)
        ) ORDER BY n.name), '[]') FROM nodes AS n
    ),
    'leaders', (
        SELECT coalesce(json_object_agg(l.duty, json_build_object(
            'node', l.node, 'epoch', l.epoch, 'left_seconds', l.until - now_at,
            'mine', l.node = the_node AND l.life = the_life
        )), '{}') FROM leads AS l WHERE l.until > now_at
    ),
    'due', (
        SELECT coalesce(json_object_agg(s.source, d.available_at), '{}')
        FROM unnest(sources, lows) AS s (source, low)
        CROSS JOIN LATERAL (
            SELECT k.available_at FROM dirty AS k WHERE k.source = s.source AND k.available_at >= s.low
            ORDER BY k.available_at LIMIT 1
        ) AS d
    ),
    'notes', (SELECT coalesce(json_object_agg(o.name, o.value), '{}') FROM notes AS o WHERE o.name = ANY (hears)),
    'halts', (
        SELECT coalesce(json_object_agg(b.source, b.halted_until - now_at), '{}')
        FROM budget AS b WHERE b.halted_until > now_at
    ),
    'asks', (
        SELECT coalesce(json_agg(json_build_object('id', a.id, 'duty', a.duty, 'words', a.words) ORDER BY a.id), '[]')
        FROM asks AS a WHERE a.answer IS NULL AND EXISTS (
            SELECT FROM leads AS l
            WHERE l.duty = a.duty AND l.node = the_node AND l.life = the_life AND l.until > now_at
        )
    )
)::text
$$;

-- End everything that a node does alone, and forget that it is there.
CREATE OR REPLACE FUNCTION hookbridge.leave_store_1(moment double precision, the_node text, the_life bigint)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    DELETE FROM nodes WHERE name = the_node AND life = the_life;
    UPDATE leads SET until = least(until, now_1(moment)) WHERE node = the_node AND life = the_life;
END
$$;

-- Reserve so many requests to a source: at this rate on average, and at once as many as are whole ones of a second (GCRA,
-- https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).  Gives the seconds until they may go, and those for which the
-- source wants to be left alone.
CREATE OR REPLACE FUNCTION hookbridge.permit_1(
    moment double precision, the_source text, number integer, per_second double precision,
    OUT wait_seconds double precision, OUT halted_seconds double precision
) LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
AS $$
DECLARE
    spent_at double precision;
    halted_at double precision;
BEGIN
    -- What a crash of the server forgets of it is a second's worth.
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO budget AS b (source, tat, halted_until)
    VALUES (the_source, now_1(moment) + number / per_second, 0)
    ON CONFLICT (source) DO UPDATE SET tat = greatest(b.tat, now_1(moment)) + number / per_second
    RETURNING b.tat, b.halted_until INTO spent_at, halted_at;
    wait_seconds := greatest(spent_at - floor(greatest(per_second, 1)) / per_second - now_1(moment), 0);
    halted_seconds := greatest(halted_at - now_1(moment), 0);
END
$$;
