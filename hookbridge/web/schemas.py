"""The JSON Schemas of the structs that the API speaks of, with what their fields mean.

A field's meaning is the docstring below it, read from the source as people read it, so it stands in one place; common
words, which would be the same everywhere, stand in ``meanings.PROPERTIES``.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
from msgspec.inspect import DateTimeType, StructType, Type, multi_type_info

from hookbridge.web.meanings import PROPERTIES
from hookbridge.web.replies import ErrorBody, InvalidFieldsBody, InvalidSourceBody
from hookbridge.web.route import Route

Json = dict[str, Any]


class Schemas:
    """The schemas of the structs of some routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        types: list[type] = [ErrorBody, InvalidSourceBody, InvalidFieldsBody]
        queries: list[type] = []
        for route in routes:
            types += route.request.bodies if route.request else ()
            types += [body for answer in route.answers.values() for body in answer.bodies]
            queries += [route.query] if route.query else []
        unique = list(dict.fromkeys([*types, *queries]))
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


def readable(docstring: str) -> str:
    """Give a docstring as Markdown for readers of JSON."""
    return re.sub(r"\bNone\b", "null", inspect.cleandoc(docstring).replace("``", "`").replace(".  ", ". "))


@cache
def meanings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Give what the fields of a struct mean, by the docstrings below them."""
    found: dict[str, str] = {}
    for ancestor in reversed(struct.__mro__):
        declared = _classes(ancestor.__module__).get(ancestor.__qualname__)
        for field, below in pairwise(declared.body if declared else ()):
            match field, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(docstring))):
                    found[name] = readable(docstring)
    tag = struct.__struct_config__.tag_field
    return found if tag is None else {tag: "Which of the forms it is", **found}


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """The classes of one of our modules, as they are written."""
    if not module.startswith("hookbridge."):
        return {}
    written = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in written.body if isinstance(node, ast.ClassDef)}


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
