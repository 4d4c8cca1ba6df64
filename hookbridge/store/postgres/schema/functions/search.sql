-- What a search looks at: copies whose words match, the newest change of words first, within a bound.
--
-- The index (GIN) knows which entries have some lexemes, and not which of those is the newest.  So at most 4,096 are taken
-- from it at once, and where there are more, those of one stretch of places after the other, whose names are lexemes, too.
-- For what begins as asked the index reads all that does so before its first answer: where the newest entries show that
-- very much begins so, it is not asked for that, but the entries are looked at one after the other.
-- Whatever is asked ends: at so many copies, so many bytes, or, between two steps of some milliseconds, at so much time.
--
-- All of it sees the store as it is at one moment: functions that are STABLE see what their caller's statement does.

-- Whether an entry has tokens next to each other, all that are asked for and none that are not.
CREATE OR REPLACE FUNCTION hookbridge.has_1(tokens text, phrases text[], without text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN NOT EXISTS (SELECT FROM unnest(phrases) AS phrase WHERE strpos(tokens, phrase) > 0 IS NOT TRUE)
   AND NOT EXISTS (SELECT FROM unnest(without) AS phrase WHERE strpos(tokens, phrase) > 0);

-- What the index is asked for: ``rest``, which may be null, and those of the beginnings that few entries have; null where
-- that is nothing.
CREATE OR REPLACE FUNCTION hookbridge.probe_1(rest tsquery, begun text[]) RETURNS tsquery LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    -- At least as many as there are entries.
    places CONSTANT bigint := (SELECT max(w.place) - min(w.place) + 1 FROM words AS w);
    probe tsquery := rest;
    one tsquery;
BEGIN
    FOREACH one IN ARRAY begun::tsquery[] LOOP
        IF places <= 100000 OR places * (
            SELECT coalesce(avg((newest.lexemes @@ one)::integer), 0)
            FROM (SELECT w.lexemes FROM words AS w ORDER BY w.place DESC LIMIT 256) AS newest
        ) <= 100000 THEN
            probe := coalesce(probe && one, one);
        END IF;
    END LOOP;
    RETURN probe;
END
$$;

-- Look at at most ``most`` entries whose places lie from ``first`` on and before ``below``: those that the index has for ``probe``, and one
-- more; or, where it is null, the newest of all.  Gives how many there were, the oldest place of them, and which match: they have what is ``asked``
-- and ``phrases``, nothing of ``without``, and not all of ``but`` and ``but_phrases``, which was looked for before.
CREATE OR REPLACE FUNCTION hookbridge.look_1(
    probe tsquery, below bigint, most integer, asked tsquery, phrases text[], without text[], but tsquery, but_phrases text[],
    OUT looked integer, OUT oldest bigint, OUT matching text[]
) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = on
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
    IF probe IS NULL THEN
        SELECT count(*), min(one.place), array_agg(one.record ORDER BY one.place DESC) FILTER (
            WHERE one.lexemes @@ asked AND has_1(one.tokens, phrases, without)
              AND NOT coalesce(one.lexemes @@ but AND has_1(one.tokens, but_phrases, '{}'), false)
        ) INTO looked, oldest, matching
        FROM (SELECT * FROM words AS w WHERE w.place < below ORDER BY w.place DESC LIMIT most) AS one;
    ELSE
        SELECT count(*), min(one.place), array_agg(one.record ORDER BY one.place DESC) FILTER (
            WHERE one.place < below AND one.lexemes @@ asked AND has_1(one.tokens, phrases, without)
              AND NOT coalesce(one.lexemes @@ but AND has_1(one.tokens, but_phrases, '{}'), false)
        ) INTO looked, oldest, matching
        FROM (SELECT * FROM words AS w WHERE w.lexemes @@ probe LIMIT most + 1) AS one;
    END IF;
END
$$;

-- Find copies: first those with the words themselves (``whole``: what the index is asked for, ``asked``: what is wanted of
-- an entry, and its ``phrases``), then those with words that begin so (``begun``: the beginnings, null where there is none;
-- ``rest``: all else that the index is asked for).  Gives their names, and whether there are no others.
CREATE OR REPLACE FUNCTION hookbridge.candidates_1(
    whole text, asked text, phrases text[], begun text[], rest text, begun_asked text, begun_phrases text[], without text[],
    copies_max integer, bytes_max bigint, seconds double precision, OUT records text[], OUT complete boolean
) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    most CONSTANT integer := 4096;
    until CONSTANT timestamptz := clock_timestamp() + make_interval(secs => seconds);
    probe tsquery := whole::tsquery;
    wanted tsquery := asked::tsquery;
    but tsquery;
    but_phrases text[];
    below bigint;
    bits integer;  -- how long the stretch is; null is all
    step record;
    given record;
    bytes bigint := 0;
BEGIN
    records := '{}';
    complete := true;
    FOR pass IN 1 .. CASE WHEN begun IS NULL THEN 1 ELSE 2 END LOOP
        IF pass = 2 THEN
            probe := probe_1(rest::tsquery, begun);
            but := wanted;
            but_phrases := phrases;
            wanted := begun_asked::tsquery;
            phrases := begun_phrases;
        END IF;
        below := (SELECT max(w.place) + 1 FROM words AS w);
        bits := NULL;
        LOOP
            EXIT WHEN below IS NULL;
            step := look_1(
                CASE WHEN bits IS NULL THEN probe
                     ELSE probe && format('''@%s.%s''', bits, (below - 1) >> bits)::tsquery END,
                below, most, wanted, phrases, without, but, but_phrases
            );
            IF step.looked > most THEN
                bits := CASE bits WHEN 20 THEN 16 ELSE 12 END;
                CONTINUE;
            END IF;
            SELECT array_agg(one.record ORDER BY one.n) FILTER (WHERE one.fits) AS records, sum(one.size) AS bytes,
                   bool_and(one.fits) AS all_fit
            INTO given
            FROM (
                SELECT found.record, found.n, octet_length(c.data) AS size,
                       row_number() OVER (ORDER BY found.n) + cardinality(records) <= copies_max
                       AND bytes + sum(octet_length(c.data)) OVER (ORDER BY found.n) - octet_length(c.data) <= bytes_max AS fits
                FROM unnest(step.matching) WITH ORDINALITY AS found (record, n)
                CROSS JOIN LATERAL (
                    SELECT c.data FROM copies AS c WHERE c.record = found.record AND c.data IS NOT NULL OFFSET 0
                ) AS c
            ) AS one;
            records := records || coalesce(given.records, '{}');
            bytes := bytes + coalesce(given.bytes, 0);
            IF NOT given.all_fit THEN
                complete := false;
                RETURN;
            END IF;
            below := CASE
                WHEN probe IS NULL THEN CASE WHEN step.looked = most THEN step.oldest END
                WHEN bits IS NULL THEN NULL
                ELSE (SELECT max(w.place) + 1 FROM words AS w WHERE w.place < (below - 1) >> bits << bits)
            END;
            IF below IS NOT NULL AND clock_timestamp() > until THEN
                complete := false;
                RETURN;
            END IF;
            IF bits IS NOT NULL THEN
                bits := CASE
                    WHEN step.looked::bigint << (20 - bits) <= most / 2 THEN 20
                    WHEN step.looked::bigint << greatest(16 - bits, 0) <= most / 2 THEN 16
                    ELSE 12
                END;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
