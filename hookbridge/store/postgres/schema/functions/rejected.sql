-- Which changes destinations rejected.

-- Keep those that one has rejected, forget those of records that it has taken since, and set a note; while a lead holds, or
-- not at all (leads.sql).
CREATE OR REPLACE FUNCTION hookbridge.reject_1(
    of_duty text, of_epoch bigint, moment double precision,
    the_destination text, records text[], seqs bigint[], reasons text[], taken text[], note text, note_value text
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM require_lead_1(of_duty, of_epoch, moment);
    DELETE FROM rejected AS r WHERE r.destination = the_destination AND r.record = ANY (taken);
    INSERT INTO rejected (destination, record, seq, reason, rejected_at)
    SELECT the_destination, one.record, one.seq, one.reason, now_1(moment)
    FROM unnest(records, seqs, reasons) AS one (record, seq, reason)
    ON CONFLICT (destination, record) DO UPDATE
    SET seq = excluded.seq, reason = excluded.reason, rejected_at = excluded.rejected_at;
    PERFORM put_note_1(note, note_value, false, NULL, NULL, NULL);
END
$$;

-- Forget what one has rejected, and remove notes, where the first of them has this value; gives whether it had.
CREATE OR REPLACE FUNCTION hookbridge.drop_destination_1(
    of_duty text, of_epoch bigint, moment double precision, the_destination text, names text[], the_value text
) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM require_lead_1(of_duty, of_epoch, moment);
    -- Whoever writes it meanwhile waits, or was faster, and then it has another value.
    PERFORM FROM notes WHERE name = names[1] AND value = the_value FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM notes WHERE name = ANY (names);
    DELETE FROM rejected WHERE destination = the_destination;
    RETURN true;
END
$$;
