-- Settlements: how claimed changes end, in the events, the dirty records, the copies and the books.
--
-- A settlement counts only while its claim's generation stands, and then all of it does.  Locks: dirty records by name, then
-- what belongs to them, copies by record, words, findings, counters, and at the commit the feed's place.

-- Settle a group: one entry of each array a claim, sorted by record, no record twice.  Where one of the claims does not hold any
-- more nothing at all is written.  Gives the records' versions, null for a claim that does not hold: what is
-- above the claim's arrived meanwhile, and its record is dirty still.
CREATE OR REPLACE FUNCTION hookbridge.settle_1(
    own_slot integer, moment double precision,
    records text[], generations bigint[], versions bigint[], outcomes text[], older_outcomes text[], reasons text[],
    verifications text[], attempts integer[], claimed double precision[], verified double precision[],
    failed_records text[], failed_began double precision[], failed_numbers integer[], failed_ended double precision[],
    failed_errors text[], failed_tracebacks text[], stale bytea[],
    announced_records text[], announced_renamed boolean[], announced_counters text[],
    names text[], amounts double precision[],
    copied_records text[], copied_tickets bigint[], copied_datas bytea[], copied_changes text[], copied_fingerprints bytea[],
    copied_reads double precision[], copied_verifieds boolean[], copied_occurrences text[], copied_titles text[],
    copied_contents text[], copied_exclusives boolean[], copied_named text[], copied_documents text[], copied_lexemes text[],
    OUT left_versions bigint[]
) LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    now_at double precision;
    clean text[];
    dirty_still text[];
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    left_versions := ARRAY(
        SELECT d.version FROM unnest(records, generations) WITH ORDINALITY AS c (record, generation, n)
        LEFT JOIN LATERAL (
            SELECT k.version FROM dirty AS k WHERE k.record = c.record AND k.generation = c.generation FOR UPDATE
        ) AS d ON true
        ORDER BY c.n
    );
    IF array_position(left_versions, NULL) IS NOT NULL THEN
        RETURN;
    END IF;
    now_at := now_1(moment);

    WITH ended AS MATERIALIZED (
        SELECT c.*, o.tid, o.event_id, o.seq = c.version AS newest
        FROM unnest(records, versions, outcomes, older_outcomes, reasons, verifications, attempts, claimed, verified)
            AS c (record, version, outcome, older_outcome, reason, verification, attempts, claimed_at, verified_at)
        CROSS JOIN LATERAL (
            SELECT k.ctid AS tid, k.event_id, k.seq FROM open AS k WHERE k.record = c.record AND k.seq <= c.version OFFSET 0
        ) AS o
    ), gone AS (
        -- Whoever changes these rows has locked their dirty one first, so they are where they were seen.
        DELETE FROM open WHERE ctid = ANY (ARRAY(SELECT e.tid FROM ended AS e))
    )
    INSERT INTO ends (event_id, outcome, reason, verification, attempts, settled_at, claimed_at, verified_at)
    SELECT e.event_id, CASE WHEN e.newest THEN e.outcome ELSE e.older_outcome END, e.reason, e.verification, e.attempts,
           now_at, e.claimed_at, e.verified_at
    FROM ended AS e;

    SELECT array_agg(c.record) FILTER (WHERE c.version = c.left_version),
           array_agg(c.record) FILTER (WHERE c.version <> c.left_version)
    INTO clean, dirty_still
    FROM unnest(records, versions, left_versions) AS c (record, version, left_version);
    IF clean IS NOT NULL THEN
        DELETE FROM dirty AS d WHERE d.record = ANY (clean);
    END IF;
    IF dirty_still IS NOT NULL THEN
        -- The claim is used up: nobody's generation, so that it cannot settle a second time.
        UPDATE dirty AS d SET generation = 0, owner = NULL, since = now_at, available_at = now_at
        WHERE d.record = ANY (dirty_still);
    END IF;

    IF cardinality(failed_records) > 0 THEN
        INSERT INTO failures AS f (record, began_at, number, ended_at, error, traceback)
        SELECT * FROM unnest(
            failed_records, failed_began, failed_numbers, failed_ended, failed_errors, failed_tracebacks
        )
        ON CONFLICT (record, began_at) DO UPDATE
        SET number = excluded.number, ended_at = excluded.ended_at, error = excluded.error, traceback = excluded.traceback;
    END IF;
    IF cardinality(copied_records) > 0 THEN
        PERFORM copies_1(
            copied_records, copied_tickets, copied_datas, copied_changes, copied_fingerprints, copied_reads,
            copied_verifieds, copied_occurrences, copied_titles, copied_contents, copied_exclusives, copied_named,
            copied_documents, copied_lexemes, moment
        );
    END IF;
    IF cardinality(stale) > 0 THEN
        INSERT INTO stale_keys (key, since)
        SELECT s.key, now_at FROM unnest(stale) WITH ORDINALITY AS s (key, n) ORDER BY s.n;
    END IF;
    -- What the reconciler found first is counted when its grace time is over, by the webhooks of its record.  Those that named
    -- the record otherwise are not among them: they end it here.
    IF cardinality(announced_records) > 0 THEN
        DELETE FROM found AS f WHERE f.record = ANY (ARRAY(
            SELECT a.record FROM unnest(announced_records, announced_renamed) AS a (record, renamed)
            WHERE a.renamed ORDER BY a.record COLLATE "C"
        ));
        SELECT names || array_agg(a.counter), amounts || array_agg(1::double precision) INTO names, amounts
        FROM unnest(announced_records, announced_renamed, announced_counters) AS a (record, renamed, counter)
        LEFT JOIN LATERAL (SELECT true AS known FROM found AS f WHERE f.record = a.record OFFSET 0) AS k ON true
        WHERE a.renamed OR k.known IS NULL;
    END IF;
    PERFORM count_1(own_slot, names, amounts);
