-- Since when a record is as its place in the feed says: the read that found it so.  Null is of before this step, and of what nodes
-- of before it wrote: what is known then is when it was read last.
ALTER TABLE hookbridge.feed ADD COLUMN since double precision;
