do $$
begin
  if to_regrole('hookbridge') is null then
    return;
  end if;
  execute format('grant hookbridge to %I', current_user);
  drop schema if exists hookbridge cascade;
  drop owned by hookbridge;
  drop role hookbridge;
end
$$;
