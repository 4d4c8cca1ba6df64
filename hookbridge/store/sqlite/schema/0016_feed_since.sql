-- Since when a record is as its place in the feed says: the read that found it so.  Null is of before this step: what is known then
-- is when it was read last.
ALTER TABLE feed ADD COLUMN since REAL;

DROP TRIGGER copy_appears;
CREATE TRIGGER copy_appears AFTER INSERT ON copies
BEGIN
    INSERT INTO feed (record, since) VALUES (NEW.id, NEW.read_at);
END;

DROP TRIGGER copy_changes;
CREATE TRIGGER copy_changes AFTER UPDATE ON copies
WHEN iif(length(OLD.fingerprint) = 0 OR length(NEW.fingerprint) = 0,
         OLD.data IS NOT NEW.data,
         substr(OLD.fingerprint, 1, 16) <> substr(NEW.fingerprint, 1, 16))
  OR OLD.title IS NOT NEW.title
BEGIN
    UPDATE feed SET seq = 1 + (SELECT max(seq) FROM feed), since = NEW.read_at WHERE record = NEW.id;
END;
