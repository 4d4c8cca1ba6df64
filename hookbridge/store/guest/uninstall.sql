do $$
begin
  if to_regrole('hookbridge') is null then
    return;
  end if;
  execute format('grant hookbridge to %I', current_user);
  drop schema if exists hookbridge cascade;
  drop owned by hookbridge;
  begin
    drop role hookbridge;
  exception when dependent_objects_still_exist then
    raise notice 'another database of this server has something of the role: it stays';
  end;
end
$$;
