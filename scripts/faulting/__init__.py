"""``scripts/fault-test``: every way in which a source or a destination fails, beside those that are well."""
