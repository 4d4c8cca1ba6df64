-- Copies, each written only over one with an earlier ticket, and their words with them or not at all.
--
-- Everybody who writes copies comes this way: settlements, read-throughs, loads.  Locks are taken in the order of the whole
-- engine, copies by record and then words.  What a change does to the feed is feed.sql's, at the commit.

-- The part of a record's name behind its second colon.
CREATE OR REPLACE FUNCTION hookbridge.id_of_1(record text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN substr(record, length(split_part(record, ':', 1)) + length(split_part(record, ':', 2)) + 3);

-- Leave the knowledge that their record is not there at a copy that an earlier read made.  It is not verified, because nobody
-- asked for that name: who does is answered by the source.
CREATE OR REPLACE FUNCTION hookbridge.leave_1(name text, read_with bigint, read double precision) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    UPDATE copies
    SET data = NULL, changed_at = NULL, fingerprint = '', verified = false, occurred_at = NULL, title = NULL,
        content = NULL, ticket = read_with, read_at = read
    WHERE record = name AND ticket <= read_with AND data IS NOT NULL;
    IF FOUND THEN
        DELETE FROM words WHERE record = name;
    END IF;
END
$$;

-- Lock, by record, the copies that this will write, and those of other tables that it may have to leave.  Rows that do not
-- exist yet cannot be locked: of those that are exclusive one transaction at a time makes any.
CREATE OR REPLACE FUNCTION hookbridge.lock_copies_1(records text[], exclusives boolean[], named text[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF true = ANY (exclusives) THEN
        PERFORM pg_advisory_xact_lock(1752131435, 1);  -- 'hook'
    END IF;
    PERFORM FROM copies WHERE record = ANY (ARRAY(
        SELECT unnest(records || named)
        UNION
        SELECT other.record FROM unnest(records, exclusives) AS one (record, exclusive)
        CROSS JOIN LATERAL (
            SELECT c.record FROM copies AS c WHERE c.record_id = id_of_1(one.record) AND c.source = 'notion' OFFSET 0
        ) AS other
        WHERE one.exclusive
    )) ORDER BY record FOR UPDATE;
END
$$;

-- Leave earlier copies of the same ids in other tables, and say which entries write nothing because a later read saw their
-- record elsewhere.  That a later read did not find it there says nothing against an earlier one that found it here.
CREATE OR REPLACE FUNCTION hookbridge.leave_others_1(
    records text[], tickets bigint[], reads double precision[], exclusives boolean[], turns integer[], this integer
) RETURNS bigint[] LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    beaten bigint[];
BEGIN
    beaten := ARRAY(
        SELECT one.n
        FROM unnest(records, tickets, exclusives, turns) WITH ORDINALITY AS one (record, ticket, exclusive, turn, n)
        CROSS JOIN LATERAL (
            SELECT FROM copies AS c
            WHERE c.record_id = id_of_1(one.record) AND c.source = 'notion' AND c.record <> one.record
              AND c.data IS NOT NULL AND c.ticket > one.ticket
            LIMIT 1
        ) AS later
        WHERE one.turn = this AND one.exclusive
    );
    PERFORM leave_1(other.record, one.ticket, one.read_at)
    FROM unnest(records, tickets, reads, exclusives, turns)
        WITH ORDINALITY AS one (record, ticket, read_at, exclusive, turn, n)
    CROSS JOIN LATERAL (
        SELECT c.record FROM copies AS c
        WHERE c.record_id = id_of_1(one.record) AND c.source = 'notion' AND c.record <> one.record AND c.data IS NOT NULL
        OFFSET 0
    ) AS other
    WHERE one.turn = this AND one.exclusive AND one.n <> ALL (beaten);
    RETURN beaten;
END
$$;

-- Leave nothing under names that were another spelling of their copies' records.
CREATE OR REPLACE FUNCTION hookbridge.leave_names_1(
    tickets bigint[], datas bytea[], reads double precision[], verifieds boolean[], named text[]
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT r.name, r.ticket, r.data IS NULL AS gone, r.read_at, r.verified
        FROM unnest(named, tickets, datas, reads, verifieds) AS r (name, ticket, data, read_at, verified)
        WHERE r.name IS NOT NULL ORDER BY r.name COLLATE "C"
    LOOP
        IF NOT one.gone THEN
            PERFORM leave_1(one.name, one.ticket, one.read_at);
            CONTINUE;
        END IF;
        -- Gone under either name: an earlier read must not bring it back.
        INSERT INTO copies AS c (record, source, table_name, record_id, ticket, fingerprint, read_at, verified)
        VALUES (one.name, split_part(one.name, ':', 1), split_part(one.name, ':', 2), id_of_1(one.name), one.ticket, '',
                one.read_at, one.verified)
        ON CONFLICT (record) DO UPDATE
        SET ticket = excluded.ticket, data = NULL, changed_at = NULL, fingerprint = '', read_at = excluded.read_at,
            verified = excluded.verified, occurred_at = NULL, title = NULL, content = NULL
        WHERE excluded.ticket >= c.ticket;
        IF FOUND THEN
            DELETE FROM words WHERE record = one.name;
        END IF;
    END LOOP;
END
$$;

-- Write copies, one entry of each array a copy and its words, in the order of the entries, as if each were written by itself.
-- A read time of null is the present.  ``named``: the record of the claim where the copy has another name.  ``documents``,
-- ``lexemes``: see words.sql.
CREATE OR REPLACE FUNCTION hookbridge.copies_1(
    records text[], tickets bigint[], datas bytea[], changes text[], fingerprints bytea[], reads double precision[],
    verifieds boolean[], occurrences text[], titles text[], contents text[], exclusives boolean[], named text[],
    documents text[], lexemes text[], moment double precision
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    -- When each entry has its turn.  What names a record, or an id that is global, a second time comes after the first, so
    -- that it finds what that one has left.
    turns CONSTANT integer[] := ARRAY(
        SELECT row_number() OVER (PARTITION BY one.name ORDER BY one.n)
        FROM (
            SELECT r.n, CASE WHEN r.exclusive THEN id_of_1(r.record) ELSE r.record END AS name
            FROM unnest(records, exclusives) WITH ORDINALITY AS r (record, exclusive, n)
        ) AS one
        ORDER BY one.n
    );
    last CONSTANT integer := (SELECT coalesce(max(turn), 0) FROM unnest(turns) AS turn);
    are_named CONSTANT boolean := EXISTS (SELECT FROM unnest(named) AS one (name) WHERE one.name IS NOT NULL);
    are_exclusive CONSTANT boolean := coalesce(true = ANY (exclusives), false);
    now_at CONSTANT double precision := now_1(moment);
    beaten bigint[] := '{}';
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    reads := ARRAY(SELECT coalesce(r.read, now_at) FROM unnest(reads) WITH ORDINALITY AS r (read, n) ORDER BY r.n);
    IF last > 1 OR are_named OR are_exclusive THEN
        PERFORM lock_copies_1(records, exclusives, named);
    END IF;
    FOR this IN 1 .. last LOOP
        IF are_exclusive THEN
            beaten := leave_others_1(records, tickets, reads, exclusives, turns, this);
        END IF;
        INSERT INTO copies AS c (
            record, source, table_name, record_id, ticket, data, changed_at, fingerprint, read_at, verified, occurred_at,
            title, content
        )
        SELECT r.record, split_part(r.record, ':', 1), split_part(r.record, ':', 2), id_of_1(r.record), r.ticket, r.data,
               r.changed_at, r.fingerprint, r.read_at, r.verified, r.occurred_at, r.title, r.content
        FROM unnest(records, tickets, datas, changes, fingerprints, reads, verifieds, occurrences, titles, contents, turns)
            WITH ORDINALITY AS r (record, ticket, data, changed_at, fingerprint, read_at, verified, occurred_at, title,
                                  content, turn, n)
        WHERE r.turn = this AND r.n <> ALL (beaten)
        ORDER BY r.record COLLATE "C"
        ON CONFLICT (record) DO UPDATE
        SET ticket = excluded.ticket, data = excluded.data, changed_at = excluded.changed_at,
            fingerprint = excluded.fingerprint, read_at = excluded.read_at, verified = excluded.verified,
            occurred_at = excluded.occurred_at, title = excluded.title, content = excluded.content
        WHERE excluded.ticket >= c.ticket;
        PERFORM words_1(
            ARRAY(SELECT CASE WHEN r.turn = this AND r.n <> ALL (beaten) THEN r.record END
                  FROM unnest(records, turns) WITH ORDINALITY AS r (record, turn, n) ORDER BY r.n),
            tickets, datas, documents, lexemes
        );
    END LOOP;
    IF are_named THEN
        PERFORM leave_names_1(tickets, datas, reads, verifieds, named);
    END IF;
END
$$;

-- Write titles and words of copies anew that are as they were read, and a note on how far that is.
CREATE OR REPLACE FUNCTION hookbridge.index_1(
    records text[], tickets bigint[], titles text[], documents text[], lexemes text[], note text, note_value text
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    one record;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM FROM copies WHERE record = ANY (records) ORDER BY record FOR UPDATE;
    FOR one IN
        SELECT r.record, r.ticket, r.title FROM unnest(records, tickets, titles) AS r (record, ticket, title)
    LOOP
        UPDATE copies SET title = one.title
        WHERE record = one.record AND ticket = one.ticket AND title IS DISTINCT FROM one.title;
    END LOOP;
    PERFORM words_1(records, tickets, NULL, documents, lexemes, anew => true);
    PERFORM put_note_1(note, note_value, false, NULL, NULL, NULL);
END
$$;

-- Forget at most so many of the absences that were noted then, those at a place of the feed or before it, but for the newest change,
-- from which the feed's readers know where it ends; gives how many.
CREATE OR REPLACE FUNCTION hookbridge.remove_tombstones_2(
    first double precision, before double precision, passed bigint, looked_at bigint, most bigint
) RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    removed bigint;
BEGIN
    DELETE FROM copies WHERE record = ANY (ARRAY(
        SELECT c.record FROM copies AS c
        WHERE c.record = ANY (ARRAY(
            SELECT old.record FROM (
                SELECT k.record FROM copies AS k WHERE k.gone_at >= first AND k.gone_at < before
                ORDER BY k.gone_at LIMIT looked_at
            ) AS old
            CROSS JOIN LATERAL (SELECT f.seq FROM feed AS f WHERE f.record = old.record OFFSET 0) AS place
            WHERE place.seq <= passed AND place.seq < (SELECT f.seq FROM feed AS f ORDER BY f.seq DESC LIMIT 1)
            LIMIT most
        )) AND c.gone_at >= first AND c.gone_at < before
        ORDER BY c.record FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
