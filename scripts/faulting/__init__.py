"""``scripts/fault-test``: every way in which a source fails, between the service and a real one."""
