-- Which history of changes the feed tells of (none yet, and none in a backup: the next start says which), and up to where
-- something of it may be missing, because absences were forgotten.
CREATE TABLE feed_mark (
    id     TEXT    NOT NULL,
    oldest INTEGER NOT NULL
) STRICT;
INSERT INTO feed_mark VALUES ('', 0);

DROP TRIGGER copy_goes;
CREATE TRIGGER copy_goes AFTER DELETE ON copies
BEGIN
    UPDATE feed_mark SET oldest = feed.seq FROM feed WHERE feed.record = OLD.id AND feed.seq > oldest;
    DELETE FROM feed WHERE record = OLD.id;
END;
