-- The first schema.  Times are seconds since the epoch.  What is a name is compared byte by byte (COLLATE "C"), in the order
-- of the other engine and of Python.  Names without a schema are looked for in hookbridge first.
--
-- Locks are taken in one order, everywhere: identities, ends of dead letters (by event), dirty (by record), open, copies (by
-- record), words, counters (by name), the feed's place.

-- What a call that gives no time means by now: the server's clock, which all nodes share.
CREATE FUNCTION hookbridge.now_1(moment double precision) RETURNS double precision LANGUAGE sql VOLATILE
RETURN coalesce(moment, extract(epoch FROM clock_timestamp())::double precision);

-- By what an id is listed before its text: the rule of hookbridge/store/ordinals.py.  A generated column asks for it at every
-- copy that is written, so it decides at once about ids without a number, and no search_path is set for it.
CREATE FUNCTION hookbridge.ordinal_1(id text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    part text;
    found text := '';
    digits integer;
BEGIN
    IF id !~ '(^|,)-?(0|[1-9][0-9]{0,37})(\.[0-9]+)?(,|$)' THEN
        RETURN '~';
    END IF;
    FOREACH part IN ARRAY string_to_array(id, ',') LOOP
        IF part !~ '^-?(0|[1-9][0-9]{0,37})(\.[0-9]+)?$' THEN
            found := found || ',' || part;
            CONTINUE;
        END IF;
        digits := length(split_part(ltrim(part, '-'), '.', 1));
        IF starts_with(part, '-') THEN
            found := found || ',-' || lpad((99 - digits)::text, 2, '0')
                || translate(substr(part, 2), '0123456789', '9876543210') || '~';
        ELSE
            found := found || ',' || lpad(digits::text, 2, '0') || part;
        END IF;
    END LOOP;
    RETURN substr(found, 2);
END
$$;

-- The versions of this schema that were made here; the largest one counts.
CREATE TABLE hookbridge.schema_version (
    version integer PRIMARY KEY,
    made_at double precision NOT NULL
);

-- Every event as it arrived.  Its row is never changed: whether it is open, or how it ended, is a row of ``open`` or
-- ``ends``.  An update would write the body again, and a conflict of identities would lock events before dirty rows.
-- One id a call (CACHE 1): else those of one sender's requests to two nodes would lie in the wrong order.
CREATE SEQUENCE hookbridge.event_ids;
CREATE TABLE hookbridge.events (
    id          bigint           PRIMARY KEY,
    source      text COLLATE "C" NOT NULL,
    record      text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    format      text COLLATE "C" NOT NULL,
    origin      text COLLATE "C" NOT NULL,
    received_at double precision NOT NULL,
    stored_at   double precision NOT NULL,
    occurred_at text COLLATE "C",
    identity    bytea,
    body        bytea            NOT NULL,
    headers     bytea,
    -- Which transaction stored it: what was not there yet at a moment is not visible in that moment's snapshot.
    xid         xid8             NOT NULL DEFAULT pg_current_xact_id()
) WITH (fillfactor = 100);
CREATE UNIQUE INDEX events_identity ON hookbridge.events (identity) WHERE identity IS NOT NULL;

-- The open events of a record in their order: ``seq`` is given under the dirty row's lock, version - many + place.
CREATE TABLE hookbridge.open (
    record   text COLLATE "C" NOT NULL,
    seq      bigint           NOT NULL,
    event_id bigint           NOT NULL,
    type     text COLLATE "C" NOT NULL,
    PRIMARY KEY (record, seq)
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

-- How events ended.
CREATE TABLE hookbridge.ends (
    event_id     bigint           PRIMARY KEY,
    outcome      text COLLATE "C" NOT NULL,
    reason       text COLLATE "C",
    verification text COLLATE "C",
    attempts     integer          NOT NULL DEFAULT 0,
    settled_at   double precision NOT NULL,
    claimed_at   double precision,
    verified_at  double precision
) WITH (fillfactor = 100);
CREATE INDEX ends_settled ON hookbridge.ends (settled_at) WHERE outcome <> 'dead';
CREATE INDEX ends_dead ON hookbridge.ends (event_id) WHERE outcome = 'dead';
CREATE INDEX ends_dead_settled ON hookbridge.ends (settled_at) WHERE outcome = 'dead';

-- One row for each record with open events: what workers claim.
CREATE TABLE hookbridge.dirty (
    record       text COLLATE "C" PRIMARY KEY,
    source       text COLLATE "C" NOT NULL,
    version      bigint           NOT NULL,             -- the seq of the newest event
    generation   bigint           NOT NULL DEFAULT 0,   -- of the last claim: the fencing token; 0 when nobody has it
    owner        text COLLATE "C",                      -- the node that has claimed it
    bytes        integer          NOT NULL,             -- of the newest body
    since        double precision NOT NULL,             -- when the record became dirty
    available_at double precision NOT NULL              -- when it can be claimed: since, or the end of a lease
) WITH (fillfactor = 70,
        autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX dirty_available ON hookbridge.dirty (source, available_at);
-- Notion's ids name one page across databases; all have this length, and a record's name ends with it.
CREATE INDEX dirty_global_id ON hookbridge.dirty ((right(record, 36))) WHERE source = 'notion';

-- Tickets of reads, and generations of claims.  CACHE 1: a block that one node took early would make its later read the older one.
CREATE SEQUENCE hookbridge.tickets;

-- The records as last read; data is null where the source had no such record.
CREATE TABLE hookbridge.copies (
    record      text COLLATE "C" PRIMARY KEY,
    source      text COLLATE "C" NOT NULL,
    table_name  text COLLATE "C" NOT NULL,
    record_id   text COLLATE "C" NOT NULL,
    ticket      bigint           NOT NULL,
    data        bytea,
    changed_at  text COLLATE "C",
    fingerprint bytea            NOT NULL,
    read_at     double precision NOT NULL,
    verified    boolean          NOT NULL,
    occurred_at text COLLATE "C",
    title       text COLLATE "C",
    content     text COLLATE "C",
    -- Since when it is known to be gone.  A column, because an index over data or read_at would end the cheap updates (HOT).
    gone_at     double precision GENERATED ALWAYS AS (CASE WHEN data IS NULL THEN read_at END) STORED,
    ordinal     text COLLATE "C" NOT NULL GENERATED ALWAYS AS (hookbridge.ordinal_1(record_id)) STORED
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX copies_name ON hookbridge.copies (source, table_name, record_id);
CREATE INDEX copies_place ON hookbridge.copies (source, table_name, ordinal, record_id);
CREATE INDEX copies_global_id ON hookbridge.copies (record_id) WHERE source = 'notion';
CREATE INDEX copies_tombstones ON hookbridge.copies (gone_at) WHERE gone_at IS NOT NULL;

-- The index; apart from the copies, because an index over lexemes there would end their cheap updates.
-- A later change of words has a larger place; what is indexed anew has one below all others.
CREATE SEQUENCE hookbridge.words_newest MINVALUE 4294967296;
CREATE SEQUENCE hookbridge.words_oldest INCREMENT -1 MINVALUE 1 MAXVALUE 4294967295 START 4294967295;
CREATE TABLE hookbridge.words (
    record  text COLLATE "C" PRIMARY KEY,
    place   bigint           NOT NULL,
    tokens  text COLLATE "C" NOT NULL,
    lexemes tsvector         NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX words_place ON hookbridge.words (place);
CREATE INDEX words_lexemes ON hookbridge.words USING gin (lexemes)
    WITH (fastupdate = on, gin_pending_list_limit = 256);

-- The copies in the order of their last change.  Apart, because an index over seq would end their cheap updates.
CREATE SEQUENCE hookbridge.feed_places;
CREATE TABLE hookbridge.feed (
    seq    bigint           PRIMARY KEY,
    record text COLLATE "C" NOT NULL UNIQUE
);

-- What people call a table.
CREATE TABLE hookbridge.labels (
    source     text COLLATE "C" NOT NULL,
    table_name text COLLATE "C" NOT NULL,
    label      text COLLATE "C" NOT NULL,
    PRIMARY KEY (source, table_name)
);

-- The books and the statistics: a counter is the sum of its slots.  Whoever writes has a slot, so that few transactions wait
-- for each other's commits; slots are given in turns, so that there are never more of them than that.
CREATE SEQUENCE hookbridge.slots MAXVALUE 32 CYCLE;
CREATE TABLE hookbridge.counters (
    slot  integer          NOT NULL,
    name  text COLLATE "C" NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (slot, name)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- Small durable values: learnt tokens, cursors, pauses.
CREATE SEQUENCE hookbridge.note_changes;
CREATE TABLE hookbridge.notes (
    name    text COLLATE "C" PRIMARY KEY,
    value   text COLLATE "C" NOT NULL,
    changed bigint           NOT NULL DEFAULT nextval('hookbridge.note_changes')
) WITH (fillfactor = 70);

-- Attempts that failed, also those that a later one made good.
CREATE TABLE hookbridge.failures (
    record    text COLLATE "C" NOT NULL,
    began_at  double precision NOT NULL,
    number    integer          NOT NULL,
    ended_at  double precision NOT NULL,
    error     text COLLATE "C" NOT NULL,
    traceback text COLLATE "C",
    PRIMARY KEY (record, began_at)
);
CREATE INDEX failures_ended ON hookbridge.failures (ended_at);

-- Keys of the user's cache that belong to changes which are settled, until they were deleted there once more.  A key is
-- bytes: a text here has no NUL.
CREATE SEQUENCE hookbridge.stale_ids;
CREATE TABLE hookbridge.stale_keys (
    id    bigint           PRIMARY KEY DEFAULT nextval('hookbridge.stale_ids'),
    key   bytea            NOT NULL,
    since double precision NOT NULL
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0);

-- The records that a sweep has met so far; a sweep is named by the ticket with which it began.
CREATE TABLE hookbridge.met (
    sweep     bigint           NOT NULL,
    record_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (sweep, record_id)
);

-- Differences that a poll or a sweep found, until it is known whether a webhook announces them.
CREATE TABLE hookbridge.found (
    record   text COLLATE "C" PRIMARY KEY,
    found_at double precision NOT NULL,
    moment   text             NOT NULL      -- the snapshot (pg_snapshot) in which the record was compared
);
CREATE INDEX found_due ON hookbridge.found (found_at);

-- The nodes that share this store, each with its last beat.
CREATE TABLE hookbridge.nodes (
    name    text COLLATE "C" PRIMARY KEY,
    life    bigint           NOT NULL,      -- of its process: a later one of the same name has a larger number
    version text COLLATE "C" NOT NULL,
    roles   text[]           NOT NULL,
    figures text             NOT NULL,      -- JSON
    seen_at double precision NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- What only one node does at a time, and who does it.
CREATE TABLE hookbridge.leads (
    duty    text COLLATE "C" PRIMARY KEY,
    node    text COLLATE "C" NOT NULL,
    life    bigint           NOT NULL,
    epoch   bigint           NOT NULL,
    until   double precision NOT NULL,
    seconds double precision NOT NULL                   -- how long a lease is: no further than that is ``until`` away
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- How many requests a source may be asked, by all nodes together (GCRA): the time at which what is reserved has been spent.
CREATE TABLE hookbridge.budget (
    source       text COLLATE "C" PRIMARY KEY,
    tat          double precision NOT NULL,
    halted_until double precision NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- What one node asks of the one that does a duty.
CREATE SEQUENCE hookbridge.ask_ids;
CREATE TABLE hookbridge.asks (
    id       bigint           PRIMARY KEY DEFAULT nextval('hookbridge.ask_ids'),
    duty     text COLLATE "C" NOT NULL,
    words    text             NOT NULL,
    answer   text,
    asked_at double precision NOT NULL
);

-- lz4 takes a quarter of the processor time of the server's default for a sixth more bytes; not every server has it.
DO $$
BEGIN
    ALTER TABLE hookbridge.events ALTER body SET COMPRESSION lz4, ALTER headers SET COMPRESSION lz4;
    ALTER TABLE hookbridge.copies ALTER data SET COMPRESSION lz4, ALTER content SET COMPRESSION lz4;
    ALTER TABLE hookbridge.words ALTER tokens SET COMPRESSION lz4, ALTER lexemes SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
