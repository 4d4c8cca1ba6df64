-- The text behind a record is in its fingerprint, without the signatures of its links: those are no change.
DROP TRIGGER copy_changes;
CREATE TRIGGER copy_changes AFTER UPDATE ON copies
WHEN iif(length(OLD.fingerprint) = 0 OR length(NEW.fingerprint) = 0,
         OLD.data IS NOT NEW.data,
         substr(OLD.fingerprint, 1, 16) <> substr(NEW.fingerprint, 1, 16))
  OR OLD.title IS NOT NEW.title
BEGIN
    UPDATE feed SET seq = 1 + (SELECT max(seq) FROM feed) WHERE record = NEW.id;
END;
