"""Three nodes' stores over one Postgres, everything at once, at random, with leases that are too short."""
