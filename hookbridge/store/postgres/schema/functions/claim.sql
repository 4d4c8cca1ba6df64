-- Claims: which record next, and for whom.
--
-- A claim moves a dirty row's available_at to the end of the lease and gives it a generation that no claim had before; a
-- settlement counts only while that generation stands.  Rows are locked in the order of their names, like everywhere.

-- What belongs to claimed records: of each its newest events, the newest first, and with that one its copy.  Old large events
-- come without their bodies.  Behind ``inline_max`` bytes nothing has its bodies, and ``whole`` is false.
CREATE OR REPLACE FUNCTION hookbridge.claimed_1(
    names text[], versions bigint[], events_max integer, events_bytes_max bigint, counted_max integer, inline_max bigint
) RETURNS TABLE (
    place bigint, whole boolean, types text, id bigint, record text, type text, format text, origin text, body bytea,
    identity bytea, occurred_at text, received_at double precision, headers bytea, stored_at double precision,
    copied_as text, data bytea, changed_at text, fingerprint bytea, ticket bigint, read_at double precision,
    verified boolean, copy_occurred_at text, title text, content text
) LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.place, r.whole,
           CASE WHEN r.newest AND r.many = events_max THEN (
               SELECT json_object_agg(k.type, k.number)::text FROM (
                   SELECT t.type, count(*) AS number FROM (
                       SELECT o.type FROM open AS o WHERE o.record = r.record AND o.seq <= r.seq
                       ORDER BY o.seq DESC LIMIT counted_max
                   ) AS t GROUP BY t.type
               ) AS k
           ) END,
           r.id, r.record, r.type, r.format, r.origin,
           CASE WHEN r.whole AND r.newer_bytes <= events_bytes_max THEN r.body ELSE '' END,
           r.identity, r.occurred_at, r.received_at, CASE WHEN r.whole THEN r.headers END, r.stored_at,
           r.copied_as, CASE WHEN r.whole THEN r.data END, r.changed_at, r.fingerprint, r.ticket, r.read_at, r.verified,
           r.copy_occurred_at, r.title, CASE WHEN r.whole THEN r.content END
    FROM (
        SELECT s.*, sum(
                   octet_length(coalesce(s.headers, '')) + coalesce(octet_length(s.data), 0)
                   + coalesce(octet_length(s.content), 0)
                   + CASE WHEN s.newer_bytes <= events_bytes_max THEN octet_length(s.body) ELSE 0 END
               ) OVER (ORDER BY s.place, s.seq DESC) <= inline_max AS whole
        FROM (
            SELECT c.place, o.seq, o.seq = c.version AS newest, e.*,
                   count(*) OVER (PARTITION BY c.place) AS many,
                   coalesce(sum(octet_length(e.body)) OVER (
                       PARTITION BY c.place ORDER BY o.seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ), 0) AS newer_bytes,
                   p.copied_as, p.data, p.changed_at, p.fingerprint, p.ticket, p.read_at, p.verified, p.copy_occurred_at,
                   p.title, p.content
            FROM unnest(names, versions) WITH ORDINALITY AS c (name, version, place)
            CROSS JOIN LATERAL (
                SELECT k.seq, k.event_id FROM open AS k WHERE k.record = c.name AND k.seq <= c.version
                ORDER BY k.seq DESC LIMIT events_max
            ) AS o
            CROSS JOIN LATERAL (
                SELECT k.id, k.record, k.type, k.format, k.origin, k.body, k.identity, k.occurred_at, k.received_at, k.headers,
                       k.stored_at
                FROM events AS k WHERE k.id = o.event_id OFFSET 0
            ) AS e
            -- Where ids are global, the copy of a record that has none with data under its name is the one elsewhere.
            LEFT JOIN LATERAL (
                SELECT a.record AS copied_as, a.data, a.changed_at, a.fingerprint, a.ticket, a.read_at, a.verified,
                       a.occurred_at AS copy_occurred_at, a.title, a.content
                FROM (
                    SELECT k.* FROM copies AS k WHERE k.record = c.name
                    UNION ALL
                    SELECT k.* FROM copies AS k
                    WHERE c.name LIKE 'notion:%' AND k.source = 'notion' AND k.record_id = id_of_1(c.name)
                      AND k.data IS NOT NULL AND k.record <> c.name
                ) AS a
                WHERE o.seq = c.version
                ORDER BY a.data IS NULL, a.record <> c.name, a.ticket DESC LIMIT 1
            ) AS p ON true
        ) AS s
    ) AS r
    ORDER BY r.place, r.seq DESC;
END
$$;

