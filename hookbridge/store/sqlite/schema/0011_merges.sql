-- FTS5 merges what it has written as soon as eight pieces of one size are there, and not four, as by itself: a third of the index's
-- time for records of 3 KB went into merging (620 µs a record, now 450).  A search looks at a few pieces more.
INSERT INTO words (words, rank) VALUES ('automerge', 8);
