do $$
begin
  if to_regrole('hookbridge') is null then
    create role hookbridge login connection limit {connections} password {verifier};
  end if;
  -- To give a schema away one has to be in its role, which who made it is not yet; it also lets you look into it, dump it and drop it.
  execute format('grant hookbridge to %I', current_user);
  if not has_database_privilege('hookbridge', current_database(), 'connect') then
    execute format('grant connect on database %I to hookbridge', current_database());
  end if;
end
$$;

-- Through a pooler nobody can set them for a session.
alter role hookbridge set statement_timeout = '15s';
alter role hookbridge set lock_timeout = '5s';
alter role hookbridge set idle_in_transaction_session_timeout = '10s';

create schema if not exists hookbridge authorization hookbridge;

-- Where hookbridge has run as another role before, that one's are the schema and what is in it.
do $$
declare
  one text;
begin
  if (select nspowner from pg_namespace where nspname = 'hookbridge') <> to_regrole('hookbridge') then
    alter schema hookbridge owner to hookbridge;
  end if;
  for one in
    select format('table %s', oid::regclass) from pg_class
    where relnamespace = to_regnamespace('hookbridge') and relowner <> to_regrole('hookbridge')
      and relkind in ('r', 'p', 'v', 'S')
    union all
    select format('function %s', oid::regprocedure) from pg_proc
    where pronamespace = to_regnamespace('hookbridge') and proowner <> to_regrole('hookbridge')
  loop
    execute format('alter %s owner to hookbridge', one);
  end loop;
  grant usage, create on schema hookbridge to hookbridge;
end
$$;
