-- The hex HMAC-SHA256 of a body without pgcrypto, for a sender of your own in Postgres 11 or newer.
-- For tables there is something better: `python -m hookbridge trigger-sql` writes the whole trigger.
--
-- pg_net sends exactly body::text of the jsonb that it is given, so that text is what has to be signed:
--
--   select net.http_post(
--     url := 'https://hooks.example.com/api/v1/webhooks/supabase',
--     body := message.body,
--     headers := jsonb_build_object(
--       'Content-Type', 'application/json',
--       'X-Webhook-Signature', webhook_signature(message.body::text, 'the WEBHOOK_SECRET')
--     )
--   )
--   from (select '{"type": "INSERT", …}'::jsonb as body) as message;

create or replace function webhook_signature(body text, secret text) returns text
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  key bytea := convert_to(secret, 'UTF8');
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
  return encode(sha256(outer_pad || sha256(inner_pad || convert_to(body, 'UTF8'))), 'hex');
end
$$;
