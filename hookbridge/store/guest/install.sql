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
