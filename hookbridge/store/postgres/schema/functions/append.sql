-- Events that come in, and dead letters that are open again.
--
-- Locks are taken in the order of the whole engine: identities, known events, their ends, dirty records by name, counters.
-- Each statement begins after the locks before it, so it sees whatever it waited for.

-- Make the records of events dirty, and give the events their places in the lines of their records: in the order of
-- ``places``, behind what is there.  One entry of each array an event.
CREATE OR REPLACE FUNCTION hookbridge.open_events_1(
    event_ids bigint[], places integer[], records text[], sources text[], types text[], sizes integer[],
    opened_at double precision
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    versions bigint[];
BEGIN
    WITH raised AS (
        INSERT INTO dirty AS d (record, source, version, generation, bytes, since, available_at)
        SELECT e.record, min(e.source), count(*), 0, (array_agg(e.size ORDER BY e.place DESC))[1], opened_at, opened_at
        FROM unnest(records, sources, sizes, places) AS e (record, source, size, place)
        GROUP BY e.record
        ORDER BY e.record COLLATE "C"
        ON CONFLICT (record) DO UPDATE SET version = d.version + excluded.version, bytes = excluded.bytes
        RETURNING d.version
    )
    SELECT array_agg(r.version) INTO versions FROM raised AS r;
    INSERT INTO open (record, seq, event_id, type)
    SELECT e.record, versions[e.nth] - e.many + e.place_of_record, e.event_id, e.type
    FROM (
        SELECT r.record, r.event_id, r.type,
               dense_rank() OVER (ORDER BY r.record COLLATE "C") AS nth,
               count(*) OVER (PARTITION BY r.record COLLATE "C") AS many,
               row_number() OVER (PARTITION BY r.record COLLATE "C" ORDER BY r.place) AS place_of_record
        FROM unnest(records, event_ids, types, places) AS r (record, event_id, type, place)
    ) AS e;
END
$$;

-- Where an event belongs that names its record by its id alone: to the record that has open events, else to the one that has
-- the copy; null where there is neither.
CREATE OR REPLACE FUNCTION hookbridge.place_of_1(record_name text) RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    id CONSTANT text := id_of_1(record_name);
    found_name text;
BEGIN
    SELECT d.record INTO found_name FROM dirty AS d WHERE d.source = 'notion' AND right(d.record, 36) = id LIMIT 1;
    IF found_name IS NULL THEN
        SELECT c.record INTO found_name FROM copies AS c
        WHERE c.record_id = id AND c.source = 'notion' AND c.data IS NOT NULL
        ORDER BY c.record <> record_name, c.ticket DESC LIMIT 1;
    END IF;
    RETURN found_name;
END
$$;

-- Store events.  One entry of each array an event, sorted by identity; ``places`` says as the how-manieth of the group it came,
-- and what is given back is in that order.  ``by_ids``: the places of those that name their record by its id.
-- ``names``, ``amounts``: what is counted where all are new and none is placed elsewhere.
CREATE OR REPLACE FUNCTION hookbridge.append_1(
    own_slot integer, moment double precision, places integer[], records text[], sources text[], types text[], formats text[],
    origins text[], identities bytea[], occurrences text[], received double precision[], bodies bytea[], heads bytea[],
    ignored text[], by_ids integer[], names text[], amounts double precision[],
    OUT event_ids bigint[], OUT duplicates boolean[], OUT opened integer
) LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    many CONSTANT integer := cardinality(places);
    now_at double precision := now_1(moment);
    fresh_ids bigint[];
    stored integer;
    one record;
    known_id bigint;
    again bigint[] := '{}';
    home text;
    -- Of events that name their record by its id and are open, the ids and records: those that follow belong there, too.
    met_ids text[] := '{}';
    met_records text[] := '{}';
    open_ids bigint[];
    open_places integer[];
    open_records text[];
    open_sources text[];
    open_types text[];
    open_sizes integer[];
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    IF cardinality(by_ids) > 0 THEN
        FOR one IN
            SELECT r.n, r.record, r.source, id_of_1(r.record) AS id, r.reason
            FROM unnest(places, records, sources, ignored) WITH ORDINALITY AS r (place, record, source, reason, n)
            WHERE r.place = ANY (by_ids) ORDER BY r.place
        LOOP
            home := coalesce(met_records[array_position(met_ids, one.id)], place_of_1(one.record));
            IF home IS NOT NULL THEN
                records[one.n] := home;
                ignored[one.n] := NULL;
                IF one.reason IS NOT NULL THEN
                    names := names || ARRAY['ignored', 'settled:' || one.source || ':ignored', 'open'];
                    amounts := amounts || ARRAY[-1, -1, 1]::double precision[];
                END IF;
            END IF;
            IF home IS NOT NULL OR one.reason IS NULL THEN
                met_ids := met_ids || one.id;
                met_records := met_records || coalesce(home, one.record);
            END IF;
        END LOOP;
    END IF;

    event_ids := ARRAY(SELECT nextval('event_ids') FROM generate_series(1, many));
    fresh_ids := event_ids;
    duplicates := array_fill(false, ARRAY[many]);
    INSERT INTO events (
        id, received_at, stored_at, source, record, type, format, origin, occurred_at, identity, body, headers
    )
    SELECT fresh_ids[r.place], r.received_at, now_at, r.source, r.record, r.type, r.format, r.origin, r.occurred_at,
           r.identity, r.body, r.headers
    FROM unnest(places, received, sources, records, types, formats, origins, occurrences, identities, bodies, heads)
        AS r (place, received_at, source, record, type, format, origin, occurred_at, identity, body, headers)
    ON CONFLICT (identity) WHERE identity IS NOT NULL DO NOTHING;
    GET DIAGNOSTICS stored = ROW_COUNT;

    IF stored < many THEN
        FOR one IN
            SELECT r.place, r.identity, r.source, r.origin, r.reason
            FROM unnest(places, identities, sources, origins, ignored) AS r (place, identity, source, origin, reason)
            WHERE NOT EXISTS (SELECT FROM events AS e WHERE e.id = fresh_ids[r.place])
            ORDER BY r.identity, r.place
        LOOP
            -- Locked, so that retention does not remove it before this is committed.
            SELECT e.id INTO known_id FROM events AS e WHERE e.identity = one.identity FOR KEY SHARE;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'a known event was removed meanwhile' USING ERRCODE = 'serialization_failure';
            END IF;
            event_ids[one.place] := known_id;
            duplicates[one.place] := true;
            names := names || ARRAY[
                'duplicates', 'received', 'received:' || one.source || ':' || one.origin,
                CASE WHEN one.reason IS NULL THEN 'open' ELSE 'ignored' END
            ];
            amounts := amounts || ARRAY[1, -1, -1, -1]::double precision[];
            IF one.reason IS NOT NULL THEN
                names := names || ('settled:' || one.source || ':ignored');
                amounts := amounts || -1::double precision;
            END IF;
        END LOOP;
        WITH gone AS (
            DELETE FROM ends AS e
            WHERE e.outcome = 'dead' AND e.event_id = ANY (ARRAY(
                SELECT DISTINCT r.id FROM unnest(event_ids, duplicates) AS r (id, duplicate) WHERE r.duplicate ORDER BY r.id
            ))
            RETURNING e.event_id
        )
        SELECT coalesce(array_agg(g.event_id), '{}') INTO again FROM gone AS g;
        names := names || ARRAY['open', 'dead'];
        amounts := amounts || ARRAY[cardinality(again), -cardinality(again)]::double precision[];
    END IF;

    IF cardinality(array_remove(ignored, NULL)) > 0 THEN
        INSERT INTO ends (event_id, outcome, reason, attempts, settled_at)
        SELECT fresh_ids[r.place], 'ignored', r.reason, 0, now_at FROM unnest(places, ignored) AS r (place, reason)
        WHERE r.reason IS NOT NULL AND NOT duplicates[r.place];
    END IF;

    SELECT array_agg(o.id), array_agg(o.place), array_agg(o.record), array_agg(o.source), array_agg(o.type), array_agg(o.size)
    INTO open_ids, open_places, open_records, open_sources, open_types, open_sizes
    FROM (
        SELECT fresh_ids[r.place] AS id, r.place, r.record, r.source, r.type, octet_length(r.body) AS size
        FROM unnest(places, records, sources, types, bodies, ignored) AS r (place, record, source, type, body, reason)
        WHERE r.reason IS NULL AND NOT duplicates[r.place]
        UNION ALL
        SELECT e.id, array_position(event_ids, e.id), e.record, e.source, e.type, octet_length(e.body)
        FROM unnest(again) AS a (id)
        CROSS JOIN LATERAL (
            SELECT k.id, k.record, k.source, k.type, k.body FROM events AS k WHERE k.id = a.id OFFSET 0
        ) AS e
    ) AS o;
    opened := coalesce(cardinality(open_ids), 0);
    IF opened > 0 THEN
        -- By the clock of now: whoever looks for what is due goes on behind what it has seen.
        PERFORM open_events_1(
            open_ids, open_places, open_records, open_sources, open_types, open_sizes, now_1(moment)
        );
    END IF;
    PERFORM count_1(own_slot, names, amounts);
END
$$;

-- Process settled events again, from the first on: dead letters are open again, applied and coalesced ones come in anew.  Ends
-- behind so many bytes; ``looked`` is how many it was about, ``opened`` how many are processed again.
CREATE OR REPLACE FUNCTION hookbridge.open_again_1(
    own_slot integer, moment double precision, chosen bigint[], bytes_max bigint, OUT looked integer, OUT opened integer
) LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at CONSTANT double precision := now_1(moment);
    dead bigint[];
    old_ids bigint[];
    new_ids bigint[];
    again_places integer[];
    open_ids bigint[];
    open_places integer[];
    open_records text[];
    open_sources text[];
    open_types text[];
    open_sizes integer[];
    names text[];
    amounts double precision[];
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM FROM events AS e WHERE e.id = ANY (chosen) ORDER BY e.id FOR KEY SHARE;
    SELECT count(*), array_agg(DISTINCT r.id) FILTER (WHERE r.outcome = 'dead'),
           array_agg(r.id ORDER BY r.place) FILTER (WHERE r.outcome IN ('applied', 'coalesced')),
           array_agg(r.place ORDER BY r.place) FILTER (WHERE r.outcome IN ('applied', 'coalesced'))
    INTO looked, dead, old_ids, again_places
    FROM (
        SELECT c.id, c.place, s.outcome,
               sum(CASE WHEN s.outcome <> 'ignored' THEN s.size ELSE 0 END)
                   OVER (ORDER BY c.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
        FROM unnest(chosen) WITH ORDINALITY AS c (id, place)
        LEFT JOIN LATERAL (
            SELECT n.outcome, octet_length(e.body) AS size FROM events AS e, LATERAL (
                SELECT k.outcome FROM ends AS k WHERE k.event_id = e.id OFFSET 0
            ) AS n
            WHERE e.id = c.id OFFSET 0
        ) AS s ON true
    ) AS r
    WHERE coalesce(r.size_before, 0) < bytes_max;

    WITH gone AS (
        DELETE FROM ends AS e WHERE e.outcome = 'dead' AND e.event_id = ANY (dead) RETURNING e.event_id
    )
    SELECT coalesce(array_agg(g.event_id), '{}') INTO dead FROM gone AS g;
    new_ids := ARRAY(SELECT nextval('event_ids') FROM unnest(old_ids));
    INSERT INTO events (id, received_at, stored_at, source, record, type, format, origin, occurred_at, body)
    SELECT r.new_id, now_at, now_at, e.source, e.record, e.type, e.format, 'replay', e.occurred_at, e.body
    FROM unnest(new_ids, old_ids) AS r (new_id, old_id)
    CROSS JOIN LATERAL (SELECT * FROM events AS k WHERE k.id = r.old_id OFFSET 0) AS e;

    SELECT array_agg(e.id), array_agg(o.place), array_agg(e.record), array_agg(e.source), array_agg(e.type),
           array_agg(octet_length(e.body))
    INTO open_ids, open_places, open_records, open_sources, open_types, open_sizes
    FROM (
        SELECT d.id, array_position(chosen, d.id) AS place FROM unnest(dead) AS d (id)
        UNION ALL
        SELECT n.id, n.place FROM unnest(new_ids, again_places) AS n (id, place)
    ) AS o
    CROSS JOIN LATERAL (SELECT * FROM events AS k WHERE k.id = o.id OFFSET 0) AS e;
    opened := coalesce(cardinality(open_ids), 0);
    IF opened > 0 THEN
        PERFORM open_events_1(
            open_ids, open_places, open_records, open_sources, open_types, open_sizes, now_1(moment)
        );
        SELECT array_agg(c.name), array_agg(c.amount) INTO names, amounts FROM (
            VALUES ('open', opened), ('dead', -cardinality(dead)), ('received', cardinality(new_ids))
            UNION ALL
            SELECT 'received:' || e.source || ':replay', count(*)::integer FROM unnest(new_ids) AS n (id)
            CROSS JOIN LATERAL (SELECT k.source FROM events AS k WHERE k.id = n.id OFFSET 0) AS e GROUP BY e.source
        ) AS c (name, amount);
        PERFORM count_1(own_slot, names, amounts);
    END IF;
END
$$;

-- Give dead letters up: they are ignored from now on, for these words and the reason that they had; gives how many.
CREATE OR REPLACE FUNCTION hookbridge.dismiss_1(
    own_slot integer, moment double precision, chosen bigint[], words text
) RETURNS integer LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at CONSTANT double precision := now_1(moment);
    dead bigint[];
    names text[];
    amounts double precision[];
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    dead := ARRAY(
        SELECT e.event_id FROM ends AS e WHERE e.event_id = ANY (chosen) AND e.outcome = 'dead'
        ORDER BY e.event_id FOR UPDATE
    );
    UPDATE ends AS e SET outcome = 'ignored', reason = words || coalesce(': ' || e.reason, ''), settled_at = now_at
    WHERE e.event_id = ANY (dead);
    SELECT array_agg(c.name), array_agg(c.amount) INTO names, amounts FROM (
        VALUES ('dead', -cardinality(dead)), ('ignored', cardinality(dead))
        UNION ALL
        SELECT 'settled:' || e.source || ':ignored', count(*)::integer FROM unnest(dead) AS n (id)
        CROSS JOIN LATERAL (SELECT k.source FROM events AS k WHERE k.id = n.id OFFSET 0) AS e GROUP BY e.source
    ) AS c (name, amount);
    PERFORM count_1(own_slot, names, amounts);
    RETURN cardinality(dead);
END
$$;
