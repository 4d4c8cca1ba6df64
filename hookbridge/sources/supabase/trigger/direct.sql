-- The trigger's function: one signed request for each changed row.  Its arguments are the address and the key columns.
-- Values are written as PostgREST reads them, whatever the session's settings are.  What fails here is a warning: a
-- webhook must not be the reason that a row cannot be saved.
create or replace function hookbridge_webhooks.send() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
begin
  -- The images are compared: not every type has an equality, and 1.5 is not 1.50.
  if tg_op = 'UPDATE' and new *= old then
    return null;
  end if;
  perform hookbridge_webhooks.post(
    tg_argv[0],
    hookbridge_webhooks.message_id(),
    hookbridge_webhooks.payload(tg_op, tg_relid, tg_argv[1:], new, old)
  );
  return null;
exception when others then
  raise warning 'hookbridge was not told of a change in %.%: %', tg_table_schema, tg_table_name, sqlerrm;
  return null;
end
$$;

-- What waits to be taken from this table is sent, under the same names.
create or replace function hookbridge_webhooks.send_waiting(relation regclass, url text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  waiting record;
begin
  if to_regclass('hookbridge_webhooks.changes') is null then
    return;
  end if;
  for waiting in
    with moved as (
      delete from hookbridge_webhooks.changes c
      where c.message @> hookbridge_webhooks.envelope(c.message ->> 'type', relation)
      returning c.number, c.id, c.message
    )
    select * from moved order by number
  loop
    -- No webhook tells of TRUNCATE.
    continue when waiting.message ->> 'type' = 'TRUNCATE';
    perform hookbridge_webhooks.post(url, 'msg_' || replace(waiting.id::text, '-', ''), waiting.message);
  end loop;
end
$$;
