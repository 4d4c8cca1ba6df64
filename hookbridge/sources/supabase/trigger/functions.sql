-- What all tables share.  Every object lives in the schema hookbridge_webhooks, and every statement may run again.

create schema if not exists hookbridge_webhooks;
revoke all on schema hookbridge_webhooks from public;

-- The key columns of a row, of any table's; null for the row that INSERT and DELETE do not have.
create or replace function hookbridge_webhooks.key_columns(changed record, key text[]) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  columns text;
  picked jsonb;
begin
  if changed is null then
    return null;
  end if;
  select string_agg(format('%L, ($1).%I', name, name), ', ') into columns from unnest(key) as name;
  execute format('select jsonb_build_object(%s)', columns) into picked using changed;
  return picked;
end
$$;

-- What a payload says beside its rows.
create or replace function hookbridge_webhooks.envelope(operation text, relation oid) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object('type', operation, 'table', c.relname, 'schema', n.nspname)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    -- A partition's rows are its parent's.
    where c.oid = coalesce(pg_partition_root(relation), relation)
  );
end
$$;

-- The payload of Supabase's own Database Webhooks.  A receiver takes 2 MiB: what is larger goes without the columns of
-- the old row, and if that is not enough, with key columns only, marked "truncated".  So does a row that jsonb cannot
-- hold: "\u0000" or 1e400000 in a json column, a value of more than 256 MB.
create or replace function hookbridge_webhooks.payload(
  operation text, relation oid, key text[], new_row record, old_row record
) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  most_bytes constant int := 2000000;
  envelope constant jsonb := hookbridge_webhooks.envelope(operation, relation);
  body jsonb;
begin
  begin
    body := envelope || jsonb_build_object('record', to_jsonb(new_row), 'old_record', to_jsonb(old_row));
    if octet_length(body::text) <= most_bytes then
      return body;
    end if;
    body := body || jsonb_build_object('old_record', hookbridge_webhooks.key_columns(old_row, key));
    if operation = 'UPDATE' and octet_length(body::text) <= most_bytes then
      return body;
    end if;
  exception when others then
    null; -- whatever it was, the receiver reads the row from its source
  end;
  return envelope || jsonb_build_object(
    'record', hookbridge_webhooks.key_columns(new_row, key),
    'old_record', hookbridge_webhooks.key_columns(old_row, key),
    'truncated', true
  );
end
$$;

create or replace function hookbridge_webhooks.require_columns(relation regclass, columns text[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  missing text;
begin
  select string_agg(name, ', ') into missing
  from unnest(columns) as name
  where not exists (
    select from pg_attribute a
    where a.attrelid = relation and a.attname = name and a.attnum > 0 and not a.attisdropped
  );
  if missing is not null then
    raise exception 'the table % has no column %', relation, missing
      using hint = 'name the key columns with --key';
  end if;
end
$$;

-- to_jsonb() calls a cast to json that somebody made for a type, and here it would do so with the rights of this
-- installation.  Whoever may make such a cast has to be this role, or a superuser anyway.
create or replace function hookbridge_webhooks.require_own_casts(relation regclass) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  strange text;
begin
  with recursive types (id) as (
    select atttypid from pg_attribute where attrelid = relation and attnum > 0 and not attisdropped
    union
    select part.id
    from types join pg_type t on t.oid = types.id
    cross join lateral (
      -- What a domain stands for, an array's elements, a row's columns.
      select t.typbasetype
      union all select t.typelem
      union all
      select a.atttypid from pg_attribute a
      where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) as part (id)
    where part.id <> 0
  )
  select string_agg(format('%s of %s', p.oid::regprocedure, r.rolname), ', ') into strange
  from types join pg_cast c on c.castsource = types.id and c.casttarget = 'json'::regtype
  join pg_proc p on p.oid = c.castfunc join pg_roles r on r.oid = p.proowner
  where r.rolname <> current_user and not r.rolsuper;
  if strange is not null then
    raise exception 'the trigger on % runs code of other roles as %: the cast to json by %',
      relation, current_user, strange
      using hint = 'if you trust that code, make it yours: alter function … owner to ' || quote_ident(current_user);
  end if;
end
$$;
