-- Keys that are numbers are listed as numbers.  A change of a copy leaves its place in this index alone.
ALTER TABLE copies ADD COLUMN ordinal TEXT NOT NULL DEFAULT '~';
UPDATE copies SET ordinal = ordinal(record_id) WHERE ordinal(record_id) <> '~';
CREATE INDEX copies_place ON copies (source, table_name, ordinal, record_id);
