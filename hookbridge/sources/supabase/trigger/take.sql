-- What hookbridge calls, by way of `hookbridge_take` and `hookbridge_done` in a schema of the Data API.  One call at a time: takers wait
-- for each other, and writers for none of them.  They read what writers insert, and what a SERIALIZABLE transaction
-- reads may end that of a writer: so they run in no such transaction.
create or replace function hookbridge_webhooks.one_at_a_time() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'hookbridge takes changes in READ COMMITTED transactions, and this one is %',
      upper(current_setting('transaction_isolation'));
  end if;
  -- Whoever is cut off, or stands still, between this and the end of the transaction would keep all others waiting for as
  -- long as the connection is thought to live, which is hours.
  perform set_config('idle_in_transaction_session_timeout', '15s', true);
  perform pg_advisory_xact_lock(hashtext('hookbridge_webhooks.changes'));
end
$$;

-- Moves `gone` on, and gives it.  As long as somebody's report is open, removed rows stay where they are, and each look would read
-- all of them again: with a million of them that is a second.  When every transaction has ended that had a number up to
-- the marked one, what is left up to there is all that there will be.  Only a taker moves it, who has removed nothing: a
-- removal that is rolled back must not be passed over.
create or replace function hookbridge_webhooks.pass_over() returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  given constant bigint := hookbridge_webhooks.last_of('hookbridge_webhooks.given');
  -- Whoever has one of these numbers has an older transaction than this is going to be.
  later constant boolean := pg_current_xact_id_if_assigned() is null;
  marked constant bigint := hookbridge_webhooks.last_of('hookbridge_webhooks.marked');
  marked_xid constant bigint := hookbridge_webhooks.last_of('hookbridge_webhooks.marked_xid');
  now_seconds constant bigint := extract(epoch from clock_timestamp());
  before constant bigint := hookbridge_webhooks.last_of('hookbridge_webhooks.gone');
  gone bigint := before;
  first_left bigint;
begin
  -- Restored from a dump elsewhere, the database has transactions of other numbers, and sequences that were read later
  -- than the rows were, one after the other: they say nothing here.
  if marked > given or marked_xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint then
    perform setval('hookbridge_webhooks.marked', 0), setval('hookbridge_webhooks.marked_xid', 0),
      setval('hookbridge_webhooks.gone', 0);
    return 0;
  end if;
  if pg_snapshot_xmin(pg_current_snapshot())::text::bigint < marked_xid then
    return before;
  end if;
  -- A database that was restored from a dump may have sequences that are ahead of its rows.
  if now_seconds - hookbridge_webhooks.last_of('hookbridge_webhooks.looked_at') not between 0 and 60 then
    perform setval('hookbridge_webhooks.looked_at', now_seconds);
    gone := 0;
  end if;
  select min(c.number) into first_left from hookbridge_webhooks.changes c where c.number > gone;
  gone := greatest(least(marked, first_left - 1), 0);
  if gone <> before then
    perform setval('hookbridge_webhooks.gone', gone);
  end if;
  if given > marked and later then
    perform setval('hookbridge_webhooks.marked', given);
    perform setval('hookbridge_webhooks.marked_xid', pg_current_xact_id()::text::bigint);
  end if;
  return gone;
end
$$;

-- Whether a transaction may still be open of whose messages one is among so many that were not kept: no sweep finds yet
-- what it has changed.  `later` says that this transaction had no number when `overflowed` was read, so whoever raised it
-- so far has an older one.
create or replace function hookbridge_webhooks.overflowing(overflowed bigint, later boolean) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  lost_xid bigint := hookbridge_webhooks.last_of('hookbridge_webhooks.lost_xid');
begin
  if lost_xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint then
    lost_xid := 0; -- restored from a dump, it is of another server's transactions
  end if;
  if overflowed > hookbridge_webhooks.last_of('hookbridge_webhooks.lost_seen') then
    if not later then
      return true;
    end if;
    lost_xid := pg_current_xact_id()::text::bigint;
    perform setval('hookbridge_webhooks.lost_seen', overflowed), setval('hookbridge_webhooks.lost_xid', lost_xid);
  end if;
  return pg_snapshot_xmin(pg_current_snapshot())::text::bigint < lost_xid;
end
$$;

