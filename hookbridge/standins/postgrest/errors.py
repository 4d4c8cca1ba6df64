"""Every error that PostgREST, PostgreSQL behind it and the hosted gateway before it answer with.

Bodies and headers are those of recorded exchanges with PostgREST 14; `Proxy-Status` names the code, and what is about
the key carries `WWW-Authenticate`.  Sources: PostgREST documentation, "Errors"; the recorded exchanges in the tests.
"""

import json
from collections.abc import Sequence

from hookbridge.standins.faults import html_reply
from hookbridge.standins.wire import Reply

JSON_TYPE = "application/json; charset=utf-8"
SERVER = "postgrest/14.13"


class WireError(Exception):
    """Ends the handling of a request with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body.decode())
        self.reply = reply


def error(
    status: int,
    code: str,
    message: str,
    *,
    details: str | None = None,
    hint: str | None = None,
    headers: dict[str, str] | None = None,
) -> WireError:
    """An error as PostgREST words it: four fields in alphabetical order, no spaces."""
    body = {"code": code, "details": details, "hint": hint, "message": message}
    own = {"Server": SERVER, "Content-Type": JSON_TYPE, "Proxy-Status": f"PostgREST; error={code}"}
    return WireError(Reply(status=status, body=_compact(body), headers=own | (headers or {})))


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def unknown_table(schema: str, table: str, similar: str | None) -> WireError:
    """PGRST205; the hint names a table that is written alike."""
    hint = None if similar is None else f"Perhaps you meant the table '{schema}.{similar}'"
    return error(404, "PGRST205", f"Could not find the table '{schema}.{table}' in the schema cache", hint=hint)


def unknown_schema(schema: str, exposed: tuple[str, ...]) -> WireError:
    """PGRST106: `Accept-Profile` names a schema that is not exposed."""
    hint = f"Only the following schemas are exposed: {', '.join(exposed)}"
    return error(406, "PGRST106", f"Invalid schema: {schema}", hint=hint)


def unknown_column(table: str, column: str, similar: list[str]) -> WireError:
    """42703, for a filter, a selection or an order alike; the hint names up to two columns that are written alike."""
    names = " or the column ".join(f'"{table}.{name}"' for name in similar)
    hint = f"Perhaps you meant to reference the column {names}." if similar else None
    return error(400, "42703", f"column {table}.{column} does not exist", hint=hint)


def invalid_text(type_name: str, text: str) -> WireError:
    """22P02: the text is no value of the column's type."""
    return error(400, "22P02", f'invalid input syntax for type {type_name}: "{text}"')


def invalid_datetime(type_name: str, text: str) -> WireError:
    """22007: the same for dates and times."""
    return error(400, "22007", f'invalid input syntax for type {type_name}: "{text}"')


def out_of_range(type_name: str, text: str) -> WireError:
    """22003: an integer that its type cannot hold."""
    return error(400, "22003", f'value "{text}" is out of range for type {type_name}')


def datetime_out_of_range(text: str, *, ambiguous: bool = False) -> WireError:
    """22008: a date or time with a field that no date has; `ambiguous` when day and month may have been confused."""
    hint = 'Perhaps you need a different "datestyle" setting.' if ambiguous else None
    return error(400, "22008", f'date/time field value out of range: "{text}"', hint=hint)


def no_operator(type_name: str, operator: str) -> WireError:
    """42883: the column's type has no such operator; 404, like a function that is missing."""
    hint = "No operator matches the given name and argument types. You might need to add explicit type casts."
    return error(404, "42883", f"operator does not exist: {type_name} {operator} unknown", hint=hint)


def unparsable(what: str, text: str, column: int, details: str) -> WireError:
    """PGRST100: a parameter that PostgREST's parser refuses, at this column (from 1)."""
    message = f'"failed to parse {what} ({text})" (line 1, column {column})'
    return error(400, "PGRST100", message, details=details)


def invalid_path() -> WireError:
    """PGRST125: a path that is neither a table nor a function."""
    return error(404, "PGRST125", "Invalid path specified in request URL")


def unknown_function(schema: str, name: str, parameters: Sequence[str] = ()) -> WireError:
    """PGRST202: `rpc/<name>`, of which there is none with these parameters."""
    called = f"the function {schema}.{name}"
    if not parameters:
        called = searched = f"{called} without parameters"
    else:
        kind = "parameter" if len(parameters) == 1 else "parameters"
        searched = f"{called} with {kind} {', '.join(parameters)} or with a single unnamed json/jsonb parameter"
        called = f"{called}({', '.join(parameters)})"
    details = f"Searched for {searched}, but no matches were found in the schema cache."
    return error(404, "PGRST202", f"Could not find {called} in the schema cache", details=details)


def wrong_media_type(media_type: str) -> WireError:
    """PGRST102: a body that is no JSON by its own word."""
    return error(400, "PGRST102", f"Content-Type not acceptable: {media_type}")


