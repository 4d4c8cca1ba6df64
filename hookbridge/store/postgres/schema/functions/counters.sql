-- The books and the statistics.  Each connection of a node that writes has a slot of its own, so no two transactions wait
-- for one counter; who reads adds the slots up.

-- Raise counters, each by the sum of its entries; the last locks that a transaction takes.
CREATE OR REPLACE FUNCTION hookbridge.count_1(own_slot integer, names text[], amounts double precision[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    INSERT INTO counters AS c (slot, name, value)
    SELECT own_slot, r.name, sum(r.amount) FROM unnest(names, amounts) AS r (name, amount)
    GROUP BY r.name HAVING sum(r.amount) <> 0
    ORDER BY r.name COLLATE "C"
    ON CONFLICT (slot, name) DO UPDATE SET value = c.value + excluded.value;
END
$$;
