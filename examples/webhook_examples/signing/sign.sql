-- The hex HMAC-SHA256 of a body in plain SQL, without pgcrypto, for a sender of your own in Postgres 11 or newer.
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
language sql immutable strict parallel safe
as $$
  with key as (
    select convert_to(secret, 'UTF8') as given
  ), block as (
    select case when length(given) > 64 then sha256(given) else given end || decode(repeat('00', 64), 'hex') as bytes
    from key
  ), pads as (
    select
      decode(string_agg(lpad(to_hex(get_byte(bytes, i) # 54), 2, '0'), '' order by i), 'hex') as inner_pad,
      decode(string_agg(lpad(to_hex(get_byte(bytes, i) # 92), 2, '0'), '' order by i), 'hex') as outer_pad
    from block, generate_series(0, 63) as i
  )
  select encode(sha256(outer_pad || sha256(inner_pad || convert_to(body, 'UTF8'))), 'hex') from pads
$$;
