-- Which changes destinations rejected and were passed over, until they take one of the same record.  What the record is
-- like is not kept: a replay sends it as it is then.
CREATE TABLE rejected (
    destination TEXT    NOT NULL,
    record      TEXT    NOT NULL,
    seq         INTEGER NOT NULL,               -- of the feed, when it was rejected
    reason      TEXT    NOT NULL,
    rejected_at REAL    NOT NULL,
    PRIMARY KEY (destination, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX rejected_by_seq ON rejected (destination, seq);
