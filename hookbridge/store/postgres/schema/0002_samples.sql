-- What the counters said, once a minute, for whoever draws what came in and was applied between two of them.
CREATE TABLE hookbridge.samples (
    minute   bigint           PRIMARY KEY,      -- since the epoch
    at       double precision NOT NULL,         -- when exactly
    received bigint           NOT NULL,
    applied  bigint           NOT NULL,         -- coalesced ones, too
    open     bigint           NOT NULL
);
