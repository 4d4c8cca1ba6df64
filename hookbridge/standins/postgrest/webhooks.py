"""Supabase's native Database Webhook, byte for byte as pg_net sends it.

The body is `jsonb::text` of `{type, table, record, schema, old_record}`.  There is no event id, no timestamp and no
signature; the headers are libcurl's, then those configured on the trigger, in jsonb key order.
Sources: Supabase documentation, "Database Webhooks"; bodies captured from pg_net 0.20.4 on PostgreSQL 15.
"""

from collections.abc import Mapping

from hookbridge.standins.postgrest.jsonb import jsonb_object, jsonb_order, quoted
from hookbridge.standins.postgrest.tables import Change
from hookbridge.standins.wire import Webhook

USER_AGENT = "pg_net/0.20.4"


def native_body(change: Change) -> bytes:
    """The bytes of the body for one row's change."""
    table = change.table
    members = (
        ("type", quoted(change.operation)),
        ("table", quoted(table.name)),
        ("schema", quoted(table.schema)),
        ("record", table.as_jsonb(change.record)),
        ("old_record", table.as_jsonb(change.old_record)),
    )
    return jsonb_object(members).encode()


def native_webhook(change: Change, trigger_headers: Mapping[str, str]) -> Webhook:
    """The request that the trigger leads to."""
    static = {"Content-Type": "application/json"} | dict(trigger_headers)
    ordered = {name: static[name] for name in sorted(static, key=jsonb_order)}
    return Webhook(body=native_body(change), headers={"Accept": "*/*"} | ordered | {"User-Agent": USER_AGENT})
