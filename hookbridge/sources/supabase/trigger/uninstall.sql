-- What the tables share goes with the last trigger that uses it, undelivered messages included.  The secret stays in Vault:
--   delete from vault.secrets where name = 'hookbridge_webhook_secret';
do $$
begin
  if to_regnamespace('hookbridge_webhooks') is null then
    return;
  end if;
  if exists (
    select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where p.pronamespace = to_regnamespace('hookbridge_webhooks')
  ) then
    raise notice 'other tables still use hookbridge_webhooks: it stays';
    return;
  end if;
  if to_regclass('cron.job') is not null then
    perform cron.unschedule(jobname) from cron.job where jobname = 'hookbridge_webhooks';
  end if;
  if to_regprocedure('hookbridge_webhooks.hide()') is not null then
    perform hookbridge_webhooks.hide();
  end if;
  drop schema hookbridge_webhooks cascade;
end
$$;
