-- Postgres lets everybody call a new function; only the schema's owner calls these.
revoke execute on all functions in schema hookbridge_webhooks from public;
