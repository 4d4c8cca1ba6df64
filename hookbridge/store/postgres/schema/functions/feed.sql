-- The feed: the copies in the order of their last change, each once.
--
-- Whatever changes a copy, whichever way, a trigger gives it the newest place at the commit, under a lock that is held until
-- the commit is visible: so places become visible in their order, and no reader that goes on behind one misses any.  The
-- lock is the last one that a transaction takes.  A sequence under it gives the places, so that none is given twice.

-- Give a copy that has changed the newest place.  Every name has its schema, because setting a search_path costs as much as all
-- of this, for each copy.
CREATE OR REPLACE FUNCTION hookbridge.copy_changes_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(1752131435, 2);  -- 'hook'
    INSERT INTO hookbridge.feed (seq, record, since)
    VALUES (pg_catalog.nextval('hookbridge.feed_places'), NEW.record, NEW.read_at)
    ON CONFLICT (record) DO UPDATE SET seq = excluded.seq, since = excluded.since;
    RETURN NULL;
END
$$;

-- Copies that are removed leave the feed, which says from then on up to where something is missing.
CREATE OR REPLACE FUNCTION hookbridge.copies_go_1() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
AS $$
BEGIN
    WITH left_feed AS (
        DELETE FROM feed WHERE record = ANY (ARRAY(SELECT g.record FROM gone AS g)) RETURNING seq
    )
    UPDATE feed_mark SET oldest = last.seq FROM (SELECT max(l.seq) AS seq FROM left_feed AS l) AS last
    WHERE last.seq > oldest;
    RETURN NULL;
END
$$;

-- A fingerprint, also that of the text behind a record, leaves out what changes on every read, and has the hash of what listings show behind its 16 bytes; a copy of
-- an event has none, and neither has the knowledge that a record is gone.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'hookbridge.copies'::regclass AND tgname = 'copy_appears') THEN
        CREATE CONSTRAINT TRIGGER copy_appears AFTER INSERT ON hookbridge.copies
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hookbridge.copy_changes_1();

        CREATE CONSTRAINT TRIGGER copy_changes AFTER UPDATE ON hookbridge.copies
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (
            CASE WHEN length(OLD.fingerprint) = 0 OR length(NEW.fingerprint) = 0 THEN OLD.data IS DISTINCT FROM NEW.data
                 ELSE substr(OLD.fingerprint, 1, 16) <> substr(NEW.fingerprint, 1, 16) END
            OR OLD.title IS DISTINCT FROM NEW.title
        ) EXECUTE FUNCTION hookbridge.copy_changes_1();
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'hookbridge.copies'::regclass AND tgname = 'copies_go') THEN
        CREATE TRIGGER copies_go AFTER DELETE ON hookbridge.copies REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION hookbridge.copies_go_1();
    END IF;
END
$$;
