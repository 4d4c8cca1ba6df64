-- What a search looks at: copies whose words match, the newest change of words first, within a bound.
--
-- The index (GIN) knows which entries have some lexemes, and not which of those is the newest; and it reads all of them before
-- its first answer, 0.25 µs each.  So the newest 256 entries say first what is rare: that is asked for at once.  Of what is common
-- the index is asked for one stretch of places after the other, whose names are lexemes, too.  What very much begins with is
-- not asked for; where there is nothing else, entries are looked at one after the other.
-- Whatever is asked ends: at so many copies, so many bytes, or, between two steps of some milliseconds, at so much time.
--
-- All of it sees the store as it is at one moment: functions that are STABLE see what their caller's statement does.

-- What the index is asked for, of lexemes (tsqueries) that all have to be there and of beginnings; null where that is nothing.
-- ``rare``: whether few entries have all of it.
CREATE OR REPLACE FUNCTION hookbridge.probe_1(lexemes text[], begun text[], OUT probe tsquery, OUT rare boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    few CONSTANT integer := 30000;
    newest CONSTANT tsvector[] := ARRAY(SELECT w.lexemes FROM words AS w ORDER BY w.place DESC LIMIT 256);
    -- At least as many as there are entries.
    places CONSTANT bigint := (SELECT max(w.place) - min(w.place) + 1 FROM words AS w);
    one record;
    is_rare boolean;
BEGIN
    rare := false;
    FOR one IN
        SELECT a.lexeme::tsquery AS lexeme, false AS begins FROM unnest(lexemes) AS a (lexeme)
        UNION ALL
        SELECT a.lexeme::tsquery, true FROM unnest(begun) AS a (lexeme)
    LOOP
        is_rare := places <= few
            OR places * (SELECT avg((n.lexemes @@ one.lexeme)::integer) FROM unnest(newest) AS n (lexemes)) <= few;
        rare := rare OR is_rare;
        IF is_rare OR NOT one.begins THEN
            probe := coalesce(probe && one.lexeme, one.lexeme);
        END IF;
    END LOOP;
END
$$;

-- Look at entries: at those that the index has for ``probe``, at most one more than ``most``; or, where that is null, at the
-- newest ones below a place.  Gives how many there were, the oldest place of them, and which of them lie below the place
-- and match, the newest first: they have what is ``wanted`` and the ``phrases`` (patterns of LIKE), nothing of ``without``,
-- and not all of ``but`` and ``but_phrases``, which was looked for before.
CREATE OR REPLACE FUNCTION hookbridge.look_1(
    probe tsquery, below bigint, most integer, wanted tsquery, phrases text[], without text[], but tsquery, but_phrases text[],
    OUT looked integer, OUT oldest bigint, OUT matching text[]
) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = on
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF probe IS NULL THEN
        SELECT count(*), min(one.place), array_agg(one.record ORDER BY one.place DESC) FILTER (WHERE one.matches)
        INTO looked, oldest, matching
        FROM (
            SELECT w.record, w.place, w.lexemes @@ wanted AND w.tokens LIKE ALL (phrases) AND NOT w.tokens LIKE ANY (without)
                   AND NOT coalesce(w.lexemes @@ but AND w.tokens LIKE ALL (but_phrases), false) AS matches
            FROM words AS w WHERE w.place < below ORDER BY w.place DESC LIMIT most
        ) AS one;
    ELSE
        SELECT count(*), min(one.place), array_agg(one.record ORDER BY one.place DESC) FILTER (WHERE one.matches)
        INTO looked, oldest, matching
        FROM (
            SELECT w.record, w.place, w.place < below AND w.lexemes @@ wanted AND w.tokens LIKE ALL (phrases)
                   AND NOT w.tokens LIKE ANY (without)
                   AND NOT coalesce(w.lexemes @@ but AND w.tokens LIKE ALL (but_phrases), false) AS matches
            FROM words AS w WHERE w.lexemes @@ probe LIMIT most + 1
        ) AS one;
    END IF;
END
$$;

-- Find copies: first those with the words themselves (``whole``: what the index is asked for, ``wanted``: what lexemes tell
-- of an entry that has them, and its ``phrases``), then those with words that begin so (``begun``: the beginnings, null where
-- there is none; ``rest``: what else the index is asked for).  Gives their names, and whether there are no others.
CREATE OR REPLACE FUNCTION hookbridge.candidates_1(
    whole text[], wanted text, phrases text[], rest text[], begun text[], wanted_begun text, phrases_begun text[], without text[],
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
    asked record;
    below bigint;
    bits integer;  -- how long the stretch is; null is all
    step record;
    given record;
    bytes bigint := 0;
BEGIN
    records := '{}';
    complete := true;
    FOR pass IN 1 .. CASE WHEN begun IS NULL THEN 1 ELSE 2 END LOOP
        asked := CASE pass WHEN 1 THEN probe_1(whole, '{}') ELSE probe_1(rest, begun) END;
        below := (SELECT max(w.place) + 1 FROM words AS w);
        bits := CASE WHEN asked.rare THEN NULL ELSE 12 END;
        WHILE below IS NOT NULL LOOP
            step := look_1(
                CASE WHEN bits IS NULL THEN asked.probe
                     ELSE asked.probe && format('''@%s.%s''', bits, (below - 1) >> bits)::tsquery END,
                below, most, CASE pass WHEN 1 THEN wanted ELSE wanted_begun END::tsquery,
                CASE pass WHEN 1 THEN phrases ELSE phrases_begun END, without,
                CASE pass WHEN 2 THEN wanted END::tsquery, CASE pass WHEN 2 THEN phrases END
            );
            IF step.looked > most THEN
                bits := CASE WHEN bits IS NULL THEN 16 ELSE 12 END;
                CONTINUE;
            END IF;
            SELECT array_agg(one.record ORDER BY one.n) FILTER (WHERE one.fits) AS records, sum(one.size) AS bytes,
                   bool_and(one.fits) AS all_fit
            INTO given
            FROM (
                SELECT m.record, m.n, c.size,
                       row_number() OVER (ORDER BY m.n) + cardinality(records) <= copies_max
                       AND bytes + sum(c.size) OVER (ORDER BY m.n) - c.size <= bytes_max AS fits
                FROM unnest(step.matching[:copies_max + 1]) WITH ORDINALITY AS m (record, n)
                CROSS JOIN LATERAL (
                    SELECT octet_length(c.data) + coalesce(octet_length(c.content), 0) AS size
                    FROM copies AS c WHERE c.record = m.record AND c.data IS NOT NULL OFFSET 0
                ) AS c
            ) AS one;
            records := records || coalesce(given.records, '{}');
            bytes := bytes + coalesce(given.bytes, 0);
            IF NOT given.all_fit THEN
                complete := false;
                RETURN;
            END IF;
            IF asked.probe IS NULL THEN
                below := CASE WHEN step.looked = most THEN step.oldest END;
            ELSIF bits IS NULL THEN
                below := NULL;
            ELSE
                below := (SELECT max(w.place) + 1 FROM words AS w WHERE w.place < (below - 1) >> bits << bits);
                bits := CASE WHEN step.looked << (16 - bits) <= most / 2 THEN 16 ELSE 12 END;
            END IF;
            IF below IS NOT NULL AND clock_timestamp() > until THEN
                complete := false;
                RETURN;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
