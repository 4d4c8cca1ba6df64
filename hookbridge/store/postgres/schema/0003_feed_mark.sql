-- In which history of changes this database is: another one after it was restored from a dump, or made of another database,
-- or went on from an earlier moment or on another server (both of which begin a timeline).
CREATE FUNCTION hookbridge.history_1() RETURNS text LANGUAGE sql STABLE
RETURN concat_ws('/',
    (SELECT c.system_identifier FROM pg_control_system() AS c),
    (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()),
    'hookbridge.feed'::regclass::oid,
    left(pg_walfile_name(pg_current_wal_lsn()), 8)
);

-- What the feed of the history ``made_in`` is called, and up to where something of it may be missing, because absences were
-- forgotten.
CREATE TABLE hookbridge.feed_mark (
    id      text COLLATE "C" NOT NULL,
    made_in text COLLATE "C" NOT NULL,
    oldest  bigint           NOT NULL
);
INSERT INTO hookbridge.feed_mark
SELECT replace(gen_random_uuid()::text, '-', ''), hookbridge.history_1(), 0;

-- What the feed is called: nobody has to notice that a backup was restored, and no node is the first to say so.
CREATE FUNCTION hookbridge.feed_id_1() RETURNS text LANGUAGE sql STABLE
RETURN (
    SELECT CASE WHEN m.made_in = h.history THEN m.id ELSE md5(m.id || h.history) END
    FROM hookbridge.feed_mark AS m, (SELECT hookbridge.history_1() AS history) AS h
);

-- Copies go in statements of many by now: see functions/feed.sql.
DROP TRIGGER IF EXISTS copy_goes ON hookbridge.copies;
