-- When the event happened that a copy was made of, where nothing could be read: an older one must not overwrite it.
ALTER TABLE copies ADD COLUMN occurred_at TEXT;

-- Retention finds the dead letters that died long ago.
CREATE INDEX events_dead_settled ON events (settled_at) WHERE outcome = 'dead';
