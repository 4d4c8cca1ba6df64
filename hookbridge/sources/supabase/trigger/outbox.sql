-- A message is a row of this table, written in the transaction that changed the user's row: both are there or neither.
-- It is removed when the receiver has answered 2xx, or after seven days.
create table if not exists hookbridge_webhooks.outbox (
  id bigint generated always as identity primary key,
  message_id text not null default hookbridge_webhooks.message_id(),
  url text not null,
  body jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  attempts int not null default 1,
  -- Before that a message is with pg_net: its longest request takes five seconds.
  due_at timestamptz not null default clock_timestamp() + interval '30 seconds',
  last_error text
);
create index if not exists outbox_due on hookbridge_webhooks.outbox (due_at);
alter table hookbridge_webhooks.outbox enable row level security;

-- Which request carries which message.  Unlogged as pg_net's own tables are: a crash empties them together, and then
-- pg_net counts from 1 again, so that a number kept from before would take another request's answer for its own.
-- No foreign key: its check reads the outbox, and what a SERIALIZABLE transaction of the user's reads where others write
-- can end it.  For that reason the trigger reads nothing of the outbox's tables; `deliver` does, in a transaction of its own.
create unlogged table if not exists hookbridge_webhooks.requests (
  request_id bigint primary key,
  message bigint not null unique
);
alter table hookbridge_webhooks.requests drop constraint if exists requests_message_fkey;
alter table hookbridge_webhooks.requests enable row level security;

-- 5 s, 10 s, 20 s … up to 15 minutes.
create or replace function hookbridge_webhooks.backoff(attempts int) returns interval
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select least(interval '5 seconds' * power(2, least(attempts, 20) - 1), interval '15 minutes')
$$;

-- Gives a message to pg_net.  It keeps its id, so that a receiver knows a second delivery; the timestamp is a new one.
create or replace function hookbridge_webhooks.hand_over(message hookbridge_webhooks.outbox) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into hookbridge_webhooks.requests as r (request_id, message)
  values (hookbridge_webhooks.post(message.url, message.message_id, message.body), message.id)
  on conflict (request_id) do update set message = excluded.message;
exception when others then
  update hookbridge_webhooks.outbox o
  set due_at = clock_timestamp() + hookbridge_webhooks.backoff(o.attempts), last_error = sqlerrm
  where o.id = hand_over.message.id;
end
$$;

-- The trigger's function of a table with the outbox.  Its arguments are the address and the key columns.  Values are
-- written as PostgREST reads them, whatever the session's settings are.
create or replace function hookbridge_webhooks.enqueue() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  body jsonb;
  message hookbridge_webhooks.outbox;
begin
  -- The images are compared: not every type has an equality, and 1.5 is not 1.50.
  if tg_op = 'UPDATE' and new *= old then
    return null;
  end if;
  begin
    body := hookbridge_webhooks.payload(tg_op, tg_relid, tg_argv[1:], new, old);
  exception when others then
    raise warning 'hookbridge was not told of a change in %.%: %', tg_table_schema, tg_table_name, sqlerrm;
    return null;
  end;
  insert into hookbridge_webhooks.outbox (url, body) values (tg_argv[0], body) returning * into message;
  perform hookbridge_webhooks.hand_over(message);
  return null;
end
$$;

-- What waits to be taken from this table goes out with the next delivery, under the same names.  No webhook tells of
-- TRUNCATE.
create or replace function hookbridge_webhooks.enqueue_waiting(relation regclass, url text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if to_regclass('hookbridge_webhooks.changes') is null then
    return;
  end if;
  with moved as (
    delete from hookbridge_webhooks.changes c
    where c.message @> hookbridge_webhooks.envelope(c.message ->> 'type', relation)
    returning c.number, c.id, c.message, c.created_at
  )
  insert into hookbridge_webhooks.outbox (message_id, url, body, created_at, attempts, due_at)
  select 'msg_' || replace(m.id::text, '-', ''), url, m.message, m.created_at, 0, clock_timestamp()
  from (select * from moved order by moved.number) m
  where m.message ->> 'type' <> 'TRUNCATE';
end
$$;

-- Removes what has arrived and hands over again what was refused, timed out or lost with pg_net's queue: 2,000 at most,
-- what pg_net sends in ten seconds.  Gives the number of messages that it handed over.  Call it every few seconds; a
-- second call at the same time does nothing.
create or replace function hookbridge_webhooks.deliver() returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  message hookbridge_webhooks.outbox;
  handed_over int := 0;
  given_up int;
begin
  if not pg_try_advisory_xact_lock(hashtext('hookbridge_webhooks.deliver')) then
    return 0;
  end if;

  -- One statement, one look at the answers: none can come between what arrived and what did not.
  with answered as (
    delete from hookbridge_webhooks.requests r using net._http_response a
    where a.id = r.request_id
    returning
      r.message,
      coalesce(a.status_code between 200 and 299, false) as arrived,
      coalesce(a.error_msg, 'HTTP ' || a.status_code, 'no answer') as reason
  ), removed as (
    delete from hookbridge_webhooks.outbox o using answered where o.id = answered.message and answered.arrived
  )
  update hookbridge_webhooks.outbox o
  set due_at = clock_timestamp() + hookbridge_webhooks.backoff(o.attempts), last_error = answered.reason
  from answered where o.id = answered.message and not answered.arrived;

  delete from hookbridge_webhooks.outbox where created_at < clock_timestamp() - interval '7 days';
  get diagnostics given_up = row_count;
  delete from hookbridge_webhooks.requests r
  where not exists (select from hookbridge_webhooks.outbox o where o.id = r.message);
  if given_up > 0 then
    raise warning 'hookbridge was not told of % changes: their messages did not arrive within seven days', given_up;
  end if;

  for message in
    update hookbridge_webhooks.outbox o
    set attempts = o.attempts + 1, due_at = clock_timestamp() + interval '30 seconds'
    where o.id in (
      select due.id from hookbridge_webhooks.outbox due
      where due.due_at <= clock_timestamp()
        -- What still waits in pg_net's queue is late and not lost.
        and not exists (
          select from hookbridge_webhooks.requests r join net.http_request_queue q on q.id = r.request_id
          where r.message = due.id
        )
      order by due.due_at
      limit 2000
      for update skip locked
    )
    returning o.*
  loop
    delete from hookbridge_webhooks.requests r where r.message = message.id;
    perform hookbridge_webhooks.hand_over(message);
    handed_over := handed_over + 1;
  end loop;
  return handed_over;
end
$$;

do $$
begin
  if to_regprocedure('cron.schedule(text,text,text)') is null then
    begin
      create extension if not exists pg_cron;
    exception when others then
      raise warning 'pg_cron is not available (%): call hookbridge_webhooks.deliver() every few seconds', sqlerrm;
      return;
    end;
  end if;
  begin
    perform cron.schedule('hookbridge_webhooks', '10 seconds', 'select hookbridge_webhooks.deliver()');
  exception when others then
    -- pg_cron before 1.5 knows no seconds.
    perform cron.schedule('hookbridge_webhooks', '* * * * *', 'select hookbridge_webhooks.deliver()');
  end;
end
$$;
