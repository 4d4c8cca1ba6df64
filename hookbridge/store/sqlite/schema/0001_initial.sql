-- The first schema.  Times are seconds since the epoch.

-- Every event, as it arrived and how it ended; outcome is null while it is open.
-- The open events of a record are a linked list: dirty.head -> previous -> ... -> null.  A list costs an append nothing,
-- where an index over (record, id) costs a random page in every commit (measured: 7 of 25 microseconds an event).
CREATE TABLE events (
    id           INTEGER PRIMARY KEY,
    source       TEXT    NOT NULL,
    record       TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    format       TEXT    NOT NULL,
    origin       TEXT    NOT NULL,
    identity     BLOB,
    received_at  REAL    NOT NULL,
    occurred_at  TEXT,
    body         BLOB    NOT NULL,
    previous     INTEGER,
    outcome      TEXT,
    reason       TEXT,
    verification TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    settled_at   REAL
) STRICT;

-- What makes two deliveries one event.  Payloads that cannot name themselves are not in it.
CREATE UNIQUE INDEX events_identity ON events (identity) WHERE identity IS NOT NULL;

-- Retention finds what was settled long ago without reading what is open or dead.
CREATE INDEX events_settled ON events (settled_at) WHERE settled_at IS NOT NULL AND outcome <> 'dead';

-- Dead letters are few and asked for often.
CREATE INDEX events_dead ON events (id) WHERE outcome = 'dead';

-- One row for each record with open events: what workers claim.
CREATE TABLE dirty (
    record       TEXT    PRIMARY KEY,
    source       TEXT    NOT NULL,
    version      INTEGER NOT NULL,   -- raised by every event of the record
    generation   INTEGER NOT NULL,   -- of the last claim: the fencing token; 0 when nobody has claimed it
    head         INTEGER NOT NULL,   -- the newest open event
    since        REAL    NOT NULL,   -- when the record became dirty
    available_at REAL    NOT NULL    -- when it can be claimed: since, or the end of a lease
) STRICT, WITHOUT ROWID;

CREATE INDEX dirty_available ON dirty (source, available_at);

-- The event row and the dirty row are one statement, so that nothing can be stored and never claimed.
CREATE TRIGGER event_arrives AFTER INSERT ON events WHEN NEW.outcome IS NULL
BEGIN
    INSERT INTO dirty VALUES (NEW.record, NEW.source, 1, 0, NEW.id, NEW.received_at, NEW.received_at)
    ON CONFLICT (record) DO UPDATE SET version = version + 1, head = NEW.id;
END;

-- A dead letter waits from the moment it opens, not from its arrival long ago.  The statement that opens it leaves that
-- moment in settled_at, where the trigger finds it.
CREATE TRIGGER dead_letter_opens AFTER UPDATE OF outcome ON events
WHEN OLD.outcome = 'dead' AND NEW.outcome IS NULL
BEGIN
    INSERT INTO dirty VALUES (NEW.record, NEW.source, 1, 0, NEW.id, NEW.settled_at, NEW.settled_at)
    ON CONFLICT (record) DO UPDATE SET version = version + 1, head = NEW.id;
    UPDATE events SET settled_at = NULL WHERE id = NEW.id;
END;

-- The records as last read; data is null where the source had no such record.
CREATE TABLE copies (
    id          INTEGER PRIMARY KEY,
    source      TEXT    NOT NULL,
    table_name  TEXT    NOT NULL,
    record_id   TEXT    NOT NULL,
    data        BLOB,
    changed_at  TEXT,
    fingerprint BLOB    NOT NULL,
    ticket      INTEGER NOT NULL,
    read_at     REAL    NOT NULL,
    verified    INTEGER NOT NULL,
    UNIQUE (source, table_name, record_id)
) STRICT;

-- Notion's ids name one page across databases: a page that moved has its old copy dropped through this.
CREATE INDEX copies_global_id ON copies (record_id) WHERE source = 'notion';

CREATE INDEX copies_tombstones ON copies (read_at) WHERE data IS NULL;

-- The index: rowid is copies.id.
CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2');

-- The books and the statistics.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Small durable values: learnt tokens, cursors, the number of starts.
CREATE TABLE notes (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