def unsatisfiable_range(details: str) -> WireError:
    """PGRST103: a window of rows that there cannot be."""
    return error(416, "PGRST103", "Requested range not satisfiable", details=details)


def not_embedded(name: str) -> WireError:
    """PGRST108: a name with a dot is a column of an embedded table, unless it is in double quotes."""
    message = f"'{name}' is not an embedded resource in this request"
    return error(400, "PGRST108", message, hint=f"Verify that '{name}' is included in the 'select' query parameter.")


def not_one_row(rows: int) -> WireError:
    """PGRST116: one object was asked for, and there is not exactly one row."""
    message = "Cannot coerce the result to a single JSON object"
    return error(406, "PGRST116", message, details=f"The result contains {rows} rows")


def beyond_the_end(offset: int, total: int) -> WireError:
    """PGRST103: an offset beyond a counted result."""
    details = f"An offset of {offset} was requested, but there are only {total} rows."
    return error(416, "PGRST103", "Requested range not satisfiable", details=details)


def duplicate_key(table: str, columns: tuple[str, ...], values: tuple[str, ...]) -> WireError:
    """23505: an insert of a key that exists."""
    details = f"Key ({', '.join(columns)})=({', '.join(values)}) already exists."
    message = f'duplicate key value violates unique constraint "{table}_pkey"'
    return error(409, "23505", message, details=details)


def permission_denied(table: str, *, anonymous: bool) -> WireError:
    """42501: 403 for a role, 401 for the anonymous one."""
    return _denied(f"permission denied for table {table}", anonymous=anonymous)


def function_denied(name: str, *, anonymous: bool) -> WireError:
    """42501 as well, of a function that the role may not execute."""
    return _denied(f"permission denied for function {name}", anonymous=anonymous)


def _denied(message: str, *, anonymous: bool) -> WireError:
    if anonymous:
        return error(401, "42501", message, headers={"WWW-Authenticate": "Bearer"})
    return error(403, "42501", message)


def unknown_role(role: str) -> WireError:
    """22023: the key's role does not exist in the database."""
    message = f'role "{role}" does not exist'
    return error(401, "22023", message, headers={"WWW-Authenticate": "Bearer"})


def _invalid_token(code: str, message: str, details: str | None = None) -> WireError:
    challenge = f'Bearer error="invalid_token", error_description="{message}"'
    return error(401, code, message, details=details, headers={"WWW-Authenticate": challenge})


def key_not_decodable() -> WireError:
    """PGRST301: a JWT that was signed with another secret."""
    return _invalid_token(
        "PGRST301", "No suitable key or wrong key type", "None of the keys was able to decode the JWT"
    )


def key_not_a_jwt(parts: int) -> WireError:
    """PGRST301: what PostgREST itself says to an `sb_secret_…` key when no gateway exchanges it."""
    return _invalid_token("PGRST301", f"Expected 3 parts in JWT; got {parts}")


def key_malformed() -> WireError:
    """PGRST301: three parts that are no JWT."""
    return _invalid_token("PGRST301", "JWT cryptographic operation failed")


def key_expired() -> WireError:
    """PGRST303."""
    return _invalid_token("PGRST303", "JWT expired")


def statement_timeout() -> WireError:
    """57014."""
    return error(500, "57014", "canceling statement due to statement timeout")


def terminated() -> WireError:
    """57P01: what a connection hears while the database stops."""
    message = "terminating connection due to administrator command"
    return error(503, "57P01", message, headers={"Retry-After": "0"})


def no_schema_cache() -> WireError:
    """PGRST002: the database is down, or the schema cache is not loaded yet."""
    message = "Could not query the database for the schema cache. Retrying."
    return error(503, "PGRST002", message, headers={"Retry-After": "0"})


def pool_exhausted() -> WireError:
    """PGRST003."""
    return error(504, "PGRST003", "Timed out acquiring connection from connection pool.")


def gateway(status: int, message: str) -> WireError:
    """An answer of the hosted gateway itself: a message and no code."""
    return WireError(Reply(status=status, body=_compact({"message": message}), headers={"Content-Type": JSON_TYPE}))


def invalid_api_key() -> WireError:
    """The gateway's 401."""
    return gateway(401, "Invalid API key")


def own_error(status: int, retry_after: str | None) -> Reply:
    """The reply that this source sends with a status; a proxy's HTML page where it never speaks itself (502, 520)."""
    known = {
        401: invalid_api_key,
        429: lambda: gateway(429, "API rate limit exceeded"),
        500: statement_timeout,
        503: no_schema_cache,
        504: pool_exhausted,
    }
    reply = known[status]().reply if status in known else html_reply(status)
    if retry_after is None:
        return reply
    return Reply(status=status, body=reply.body, headers={**reply.headers, "Retry-After": retry_after})
