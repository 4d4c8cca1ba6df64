-- Keys of the user's cache that belong to changes which are settled, until they were deleted there once more.  Ids rise
-- as long as there is a row, so whoever has deleted the keys up to one removes no row that came meanwhile.
CREATE TABLE stale_keys (
    id  INTEGER PRIMARY KEY,
    key TEXT    NOT NULL
) STRICT;
