-- What hookbridge took changes from goes when no table uses it and nothing waits in it.
do $$
declare
  waiting bigint;
begin
  if to_regprocedure('hookbridge_webhooks.keep()') is null or exists (
    select from pg_trigger where tgfoid = to_regprocedure('hookbridge_webhooks.keep()')
  ) then
    return;
  end if;
  select count(*) into waiting from hookbridge_webhooks.changes;
  if waiting > 0 then
    raise notice '% changes wait to be taken: this stays until it is run again after they were', waiting;
    return;
  end if;
  perform hookbridge_webhooks.hide();
  -- If they exist: an earlier version made fewer of them.
  drop function if exists hookbridge_webhooks.hide(), hookbridge_webhooks.expose(text), hookbridge_webhooks.take_over(),
    hookbridge_webhooks.done(uuid[]), hookbridge_webhooks.take(int, double precision, text),
    hookbridge_webhooks.next_numbers(int), hookbridge_webhooks.count_waiting(), hookbridge_webhooks.pass_over(),
    hookbridge_webhooks.overflowing(bigint, boolean),
    hookbridge_webhooks.one_at_a_time(),
    hookbridge_webhooks.warn_of_webhooks(regclass, text), hookbridge_webhooks.take_from_outbox(regclass, text[]),
    hookbridge_webhooks.keep(), hookbridge_webhooks.records_of(jsonb, text[]), hookbridge_webhooks.not_kept(),
    hookbridge_webhooks.last_of(regclass);
  drop sequence if exists hookbridge_webhooks.given, hookbridge_webhooks.taken, hookbridge_webhooks.overflowed,
    hookbridge_webhooks.gone, hookbridge_webhooks.marked, hookbridge_webhooks.marked_xid, hookbridge_webhooks.looked_at,
    hookbridge_webhooks.lost_seen, hookbridge_webhooks.lost_xid;
  drop table hookbridge_webhooks.taker, hookbridge_webhooks.leases, hookbridge_webhooks.changes;
end
$$;
