-- What the reconciler writes: copies, what its sweeps have met, and what it found, until it is known whether a webhook announces
-- it.  What is written with a lead is written while that holds, or not at all (leads.sql).

-- Write copies that were read outside a change.
CREATE OR REPLACE FUNCTION hookbridge.load_1(
    of_duty text, of_epoch bigint, moment double precision,
    records text[], tickets bigint[], datas bytea[], changes text[], fingerprints bytea[], reads double precision[],
    verifieds boolean[], occurrences text[], titles text[], contents text[], exclusives boolean[], named text[],
    documents text[], lexemes text[]
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM require_lead_1(of_duty, of_epoch, moment);
    PERFORM copies_1(
        records, tickets, datas, changes, fingerprints, reads, verifieds, occurrences, titles, contents, exclusives, named,
        documents, lexemes, moment
    );
END
$$;

-- Note what a sweep has met, and where it is: ``note`` is the name of a note, or null.
CREATE OR REPLACE FUNCTION hookbridge.meet_1(
    of_duty text, of_epoch bigint, moment double precision, of_sweep bigint, ids text[], note text, note_value text
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM require_lead_1(of_duty, of_epoch, moment);
    INSERT INTO met (sweep, record_id) SELECT DISTINCT of_sweep, one.id FROM unnest(ids) AS one (id) ORDER BY one.id
    ON CONFLICT DO NOTHING;
    IF note IS NOT NULL THEN
        PERFORM put_note_1(note, note_value, false, NULL, NULL, NULL);
    END IF;
END
$$;

-- Remember differences that were found at a moment (see settle_findings_1), but of records whose copy was read later.
CREATE OR REPLACE FUNCTION hookbridge.note_findings_1(
    of_duty text, of_epoch bigint, moment double precision, records text[], compared_at text, compared_with bigint
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM require_lead_1(of_duty, of_epoch, moment);
    INSERT INTO found (record, found_at, moment)
    SELECT DISTINCT one.record, now_1(note_findings_1.moment), compared_at
    FROM unnest(records) AS one (record)
    LEFT JOIN LATERAL (SELECT c.ticket FROM copies AS c WHERE c.record = one.record OFFSET 0) AS c ON true
    WHERE c.ticket > compared_with IS NOT TRUE
    ORDER BY one.record
    ON CONFLICT (record) DO NOTHING;
END
$$;

-- Count what was found before the grace time, or lies ahead, as announced or missed, by table, and forget it.  An event
-- announces when it could not be seen as the record was compared.  ``moment`` of a finding: an id that all such events lie
-- behind, a stroke, and the snapshot.
CREATE OR REPLACE FUNCTION hookbridge.settle_findings_1(
    own_slot integer, moment double precision, grace double precision
) RETURNS TABLE (source text, table_name text, announced bigint, missed bigint) LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    now_is CONSTANT double precision := now_1(moment);
    due text[];
    snapshots text[];
    horizons bigint[];
    told text[];
    sources text[];
    tables text[];
    announcements bigint[];
    misses bigint[];
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    SELECT array_agg(one.record), array_agg(split_part(one.moment, '/', 2)),
           array_agg(split_part(one.moment, '/', 1)::bigint)
    INTO due, snapshots, horizons
    FROM (
        SELECT f.record, f.moment FROM found AS f
        -- While events of the record are open it waits: the settlement of one of them would count it once more.  No join,
        -- for which everything that is dirty would be read.
        WHERE (f.found_at < now_is - grace OR f.found_at > now_is)
          AND (SELECT d.record FROM dirty AS d WHERE d.record = f.record) IS NULL
        ORDER BY f.record FOR UPDATE SKIP LOCKED
    ) AS one;
    told := ARRAY(
        SELECT DISTINCT e.record
        FROM events AS e
        JOIN unnest(due, snapshots, horizons) AS d (record, snapshot, behind) ON e.record = d.record
        WHERE e.id > (SELECT min(h) FROM unnest(horizons) AS h) AND e.origin IN ('webhook', 'pull')
          AND NOT pg_visible_in_snapshot(e.xid, d.snapshot::pg_snapshot)
    );
    DELETE FROM found WHERE record = ANY (due);
    SELECT array_agg(one.source), array_agg(one.table_name), array_agg(one.announced), array_agg(one.missed)
    INTO sources, tables, announcements, misses
    FROM (
        SELECT split_part(d, ':', 1) AS source, split_part(d, ':', 2) AS table_name,
               count(*) FILTER (WHERE d = ANY (told)) AS announced, count(*) FILTER (WHERE d <> ALL (told)) AS missed
        FROM unnest(due) AS d GROUP BY 1, 2
    ) AS one;
    PERFORM count_1(
        own_slot,
        ARRAY(SELECT 'announced:' || s || ':' || t FROM unnest(sources, tables) AS one (s, t))
        || ARRAY(SELECT 'missed:' || s || ':' || t FROM unnest(sources, tables) AS one (s, t)),
        (announcements || misses)::double precision[]
    );
    RETURN QUERY SELECT * FROM unnest(sources, tables, announcements, misses);
END
$$;
