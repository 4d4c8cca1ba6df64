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

-- Set a note that has this value; gives whether it had it.
CREATE OR REPLACE FUNCTION hookbridge.replace_note_1(the_name text, the_value text, instead_of text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    UPDATE notes SET value = the_value, changed = nextval('hookbridge.note_changes')
    WHERE name = the_name AND value = instead_of;
    RETURN FOUND;
END
$$;