END
$$;

-- Settle a portion of the events behind the newest one of a long burst; gives how many, and null for a claim that does not hold
-- any more.
CREATE OR REPLACE FUNCTION hookbridge.settle_behind_1(
    own_slot integer, moment double precision, name text, claim_generation bigint, claim_version bigint, most integer,
    outcome text, reason text, verification text, attempts integer, claimed double precision, verified double precision,
    names text[], amounts_each double precision[], OUT settled integer
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
    types text[];
    chosen tid[];
    event_ids bigint[];
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM FROM dirty AS d WHERE d.record = name AND d.generation = claim_generation FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(o.tid), '{}'), array_agg(o.event_id), array_agg(o.type) INTO chosen, event_ids, types
    FROM (
        SELECT k.ctid AS tid, k.event_id, k.type FROM open AS k
        WHERE k.record = name AND k.seq < claim_version ORDER BY k.seq LIMIT most
    ) AS o;
    settled := cardinality(chosen);
    IF settled = 0 THEN
        RETURN;
    END IF;
    DELETE FROM open WHERE ctid = ANY (chosen);
    INSERT INTO ends (event_id, outcome, reason, verification, attempts, settled_at, claimed_at, verified_at)
    SELECT e.id, settle_behind_1.outcome, settle_behind_1.reason, settle_behind_1.verification, settle_behind_1.attempts,
           now_at, claimed, verified
    FROM unnest(event_ids) AS e (id);
    IF settle_behind_1.outcome = 'ignored' THEN
        types := '{}';
    END IF;
    PERFORM count_1(
        own_slot, names || ARRAY(SELECT 'type:' || t.type FROM unnest(types) AS t (type)),
        ARRAY(SELECT a.amount * settled FROM unnest(amounts_each) WITH ORDINALITY AS a (amount, n) ORDER BY a.n)
        || array_fill(1::double precision, ARRAY[cardinality(types)])
    );
END
$$;
