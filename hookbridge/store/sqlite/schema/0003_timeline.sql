-- What an operator asks of one event: how it came, when it was written and taken up, and when its record had been read.
ALTER TABLE events ADD COLUMN headers BLOB;
ALTER TABLE events ADD COLUMN stored_at REAL;
ALTER TABLE events ADD COLUMN claimed_at REAL;
ALTER TABLE events ADD COLUMN verified_at REAL;

-- Attempts that failed, also those that a later one made good.  A change that succeeds at once writes nothing here.
CREATE TABLE failures (
    record   TEXT    NOT NULL,
    began_at REAL    NOT NULL,
    number   INTEGER NOT NULL,
    ended_at REAL    NOT NULL,
    error    TEXT    NOT NULL,
    PRIMARY KEY (record, began_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX failures_ended ON failures (ended_at);