-- Take the dirty records of a source that have waited longest, of those due at ``floor_at`` or later; none where so many
-- seconds have passed before.  ``reached`` is up to where nothing was left: where the next claim can begin.
-- One node at a time looks: so none is passed over because another one has it for a moment.
CREATE OR REPLACE FUNCTION hookbridge.claim_1(
    lane text, node text, moment double precision, floor_at double precision, most integer, lease_seconds double precision,
    within_seconds double precision, bytes_max bigint, events_max integer, events_bytes_max bigint, counted_max integer,
    inline_max bigint
) RETURNS TABLE (
    version bigint, generation bigint, claimed_at double precision, since double precision, reached double precision,
    place bigint, whole boolean, types text, id bigint, record text, type text, format text, origin text, body bytea,
    identity bytea, occurred_at text, received_at double precision, headers bytea, stored_at double precision,
    copied_as text, data bytea, changed_at text, fingerprint bytea, ticket bigint, read_at double precision,
    verified boolean, copy_occurred_at text, title text, content text
) LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    now_at double precision;
    due_names text[];
    dues double precision[];
    names text[];
    versions bigint[];
    sinces double precision[];
    ticketed bigint;
    reached_at double precision;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM pg_advisory_xact_lock(1752131435, CASE lane WHEN 'notion' THEN 4 ELSE 3 END);  -- 'hook'
    IF extract(epoch FROM clock_timestamp() - statement_timestamp()) >= within_seconds THEN
        RETURN;
    END IF;
    now_at := now_1(moment);
    SELECT array_agg(r.record), array_agg(r.available_at) INTO due_names, dues
    FROM (
        SELECT d.record, d.available_at,
               sum(d.bytes) OVER (ORDER BY d.available_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
        FROM (
            SELECT k.record, k.available_at, k.bytes FROM dirty AS k
            WHERE k.source = lane AND k.available_at >= floor_at AND k.available_at <= now_at
            ORDER BY k.available_at LIMIT most
        ) AS d
    ) AS r
    WHERE coalesce(r.bytes_before, 0) < bytes_max;
    IF due_names IS NULL THEN
        RETURN;
    END IF;
    -- ``+ 0``: or the planner, who believes that nothing is due, would look at all that is.
    SELECT array_agg(r.record ORDER BY r.available_at, r.record), array_agg(r.version ORDER BY r.available_at, r.record),
           array_agg(r.since ORDER BY r.available_at, r.record)
    INTO names, versions, sinces
    FROM (
        SELECT d.record, d.version, d.since, d.available_at FROM dirty AS d
        WHERE d.record = ANY (due_names) AND d.available_at + 0 <= now_at
        ORDER BY d.record FOR UPDATE SKIP LOCKED
    ) AS r;
    IF names IS NULL THEN
        RETURN;
    END IF;
    ticketed := nextval('tickets');
    UPDATE dirty AS d SET generation = ticketed, owner = node, available_at = now_at + lease_seconds
    WHERE d.record = ANY (names);
    SELECT coalesce(min(r.due) FILTER (WHERE r.name <> ALL (names)), max(r.due)) INTO reached_at
    FROM unnest(due_names, dues) AS r (name, due);
    RETURN QUERY
    SELECT versions[c.place], ticketed, now_at, sinces[c.place], reached_at, c.*
    FROM claimed_1(names, versions, events_max, events_bytes_max, counted_max, inline_max) AS c;
END
$$;

-- Let the leases of claims that still hold begin anew; says of each whether it does.
CREATE OR REPLACE FUNCTION hookbridge.renew_1(
    moment double precision, names text[], generations bigint[], lease_seconds double precision
) RETURNS boolean[] LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    one record;
    holds boolean[] := array_fill(false, ARRAY[cardinality(names)]);
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    FOR one IN
        SELECT * FROM unnest(names, generations) WITH ORDINALITY AS r (name, generation, n) ORDER BY r.name COLLATE "C"
    LOOP
        UPDATE dirty SET available_at = now_1(moment) + lease_seconds
        WHERE record = one.name AND generation = one.generation;
        holds[one.n] := FOUND;
    END LOOP;
    RETURN holds;
END
$$;

-- Give claims back, to be claimed again after that time, or at once in their old place in the line.
CREATE OR REPLACE FUNCTION hookbridge.release_1(
    moment double precision, names text[], generations bigint[], after_seconds double precision
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    one record;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    FOR one IN SELECT * FROM unnest(names, generations) AS r (name, generation) ORDER BY r.name COLLATE "C" LOOP
        UPDATE dirty
        SET available_at = CASE WHEN after_seconds > 0 THEN greatest(since, now_1(moment) + after_seconds) ELSE since END
        WHERE record = one.name AND generation = one.generation;
    END LOOP;
END
$$;

-- Free what a node has claimed later than with this generation: the connection ended before it was told.  Behind a claim that
-- is under way still.
CREATE OR REPLACE FUNCTION hookbridge.release_lost_1(
    moment double precision, node text, lane text, answered bigint
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at CONSTANT double precision := now_1(moment);
    one_name text;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM pg_advisory_xact_lock(1752131435, CASE lane WHEN 'notion' THEN 4 ELSE 3 END);  -- 'hook'
    FOREACH one_name IN ARRAY ARRAY(
        SELECT d.record FROM dirty AS d
        WHERE d.source = lane AND d.available_at > now_at AND d.owner = node AND d.generation > answered
        ORDER BY d.record
    ) LOOP
        UPDATE dirty SET available_at = since WHERE record = one_name AND owner = node AND generation > answered;
    END LOOP;
END
$$;

-- Free what an earlier life of a node had claimed, and what nobody has and that became dirty by a clock that was ahead: since
-- when that waits nobody knows, but by now it does.
CREATE OR REPLACE FUNCTION hookbridge.release_abandoned_1(moment double precision, node text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at CONSTANT double precision := now_1(moment);
    one_name text;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    FOREACH one_name IN ARRAY ARRAY(
        SELECT d.record FROM dirty AS d
        WHERE d.source IN ('supabase', 'notion') AND d.available_at > now_at AND (d.owner = node OR d.owner IS NULL)
        ORDER BY d.record
    ) LOOP
        UPDATE dirty SET available_at = least(since, now_at), since = least(since, now_at)
        WHERE record = one_name AND available_at > now_at AND (owner = node OR owner IS NULL);
    END LOOP;
END
$$;

-- Free what nobody has and waits by a clock that was ahead, so many records at most; gives how many.  What was given back at
-- once waits since when it became dirty, and what is claimed does not.
CREATE OR REPLACE FUNCTION hookbridge.release_ahead_1(moment double precision, lane text, most integer) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at CONSTANT double precision := now_1(moment);
    one_name text;
    released integer := 0;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    FOREACH one_name IN ARRAY ARRAY(
        SELECT r.record FROM (
            SELECT d.record FROM dirty AS d
            WHERE d.source = lane AND d.available_at > now_at AND (d.owner IS NULL OR d.available_at = d.since)
            ORDER BY d.available_at LIMIT most
        ) AS r ORDER BY r.record
    ) LOOP
        UPDATE dirty SET available_at = now_at, since = least(since, now_at)
        WHERE record = one_name AND available_at > now_at AND (owner IS NULL OR available_at = since);
        released := released + 1;
    END LOOP;
    RETURN released;
END
$$;

-- Free what nodes had claimed that are not among these; gives how many records.  They can be claimed from now on, which is
-- where the other nodes look next.
CREATE OR REPLACE FUNCTION hookbridge.release_of_others_1(moment double precision, there text[]) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at CONSTANT double precision := now_1(moment);
    one_name text;
    released integer := 0;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    FOREACH one_name IN ARRAY ARRAY(
        SELECT d.record FROM dirty AS d
        WHERE d.source IN ('supabase', 'notion') AND d.available_at > now_at AND d.owner <> ALL (there)
        ORDER BY d.record
    ) LOOP
        UPDATE dirty SET available_at = now_at
        WHERE record = one_name AND available_at > now_at AND owner <> ALL (there);
        released := released + FOUND::integer;
    END LOOP;
    RETURN released;
END
$$;

-- Since when the longest waiting record is dirty: the first of a line, or one of the few that are leased.
CREATE OR REPLACE FUNCTION hookbridge.oldest_open_1(moment double precision) RETURNS double precision
LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at CONSTANT double precision := now_1(moment);
    lane text;
    oldest double precision;
BEGIN
    FOREACH lane IN ARRAY ARRAY['supabase', 'notion'] LOOP
        oldest := least(
            oldest,
            (SELECT d.since FROM dirty AS d WHERE d.source = lane AND d.available_at <= now_at
             ORDER BY d.available_at LIMIT 1),
            (SELECT min(d.since) FROM dirty AS d WHERE d.source = lane AND d.available_at > now_at)
        );
    END LOOP;
    RETURN now_at - oldest;
END
$$;

-- In how many seconds a record of a source can be claimed, of those due at ``floor_at`` or later; null where there is none.
CREATE OR REPLACE FUNCTION hookbridge.next_due_1(moment double precision, lane text, floor_at double precision)
RETURNS double precision LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        SELECT greatest(d.available_at - now_1(moment), 0) FROM dirty AS d
        WHERE d.source = lane AND d.available_at >= floor_at ORDER BY d.available_at LIMIT 1
    );
END
$$;
