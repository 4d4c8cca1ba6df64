"""The JSON Schemas of the structs that the API speaks of, with what their fields mean.

A field's meaning is the docstring below it, which Python does not keep: ``scripts/field-meanings`` copies them all into
``fields.json``, so that nothing reads sources while it serves, and a test holds the two together.  Common words, which
would be the same everywhere, stand in ``meanings.PROPERTIES``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec.inspect import DateTimeType, StructType, Type, multi_type_info

from hookbridge.web.meanings import PROPERTIES
from hookbridge.web.replies import ErrorBody, InvalidFieldsBody, InvalidSourceBody
from hookbridge.web.route import Route

Json = dict[str, Any]

FIELDS = "fields.json"


class Schemas:
    """The schemas of the structs of some routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        unique, queries = _types_of(routes)
        schemas, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
        self._by_type = dict(zip(unique, schemas, strict=True))
        for node in _structs(unique):
            struct, schema = node.cls, components[node.cls.__name__]
            # What a parameter means depends on its chapter, so a query's common words are not explained here.
            _explain(schema, meanings(struct), {} if struct in queries else PROPERTIES)
            _say_times(schema, node)
        for schema in components.values():
            if "description" in schema:
                schema["description"] = readable(schema["description"])
        # A query is spread into parameters; its struct is no schema of the API.
        self._queries = {query: components.pop(query.__name__) for query in dict.fromkeys(queries)}
        self.components: Json = components

    def of(self, types: tuple[type, ...]) -> Json:
        """The schema of a body that is one of these."""
        found = [self._by_type[kind] for kind in types]
        return found[0] if len(found) == 1 else {"anyOf": found}

    def parameters(self, query: type[msgspec.Struct]) -> list[Json]:
        """The query parameters of a struct."""
        schema = self._queries[query]
        required = schema.get("required", ())
        return [
            {"name": name, "in": "query", "required": name in required, "schema": _without_null(shape)}
            for name, shape in schema["properties"].items()
        ]


def explained(routes: Iterable[Route]) -> Iterator[type]:
    """Give the classes whose fields the API speaks of, those that they are made of included."""
    met = {kind for node in _structs(_types_of(routes)[0]) for kind in node.cls.__mro__}
    return (kind for kind in met if kind.__module__.startswith("hookbridge."))


def _types_of(routes: Iterable[Route]) -> tuple[list[type], list[type]]:
    """Give all types of some routes, each once, and those of them that are queries."""
    types: list[type] = [ErrorBody, InvalidSourceBody, InvalidFieldsBody]
    queries: list[type] = []
    for route in routes:
        types += route.request.bodies if route.request else ()
        types += [body for answer in route.answers.values() for body in answer.bodies]
        queries += [route.query] if route.query else []
    return list(dict.fromkeys([*types, *queries])), queries


def readable(docstring: str) -> str:
    """Give a docstring as Markdown for readers of JSON."""
    return re.sub(r"\bNone\b", "null", inspect.cleandoc(docstring).replace("``", "`").replace(".  ", ". "))


def meanings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Give what the fields of a struct mean."""
    found: dict[str, str] = {}
    for ancestor in reversed(struct.__mro__):
        found |= _written().get(name_of(ancestor), {})
    tag = struct.__struct_config__.tag_field
    return found if tag is None else {tag: "Which of the forms it is", **found}


def name_of(struct: type) -> str:
    """Give the name under which its fields are explained."""
    return f"{struct.__module__}.{struct.__qualname__}"


@cache
def _written() -> Mapping[str, dict[str, str]]:
    return msgspec.json.decode(
        resources.files("hookbridge.web").joinpath(FIELDS).read_bytes(), type=dict[str, dict[str, str]]
    )


def _explain(schema: Json, meant: dict[str, str], common: Mapping[str, str]) -> None:
    for name, shape in schema["properties"].items():
        meaning = meant.get(name) or shape.get("description") or common.get(name)
        if meaning is not None:
            shape["description"] = meaning


def _say_times(schema: Json, struct: StructType) -> None:
    """Say of each time that it is one, with its zone: msgspec says so only of those that it would check."""
    for field in struct.fields:
        if any(isinstance(one, DateTimeType) for one in (field.type, *_inner(field.type))):
            shape = schema["properties"][field.encode_name]
            for form in shape.get("anyOf", [shape]):
                if form.get("type") == "string":
                    form["format"] = "date-time"


def _structs(types: list[type]) -> Iterator[StructType]:
    """Go through the structs that these speak of, each once."""
    met: set[type] = set()
    to_do = list(multi_type_info(types))
    while to_do:
        node = to_do.pop()
        if isinstance(node, StructType):
            if node.cls not in met:
                met.add(node.cls)
                to_do += [field.type for field in node.fields]
                yield node
        else:
            to_do += _inner(node)


def _inner(node: Type) -> list[Type]:
    values = (getattr(node, name) for name in node.__struct_fields__)
    return [
        one for value in values for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Type)
    ]


def _without_null(shape: Json) -> Json:
    """Give the schema of a parameter that may be left out: none can be null."""
    said = {name: value for name, value in shape.items() if name != "anyOf" and (name, value) != ("default", None)}
    forms = [form for form in shape.get("anyOf", ()) if form != {"type": "null"}]
    return {**forms[0], **said} if len(forms) == 1 else {**said, **({"anyOf": forms} if forms else {})}
