-- The outbox of before goes when no table uses it and nothing waits in it; its job goes with it.
do $$
declare
  waiting bigint;
begin
  if to_regprocedure('hookbridge_webhooks.enqueue()') is null or exists (
    select from pg_trigger where tgfoid = to_regprocedure('hookbridge_webhooks.enqueue()')
  ) then
    return;
  end if;
  select count(*) into waiting from hookbridge_webhooks.outbox;
  if waiting > 0 then
    raise notice '% messages wait in the outbox: it stays until this is run again after they have arrived', waiting;
    return;
  end if;
  if to_regclass('cron.job') is not null then
    perform cron.unschedule(jobname) from cron.job where jobname = 'hookbridge_webhooks';
  end if;
  -- If they exist: an earlier version made fewer of them.
  drop function if exists hookbridge_webhooks.enqueue(), hookbridge_webhooks.deliver(),
    hookbridge_webhooks.enqueue_waiting(regclass, text),
    hookbridge_webhooks.hand_over(hookbridge_webhooks.outbox), hookbridge_webhooks.backoff(int);
  drop table hookbridge_webhooks.requests, hookbridge_webhooks.outbox;
end
$$;
