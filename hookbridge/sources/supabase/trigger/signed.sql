-- What is sent by pg_net, and signed.

do $$
begin
  if to_regprocedure('net.http_post(text,jsonb,jsonb,jsonb,integer)') is null then
    create extension if not exists pg_net;
  end if;
end
$$;

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
