-- What a record and its table are called by people, and the text behind a record (a Notion page's body).
ALTER TABLE copies ADD COLUMN title TEXT;
ALTER TABLE copies ADD COLUMN content TEXT;

CREATE TABLE labels (
    source     TEXT NOT NULL,
    table_name TEXT NOT NULL,
    label      TEXT NOT NULL,
    PRIMARY KEY (source, table_name)
) STRICT, WITHOUT ROWID;

-- The copies in the order of their last change.  Places are counted from the newest one, which is never removed.
CREATE TABLE feed (
    seq    INTEGER PRIMARY KEY,
    record INTEGER NOT NULL UNIQUE              -- copies.id
) STRICT;

INSERT INTO feed (record) SELECT id FROM copies ORDER BY read_at, id;

-- Whatever changes a copy gives it the newest place, in the same statement, so that nothing can change and be missed.
-- A fingerprint leaves out what changes on every read, and has the hash of what listings show behind its 16 bytes; a
-- copy of an event has none, and neither has the knowledge that a record is gone.
CREATE TRIGGER copy_appears AFTER INSERT ON copies
BEGIN
    INSERT INTO feed (record) VALUES (NEW.id);
END;

CREATE TRIGGER copy_changes AFTER UPDATE ON copies
WHEN iif(length(OLD.fingerprint) = 0 OR length(NEW.fingerprint) = 0,
         OLD.data IS NOT NEW.data,
         substr(OLD.fingerprint, 1, 16) <> substr(NEW.fingerprint, 1, 16))
  OR OLD.title IS NOT NEW.title
  OR OLD.content IS NOT NEW.content
BEGIN
    UPDATE feed SET seq = 1 + (SELECT max(seq) FROM feed) WHERE record = NEW.id;
END;

CREATE TRIGGER copy_goes AFTER DELETE ON copies
BEGIN
    DELETE FROM feed WHERE record = OLD.id;
END;
