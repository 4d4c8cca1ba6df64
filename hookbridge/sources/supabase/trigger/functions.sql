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

-- The secret from Vault; without one there, from the setting hookbridge.webhook_secret; otherwise null.
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
  return coalesce(nullif(found_secret, ''), nullif(current_setting('hookbridge.webhook_secret', true), ''));
end
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
      convert_to(message_id || '.' || sent_at || '.' || body, 'UTF8'), decode(substr(secret, 7), 'base64')
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

create or replace function hookbridge_webhooks.pick(columns text[], from_row jsonb) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_object_agg(name, from_row -> name) from unnest(columns) as name where from_row is not null
$$;

-- The payload of Supabase's own Database Webhooks.  A receiver takes 2 MiB: what is larger goes without the columns of
-- the old row, and if that is not enough, with key columns only, marked "truncated".
create or replace function hookbridge_webhooks.payload(
  operation text, relation oid, key text[], new_row jsonb, old_row jsonb
) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  most_bytes constant int := 2000000;
  body jsonb;
begin
  select jsonb_build_object(
    'type', operation, 'table', c.relname, 'schema', n.nspname, 'record', new_row, 'old_record', old_row
  )
  into body
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  -- A partition's rows are its parent's.
  where c.oid = coalesce(pg_partition_root(relation), relation);
  if octet_length(body::text) > most_bytes and new_row is not null then
    body := body || jsonb_build_object('old_record', hookbridge_webhooks.pick(key, old_row));
  end if;
  if octet_length(body::text) > most_bytes then
    body := body || jsonb_build_object(
      'record', hookbridge_webhooks.pick(key, new_row),
      'old_record', hookbridge_webhooks.pick(key, old_row),
      'truncated', true
    );
  end if;
  return body;
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
