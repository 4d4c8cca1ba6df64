-- A message is a row of `changes`, written in the transaction that changed the user's row: both are there or neither.
-- It is removed when hookbridge has it on its own disk.  The trigger only inserts: it reads and updates no table, so no
-- transaction of the user's waits or fails because of it, at no isolation level.
do $$
begin
  -- Once: what alters a table waits for all who write to it, and others behind that.
  if to_regclass('hookbridge_webhooks.changes') is not null then
    return;
  end if;

  create table hookbridge_webhooks.changes (
    number bigint primary key,
    -- What hookbridge knows it by.  A number may come again after a restore, so it is no name.
    id uuid not null default gen_random_uuid() unique,
    -- Whose order it keeps: a hash of the record's name, two when the key changed, none for TRUNCATE.
    records bigint[] not null,
    message jsonb not null,
    created_at timestamptz not null default clock_timestamp()
  ) with (
    -- It is a queue: among many dead rows the few living ones would be slow to find.  To give space back to the disk
    -- takes a lock that writers wait for, so it stays for the next burst.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = off, toast.vacuum_truncate = off
  );

  -- What was given to a taker, until it says that it is done, or until then.
  create table hookbridge_webhooks.leases (
    id bigint generated always as identity primary key,
    numbers bigint[] not null,
    until timestamptz not null
  );

  -- The one store that takes.
  create table hookbridge_webhooks.taker (
    only_one boolean primary key default true check (only_one),
    store text not null,
    since timestamptz not null default clock_timestamp()
  );

  alter table hookbridge_webhooks.changes enable row level security;
  alter table hookbridge_webhooks.leases enable row level security;
  alter table hookbridge_webhooks.taker enable row level security;

  -- What the trigger has to know without reading a table.  `given` numbers the messages: in the order of each record's
  -- changes, because whoever changes a row holds its lock until the commit.  `taken` follows it by as many as wait.
  -- `overflowed` counts the messages that were not kept.
  create sequence hookbridge_webhooks.given;
  create sequence hookbridge_webhooks.taken minvalue 0;
  create sequence hookbridge_webhooks.overflowed;

  -- What takers pass over: up to `gone` every message was removed, or never committed.  `marked` may be next, when all
  -- have ended whose transaction is older than `marked_xid`.  `looked_at`, in epoch seconds, is when nothing was passed over.
  create sequence hookbridge_webhooks.gone minvalue 0;
  create sequence hookbridge_webhooks.marked minvalue 0;
  create sequence hookbridge_webhooks.marked_xid minvalue 0;
  create sequence hookbridge_webhooks.looked_at minvalue 0;
end
$$;

-- Up to `lost_seen` of the messages that were not kept, all have been committed or rolled back when no transaction is open
-- that is older than `lost_xid`.
create sequence if not exists hookbridge_webhooks.lost_seen minvalue 0;
create sequence if not exists hookbridge_webhooks.lost_xid minvalue 0;

create or replace function hookbridge_webhooks.last_of(sequence regclass) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(pg_sequence_last_value(sequence), 0);
end
$$;

-- What became of too many, or could not be written: hookbridge sees the number rise, and compares the whole tables.
create or replace function hookbridge_webhooks.not_kept() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform nextval('hookbridge_webhooks.overflowed');
exception when others then
  raise warning 'hookbridge will not know that it was not told of a change: %', sqlerrm;
end
$$;

-- The records that a message is about.
create or replace function hookbridge_webhooks.records_of(body jsonb, key text[]) returns bigint[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  image text;
  name text;
  key_column text;
  records bigint[] := '{}';
begin
  foreach image in array array['record', 'old_record'] loop
    continue when jsonb_typeof(body -> image) is distinct from 'object';
    name := concat_ws('.', body ->> 'schema', body ->> 'table');
    foreach key_column in array key loop
      name := concat_ws(E'\x1f', name, body #> array[image, key_column]);
    end loop;
    if records = '{}' or records[1] <> hashtextextended(name, 0) then
      records := records || hashtextextended(name, 0);
    end if;
  end loop;
  return records;
end
$$;

-- The trigger's function of a table that hookbridge takes changes from.  Its arguments are the key columns.  Values are
-- written as PostgREST reads them, whatever the session's settings are.  What fails here is a warning: a message must
-- not be the reason that a row cannot be saved.
create or replace function hookbridge_webhooks.keep() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  most_waiting constant bigint := 1000000;
  body jsonb;
begin
  -- The images are compared: not every type has an equality, and 1.5 is not 1.50.
  if tg_op = 'UPDATE' and new *= old then
    return null;
  end if;
  if coalesce(pg_sequence_last_value('hookbridge_webhooks.given'), 0)
    - coalesce(pg_sequence_last_value('hookbridge_webhooks.taken'), 0) >= most_waiting
  then
    perform hookbridge_webhooks.not_kept();
    return null;
  end if;
  if tg_op = 'TRUNCATE' then
    body := hookbridge_webhooks.envelope(tg_op, tg_relid);
  else
    body := hookbridge_webhooks.payload(tg_op, tg_relid, tg_argv[0:], new, old);
  end if;
  insert into hookbridge_webhooks.changes (number, records, message)
  values (nextval('hookbridge_webhooks.given'), hookbridge_webhooks.records_of(body, tg_argv[0:]), body);
  return null;
exception when others then
  raise warning 'hookbridge was not told of a change in %.%: %', tg_table_schema, tg_table_name, sqlerrm;
  perform hookbridge_webhooks.not_kept();
  return null;
end
$$;

-- What waits in the pushed outbox for this table waits to be taken from now on, under the same names.
create or replace function hookbridge_webhooks.take_from_outbox(relation regclass, key text[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if to_regclass('hookbridge_webhooks.outbox') is null then
    return;
  end if;
  with moved as (
    delete from hookbridge_webhooks.outbox o
    where o.body @> hookbridge_webhooks.envelope(o.body ->> 'type', relation)
    returning o.id, o.message_id, o.body, o.created_at
  )
  insert into hookbridge_webhooks.changes (number, id, records, message, created_at)
  select nextval('hookbridge_webhooks.given'), substr(m.message_id, length('msg_') + 1)::uuid,
    hookbridge_webhooks.records_of(m.body, key), m.body, m.created_at
  from (select * from moved order by moved.id) m;
end
$$;

-- The dashboard's own webhook beside the trigger would tell of each change twice.
create or replace function hookbridge_webhooks.warn_of_webhooks(relation regclass, endpoint text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  webhooks text;
begin
  select string_agg(t.tgname, ', ' order by t.tgname) into webhooks
  from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
  where t.tgrelid = relation and n.nspname = 'supabase_functions'
    and position(endpoint in encode(t.tgargs, 'escape')) > 0;
  if webhooks is not null then
    raise warning 'changes of % also come by the dashboard''s webhook %, and cost twice', relation, webhooks
      using hint = 'remove it there: Database > Webhooks';
  end if;
end
$$;
