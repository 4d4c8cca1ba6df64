-- The two functions that the Data API has, in a schema that it exposes, for the secret key alone.  Supabase's own default
-- rights let everybody call a new function, by name.
create or replace function hookbridge_webhooks.expose(api_schema text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  functions text := format(
    '%1$I.hookbridge_take(int, double precision, text), %1$I.hookbridge_done(uuid[])', api_schema
  );
  role_name text;
begin
  if to_regnamespace(quote_ident(api_schema)) is null then
    raise exception 'there is no schema %', api_schema using hint = 'name one of the Data API with --api-schema';
  end if;
  -- PostgREST takes the isolation from here.
  execute format(
    $sql$
      create or replace function %I.hookbridge_take(most int, lease_seconds double precision, store text) returns jsonb
      language plpgsql security definer
      set search_path = pg_catalog, pg_temp
      set default_transaction_isolation = 'read committed'
      as 'begin return hookbridge_webhooks.take(most, lease_seconds, store); end'
    $sql$,
    api_schema
  );
  execute format(
    $sql$
      create or replace function %I.hookbridge_done(ids uuid[]) returns int
      language plpgsql security definer
      set search_path = pg_catalog, pg_temp
      set default_transaction_isolation = 'read committed'
      as 'begin return hookbridge_webhooks.done(ids); end'
    $sql$,
    api_schema
  );
  execute format('revoke execute on function %s from public', functions);
  for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('revoke execute on function %s from %I', functions, role_name);
  end loop;
  if not exists (select from pg_roles where rolname = 'service_role') then
    raise warning 'there is no role service_role: grant execute on function % to the role that hookbridge has', functions;
    return;
  end if;
  execute format('grant execute on function %s to service_role', functions);
end
$$;

-- Takes them out of every schema.
create or replace function hookbridge_webhooks.hide() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  exposed text;
begin
  for exposed in
    select p.oid::regprocedure::text from pg_proc p
    where p.proname in ('hookbridge_take', 'hookbridge_done') and position('hookbridge_webhooks.' in p.prosrc) > 0
  loop
    execute 'drop function ' || exposed;
  end loop;
  perform pg_notify('pgrst', 'reload schema');
end
$$;
