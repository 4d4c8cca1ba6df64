-- Signs a body without pgcrypto, for a sender of your own in Postgres 13 or newer.
-- For tables there is something better: `python -m hookbridge trigger-sql` writes the whole trigger.
--
-- pg_net sends exactly body::text of the jsonb that it is given, so that text is what has to be signed:
--
--   select net.http_post(
--     url := 'https://hooks.example.com/api/v1/webhooks/supabase',
--     body := message.body,
--     headers := public.webhook_headers(message.body::text, 'the WEBHOOK_SECRET')
--   )
--   from (select '{"type": "INSERT", …}'::jsonb as body) as message;

create or replace function public.webhook_hmac(message bytea, key bytea) returns bytea
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

-- The headers for this body: by Standard Webhooks for a whsec_ secret, else the hex HMAC-SHA256.
create or replace function public.webhook_headers(body text, secret text) returns jsonb
language plpgsql volatile strict
set search_path = pg_catalog, pg_temp
as $$
declare
  headers constant jsonb := jsonb_build_object('Content-Type', 'application/json');
  message_id constant text := 'msg_' || replace(gen_random_uuid()::text, '-', ''); -- the same for every try of one message
  sent_at constant text := floor(extract(epoch from clock_timestamp()))::bigint::text;
  encoded text;
  signature bytea;
begin
  if not starts_with(secret, 'whsec_') then
    signature := public.webhook_hmac(convert_to(body, 'UTF8'), convert_to(secret, 'UTF8'));
    return headers || jsonb_build_object('X-Webhook-Signature', encode(signature, 'hex'));
  end if;
  encoded := substr(secret, 7);
  encoded := rpad(encoded, (length(encoded) + 3) / 4 * 4, '=');
  signature := public.webhook_hmac(
    convert_to(message_id || '.' || sent_at || '.' || body, 'UTF8'), decode(encoded, 'base64')
  );
  return headers || jsonb_build_object(
    'webhook-id', message_id,
    'webhook-timestamp', sent_at,
    'webhook-signature', 'v1,' || encode(signature, 'base64')
  );
end
$$;
