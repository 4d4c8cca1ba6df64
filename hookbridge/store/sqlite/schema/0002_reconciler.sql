-- What the reconciler remembers between two pages of a listing, and until a webhook had its time to come.

-- The records that a sweep has met so far; a sweep is named by the ticket with which it began.  What it has not met
-- when its listing is complete may have been deleted.
CREATE TABLE met (
    sweep     INTEGER NOT NULL,
    record_id TEXT    NOT NULL,
    PRIMARY KEY (sweep, record_id)
) STRICT, WITHOUT ROWID;

-- Differences that a poll or a sweep found, until it is known whether a webhook announces them.
CREATE TABLE found (
    record     TEXT    PRIMARY KEY,
    found_at   REAL    NOT NULL,
    last_event INTEGER NOT NULL     -- the newest event when the record was compared: an announcement is newer
) STRICT, WITHOUT ROWID;

CREATE INDEX found_due ON found (found_at);
