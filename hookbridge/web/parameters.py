"""Query parameters and JSON bodies of the operators' endpoints as structs.

Invariant: unknown names are refused, and a refusal lists everything that is wrong.  Webhooks are not read here: their
formats are the sources' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

import msgspec
from aiohttp import web

from hookbridge.errors import FieldProblem, InvalidFields, InvalidParameter
from hookbridge.model import SOURCES, RecordKey, SourceName
from hookbridge.names import dashed
from hookbridge.service import Service
from hookbridge.sources.bodies import decode_object
from hookbridge.sources.encodings import text_of
from hookbridge.sources.source import Source
from hookbridge.sources.times import instant_of

T = TypeVar("T", bound=msgspec.Struct)
Where = Literal["query", "body"]


def query(request: web.Request, kind: type[T]) -> T:
    """Convert the query string.  Raises InvalidFields with every parameter that is wrong."""
    return _convert(dict(request.query), kind, where="query")


def json_body(raw: bytes, kind: type[T]) -> T:
    """Convert a JSON object.  Raises InvalidJson, or InvalidFields with every field that is wrong."""
    return _convert(decode_object(text_of(raw)), kind, where="body")


def path_key(service: Service, request: web.Request) -> RecordKey:
    """Name the record of ``/{source}/{table}/{id}``.  Raises InvalidParameter."""
    at = request.match_info
    return service.sources[path_source(request)].key(at["table"], at["id"])


def path_source(request: web.Request) -> SourceName:
    """Name the source of ``/{source}/…``.  Raises InvalidParameter."""
    for source in SOURCES:
        if request.match_info["source"] == source:
            return source
    raise InvalidParameter("source", f"expected one of {', '.join(SOURCES)}", where="path")


def table_of_source(service: Service, source: SourceName | None, table: str | None, *, where: Where) -> str | None:
    """Give the normal name of one table.  Raises InvalidParameter: it needs its source."""
    if table is None:
        return None
    if source is None:
        raise InvalidParameter("source", "required together with table", where=where)
    return service.sources[source].table(table, where=where)


def table_names(service: Service, source: SourceName | None, table: str | None, *, where: Where) -> tuple[str, ...]:
    """Give the names that a table may have: its normal name in the source, or without one in each.

    Raises InvalidParameter when it cannot be a table's name.
    """
    if table is None:
        return ()
    return tuple(dict.fromkeys(one.table(table, where=where) for one in _sources(service, source)))


def record_ids(
    service: Service, source: SourceName | None, table: str | None, record_id: str | None, *, where: Where
) -> tuple[str, ...]:
    """Give the ids that a record may have: the normal form where its table is known; else as written, and as a page's.

    Raises InvalidParameter when it cannot be the id of a record of that table.
    """
    if record_id is None:
        return ()
    if table is None:
        return tuple(dict.fromkeys((record_id, dashed(record_id))))
    found: dict[str, None] = {}
    refusal: InvalidParameter | None = None
    for one in _sources(service, source):
        try:
            found[one.key(table, record_id).id] = None
        except InvalidParameter as error:  # what is no key of a row may be a page's
            refusal = error
    if not found and refusal is not None:
        raise InvalidParameter("record_id", refusal.problems[0].msg, where=where)
    return tuple(found)


def instant(name: str, text: str | None, *, where: Where) -> float | None:
    """Give the epoch seconds from which on a time is shown as this one or later; None where none was asked for.

    Raises InvalidParameter.
    """
    if text is None:
        return None
    if (at := instant_of(text)) is None:
        raise InvalidParameter(name, "expected a time as in 2026-01-01T15:00:00Z", where=where)
    # Times are shown rounded to the microsecond: one that was copied from an answer means what was shown so.
    return at.timestamp() - 0.5e-6


def _sources(service: Service, source: SourceName | None) -> list[Source]:
    return [one for name, one in service.sources.items() if source in {None, name}]


def _convert(values: Mapping[str, object], kind: type[T], *, where: Where) -> T:
    # A query has only strings: there "20" is a number.  In JSON it is not.
    strict = where == "body"
    try:
        return msgspec.convert(values, kind, strict=strict)
    except msgspec.ValidationError:
        raise InvalidFields(_problems(values, kind, where, strict=strict)) from None


def _problems(values: Mapping[str, object], kind: type[T], where: Where, *, strict: bool) -> list[FieldProblem]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = [
        FieldProblem((where, name), "there is no such field", "value_error.extra")
        for name in values
        if name not in fields
    ]
    for name, field in fields.items():
        if name not in values:
            if field.required:
                problems.append(FieldProblem((where, name), "field required", "value_error.missing"))
            continue
        try:
            msgspec.convert(values[name], field.type, strict=strict)
        except msgspec.ValidationError as error:
            problems.append(FieldProblem((where, name), str(error), "value_error"))
    return problems
