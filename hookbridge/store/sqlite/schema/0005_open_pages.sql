-- Notion's ids name one page across databases: one with open events has no copy yet, or another one's name.  All ids
-- have this length; a record's name ends with it.
CREATE INDEX dirty_global_id ON dirty (substr(record, -36)) WHERE source = 'notion';