-- How many wait, counted as long as that costs nothing; beyond, what the two sequences are apart.
create or replace function hookbridge_webhooks.count_waiting(out waiting bigint, out counted boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  counted_max constant bigint := 10000;
  gone constant bigint := hookbridge_webhooks.last_of('hookbridge_webhooks.gone');
begin
  select count(*) into waiting from (
    select from hookbridge_webhooks.changes c where c.number > gone limit counted_max + 1
  ) looked_at;
  counted := waiting <= counted_max;
  if not counted then
    waiting := greatest(
      waiting,
      hookbridge_webhooks.last_of('hookbridge_webhooks.given') - hookbridge_webhooks.last_of('hookbridge_webhooks.taken')
    );
  end if;
end
$$;

-- The oldest messages that may be given, in order: at most so many, and 4 MiB, but one in any case; and whether there
-- are more.  Whoever changes a row holds its lock until the commit, so of one record the earlier change is seen first,
-- and nothing is passed over because a later one was seen before it.  A message waits while an earlier one of its
-- record is leased, or waits for that.
create or replace function hookbridge_webhooks.next_numbers(most int, out numbers bigint[], out more boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  most_bytes constant bigint := 4194304;
  gone constant bigint := hookbridge_webhooks.last_of('hookbridge_webhooks.gone');
  leased bigint[];
  held bigint[];
  candidate record;
  bytes bigint := 0;
begin
  numbers := '{}';
  more := false;
  select coalesce(array_agg(number), '{}') into leased
  from hookbridge_webhooks.leases l cross join unnest(l.numbers) as number;
  select coalesce(array_agg(record), '{}') into held
  from hookbridge_webhooks.changes c cross join unnest(c.records) as record
  where c.number = any(leased);
  for candidate in
    select c.number, c.records, c.message from hookbridge_webhooks.changes c where c.number > gone order by c.number
  loop
    continue when candidate.number = any(leased);
    if candidate.records && held then
      if not candidate.records <@ held then
        held := held || candidate.records;
      end if;
      continue;
    end if;
    more := cardinality(numbers) >= most;
    exit when more;
    bytes := bytes + octet_length(candidate.message::text);
    more := bytes > most_bytes and numbers <> '{}';
    exit when more;
    numbers := numbers || candidate.number;
  end loop;
end
$$;

-- Leases messages to the store that the changes belong to, which is the first one that asks.  With `most` 0 it only
-- looks.  The state is `taken`, or `other_store`.
create or replace function hookbridge_webhooks.take(most int, lease_seconds double precision, store text) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
-- By the index, whatever the statistics say of a table that was empty when they were made.
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  owner text;
  numbers bigint[] := '{}';
  more boolean := false;
  messages jsonb;
  gone bigint;
  overflowed bigint;
  later boolean;
  oldest double precision;
begin
  if most is null or most < 0 or lease_seconds is null or lease_seconds < 0 or coalesce(store, '') = '' then
    raise exception 'hookbridge_take needs most and lease_seconds of 0 or more, and the id of a store'
      using errcode = 'invalid_parameter_value';
  end if;
  perform hookbridge_webhooks.one_at_a_time();
  overflowed := hookbridge_webhooks.last_of('hookbridge_webhooks.overflowed');
  later := pg_current_xact_id_if_assigned() is null;
  gone := hookbridge_webhooks.pass_over();
  select t.store into owner from hookbridge_webhooks.taker t;
  if owner is null and most > 0 then
    insert into hookbridge_webhooks.taker (store) values (take.store);
  end if;
  if most > 0 and coalesce(owner, store) = store then
    delete from hookbridge_webhooks.leases where until <= clock_timestamp();
    select n.numbers, n.more into numbers, more from hookbridge_webhooks.next_numbers(most) n;
    if numbers <> '{}' then
      insert into hookbridge_webhooks.leases (numbers, until)
      values (numbers, clock_timestamp() + make_interval(secs => lease_seconds));
    end if;
  end if;
  select jsonb_agg(jsonb_build_object('id', c.id, 'message', c.message) order by c.number) into messages
  from hookbridge_webhooks.changes c where c.number = any(numbers);
  select extract(epoch from clock_timestamp() - c.created_at) into oldest
  from hookbridge_webhooks.changes c
  where c.number > gone order by c.number limit 1;
  return jsonb_build_object(
    'version', 1,
    'state', case when coalesce(owner, store) = store then 'taken' else 'other_store' end,
    'messages', coalesce(messages, '[]'),
    'more', more,
    'waiting', (select w.waiting from hookbridge_webhooks.count_waiting() w),
    'oldest_seconds', oldest,
    'overflowed', overflowed,
    'overflowing', hookbridge_webhooks.overflowing(overflowed, later)
  );
end
$$;

-- Removes messages, whoever holds their lease, and gives how many there were.
create or replace function hookbridge_webhooks.done(ids uuid[]) returns int
language plpgsql
set search_path = pg_catalog, pg_temp
-- By the index, whatever the statistics say of a table that was empty when they were made.
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  removed int;
  given bigint;
  left_over record;
begin
  perform hookbridge_webhooks.one_at_a_time();
  given := hookbridge_webhooks.last_of('hookbridge_webhooks.given');
  delete from hookbridge_webhooks.changes c where c.id = any(ids);
  get diagnostics removed = row_count;
  delete from hookbridge_webhooks.leases l
  where not exists (select from hookbridge_webhooks.changes c where c.number = any(l.numbers));
  -- A number that was rolled back waits for nobody, which shows as soon as few enough wait to be counted.
  select * into left_over from hookbridge_webhooks.count_waiting();
  perform setval(
    'hookbridge_webhooks.taken',
    case
      when left_over.counted then greatest(given - left_over.waiting, 0)
      else least(hookbridge_webhooks.last_of('hookbridge_webhooks.taken') + removed, given)
    end
  );
  return removed;
end
$$;

-- Lets another store take.  What was given to the former one gets new names, so that its late word removes nothing.
create or replace function hookbridge_webhooks.take_over() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform hookbridge_webhooks.one_at_a_time();
  update hookbridge_webhooks.changes c set id = gen_random_uuid()
  where c.number in (select unnest(l.numbers) from hookbridge_webhooks.leases l);
  delete from hookbridge_webhooks.leases;
  delete from hookbridge_webhooks.taker;
end
$$;
