-- What all tables share.  Every object lives in the schema hookbridge_webhooks, and every statement may run again.

do $$
begin
  if to_regprocedure('net.http_post(text,jsonb,jsonb,jsonb,integer)') is null then
    create extension if not exists pg_net;
  end if;
end
$$;

create schema if not exists hookbridge_webhooks;
revoke all on schema hookbridge_webhooks from public;

-- HMAC-SHA256 (RFC 2104) over the built-in sha256: pgcrypto is not needed.  These functions are plpgsql because that
-- keeps its plans: as plain SQL a message took nearly three times as long.
create or replace function hookbridge_webhooks.hmac_sha256(message bytea, key bytea) returns bytea
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  inner_pad bytea := decode(repeat('36', 64), 'hex');
  outer_pad bytea := decode(repeat('5c', 64), 'hex');
begin
  if length(key) > 64 then
    key := sha256(key);
  end if;
  for i in 0 .. length(key) - 1 loop
    inner_pad := set_byte(inner_pad, i, get_byte(key, i) # 54);
    outer_pad := set_byte(outer_pad, i, get_byte(key, i) # 92);
  end loop;
  return sha256(outer_pad || sha256(inner_pad || message));
end
$$;

-- The secret from Vault; without one there, from the setting hookbridge.webhook_secret; otherwise null.  White space
-- around it does not count, as in the receiver's settings.
create or replace function hookbridge_webhooks.secret() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  found_secret text;
begin
  if to_regclass('vault.decrypted_secrets') is not null then
    execute 'select decrypted_secret from vault.decrypted_secrets where name = $1 limit 1'
      into found_secret using 'hookbridge_webhook_secret';
  end if;
  return coalesce(
    nullif(btrim(found_secret, E' \t\r\n'), ''),
    nullif(btrim(current_setting('hookbridge.webhook_secret', true), E' \t\r\n'), '')
  );
end
$$;

-- The bytes that a whsec_ secret stands for.  Some tools leave base64's padding out, and decode() insists on it.
create or replace function hookbridge_webhooks.standard_key(secret text) returns bytea
language sql immutable strict
set search_path = pg_catalog, pg_temp
as $$
  select decode(rpad(substr(secret, 7), (length(secret) - 6 + 3) / 4 * 4, '='), 'base64')
$$;

-- A secret that begins with whsec_ signs by Standard Webhooks, any other as hex in X-Webhook-Signature; without a
-- secret nothing is signed, and the receiver decides.
create or replace function hookbridge_webhooks.headers(message_id text, body text) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  secret text := hookbridge_webhooks.secret();
  sent_at text := floor(extract(epoch from clock_timestamp()))::bigint::text;
  signature bytea;
  headers jsonb := jsonb_build_object(
    'Content-Type', 'application/json', 'webhook-id', message_id, 'webhook-timestamp', sent_at
  );
begin
  if starts_with(secret, 'whsec_') then
    signature := hookbridge_webhooks.hmac_sha256(
      convert_to(message_id || '.' || sent_at || '.' || body, 'UTF8'), hookbridge_webhooks.standard_key(secret)
    );
    return headers || jsonb_build_object('webhook-signature', 'v1,' || encode(signature, 'base64'));
  elsif secret is not null then
    signature := hookbridge_webhooks.hmac_sha256(convert_to(body, 'UTF8'), convert_to(secret, 'UTF8'));
    return headers || jsonb_build_object('X-Webhook-Signature', encode(signature, 'hex'));
  end if;
  return headers;
end
$$;

-- pg_net sends exactly body::text, so that is what is signed.  It queues the request; nothing is sent before commit.
create or replace function hookbridge_webhooks.post(url text, message_id text, body jsonb) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return net.http_post(
    url := url,
    body := body,
    headers := hookbridge_webhooks.headers(message_id, body::text),
    timeout_milliseconds := 5000
  );
end
$$;

create or replace function hookbridge_webhooks.message_id() returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return 'msg_' || replace(gen_random_uuid()::text, '-', '');
end
$$;

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
  envelope jsonb;
  body jsonb;
begin
  select jsonb_build_object('type', operation, 'table', c.relname, 'schema', n.nspname)
  into envelope
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  -- A partition's rows are its parent's.
  where c.oid = coalesce(pg_partition_root(relation), relation);
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
