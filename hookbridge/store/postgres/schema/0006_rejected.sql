-- Which changes destinations rejected and were passed over, until they take one of the same record.  What the record is
-- like is not kept: a replay sends it as it is then.
CREATE TABLE hookbridge.rejected (
    destination text COLLATE "C" NOT NULL,
    record      text COLLATE "C" NOT NULL,
    seq         bigint           NOT NULL,      -- of the feed, when it was rejected
    reason      text             NOT NULL,
    rejected_at double precision NOT NULL,
    PRIMARY KEY (destination, record)
);
CREATE INDEX rejected_by_seq ON hookbridge.rejected (destination, seq);
