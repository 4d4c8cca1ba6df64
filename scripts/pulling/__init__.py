"""Whether a table with ``pull = true`` loses nothing: writers, a database and a service that are struck meanwhile."""
