-- The index anew, of tokens that are made outside (hookbridge/text): it splits at spaces and does nothing else.  Files of
-- before are filled in the background.
DROP TABLE words;

-- rowid: the larger, the later the words changed; of records that were indexed anew, in their old order.  ``copy`` is
-- copies.id, ``place`` names source and table by tokens that no text has.  There is no length of fields: nothing asks.
CREATE VIRTUAL TABLE words USING fts5 (
    copy UNINDEXED, title, properties, body, place, columnsize = 0, tokenize = "ascii tokenchars '+#.@'"
);

-- Its tokens, in their order.
CREATE VIRTUAL TABLE terms USING fts5vocab (words, instance);

ALTER TABLE copies ADD COLUMN words INTEGER;  -- words.rowid; null where it has none
