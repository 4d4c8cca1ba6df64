-- Small durable values by name.

-- Set a note, or remove it with null; gives whether it was written.
CREATE OR REPLACE FUNCTION hookbridge.put_note_1(
    the_name text, the_value text, only_if_absent boolean, the_duty text, the_epoch bigint, moment double precision
) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM require_lead_1(the_duty, the_epoch, moment);
    IF the_value IS NULL THEN
        DELETE FROM notes WHERE name = the_name;
    ELSIF only_if_absent THEN
        INSERT INTO notes (name, value) VALUES (the_name, the_value) ON CONFLICT (name) DO NOTHING;
    ELSE
        INSERT INTO notes (name, value) VALUES (the_name, the_value)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed = excluded.changed;
    END IF;
    RETURN FOUND;
END
$$;
