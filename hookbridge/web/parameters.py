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
from hookbridge.model import RecordKey, SourceName
from hookbridge.service import Service
from hookbridge.sources.bodies import decode_object

T = TypeVar("T", bound=msgspec.Struct)
Where = Literal["query", "body"]


def query(request: web.Request, kind: type[T]) -> T:
    """Convert the query string.  Raises InvalidFields with every parameter that is wrong."""
    return _convert(dict(request.query), kind, where="query")


def json_body(raw: bytes, kind: type[T]) -> T:
    """Convert a JSON object.  Raises InvalidJson, or InvalidFields with every field that is wrong."""
    return _convert(decode_object(raw), kind, where="body")


def path_key(service: Service, request: web.Request) -> RecordKey:
    """Name the record of ``/{source}/{table}/{id}``.  Raises InvalidParameter."""
    at = request.match_info
    for name, source in service.sources.items():
        if name == at["source"]:
            return source.key(at["table"], at["id"])
    raise InvalidParameter("source", f"expected one of {', '.join(service.sources)}", where="path")


def table_filter(service: Service, source: SourceName | None, table: str | None) -> str | None:
    """Give the normal name of a table to filter by.  Raises InvalidParameter: a table is a table of one source."""
    if table is None:
        return None
    if source is None:
        raise InvalidParameter("source", "required together with table")
    return service.sources[source].table(table)


def normal_id(service: Service, source: SourceName | None, table: str | None, record_id: str | None) -> str | None:
    """Give the normal form of a record's id to filter by, where its table is known; any other text as it is."""
    if source is None or table is None or record_id is None:
        return record_id
    return service.sources[source].key(table, record_id).id


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
