-- What the counters said, once a minute, for whoever draws what came in and was applied between two of them.
CREATE TABLE samples (
    minute   INTEGER PRIMARY KEY,               -- since the epoch
    at       REAL    NOT NULL,                  -- when exactly
    received INTEGER NOT NULL,
    applied  INTEGER NOT NULL,                  -- coalesced ones, too
    open     INTEGER NOT NULL
) STRICT;
