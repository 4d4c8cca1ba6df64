-- What a Supabase project has beside the user's tables, as far as the generated SQL can see it.

-- A server's databases share its roles.
do $$
declare
  name text;
begin
  foreach name in array array['anon', 'authenticated', 'service_role'] loop
    begin
      execute format('create role %I nologin', name);
    exception when duplicate_object or unique_violation then
      null;
    end;
  end loop;
end
$$;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;

create schema net;
create unlogged table net.http_request_queue (
  id bigserial primary key, method text not null, url text not null, headers jsonb, body bytea,
  timeout_milliseconds int not null
);
create unlogged table net._http_response (
  id bigint, status_code int, content_type text, headers jsonb, content text, timed_out bool, error_msg text,
  created timestamptz not null default now()
);

-- pg_net's own signature and check; its body is the jsonb's text.
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds int default 5000
) returns bigint language plpgsql security definer as $$
declare
  request_id bigint;
begin
  if not exists (
    select from jsonb_each_text(headers) where lower(key) = 'content-type' and value = 'application/json'
  ) then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values ('POST', url, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
  returning id into request_id;
  return request_id;
end
$$;

create function net.worker_restart() returns bool language sql as 'select true';

create schema vault;
create table vault.secrets (id uuid primary key default gen_random_uuid(), name text unique, secret text);
create view vault.decrypted_secrets as select id, name, secret as decrypted_secret from vault.secrets;
create function vault.create_secret(new_secret text, new_name text) returns uuid language sql as $$
  insert into vault.secrets (secret, name) values (new_secret, new_name) returning id
$$;
create function vault.update_secret(secret_id uuid, new_secret text) returns void language sql as $$
  update vault.secrets set secret = new_secret where id = secret_id
$$;

create schema cron;
create table cron.job (
  jobid bigserial primary key, jobname text unique, schedule text, command text, active boolean not null default true
);
create table cron.job_run_details (jobid bigint, status text, return_message text, start_time timestamptz);
create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as $$
  insert into cron.job (jobname, schedule, command) values (job_name, schedule, command)
  on conflict (jobname) do update set schedule = excluded.schedule, command = excluded.command
  returning jobid
$$;
create function cron.unschedule(job_name text) returns bool language plpgsql as $$
begin
  delete from cron.job where jobname = job_name;
  if not found then
    raise exception 'could not find valid entry for job ''%''', job_name;
  end if;
  return true;
end
$$;

-- What the dashboard's Database Webhooks call: the address, method, headers, parameters and timeout are its arguments.
create schema supabase_functions;
create function supabase_functions.http_request() returns trigger language plpgsql as $$
begin
  perform net.http_post(
    tg_argv[0],
    jsonb_build_object(
      'type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema,
      'record', to_jsonb(new), 'old_record', to_jsonb(old)
    ),
    tg_argv[3]::jsonb, tg_argv[2]::jsonb, tg_argv[4]::int
  );
  return null;
end
$$;

create table public.users (id bigint primary key, name text, note text);
