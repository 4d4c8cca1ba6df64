"""The JSON Schemas of the structs that the API speaks of, with what their fields mean, and examples made of those."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from hookbridge.api.errors import ErrorBody, InvalidFieldsBody, InvalidSourceBody
from hookbridge.web.route import Route

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_TIME = "2026-01-01T15:00:00Z"
_SHOWN = {"examples", "default", "$ref"}
"""What is not in every answer is shown where it has one of these."""


class Schemas:
    """The schemas of the structs of some routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        bodies: list[type] = [ErrorBody, InvalidSourceBody, InvalidFieldsBody]
        spread: list[type] = []
        for route in routes:
            bodies += route.request.bodies if route.request else ()
            bodies += [body for answer in route.answers.values() for body in answer.bodies]
            spread += [kind for kind, _ in route.parameters]
        kinds = list(dict.fromkeys([*bodies, *spread]))
        schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE + "{name}")
        for schema in components.values():
            if "description" in schema:
                schema["description"] = readable(schema["description"])
            for shape in schema.get("properties", {}).values():
                _say_at_the_top(shape)
        self._by_type = dict(zip(kinds, schemas, strict=True))
        # What stands in path, query and headers is spread into parameters; its struct is no schema of the API.
        self._spread = {kind: components.pop(kind.__name__) for kind in dict.fromkeys(spread)}
        self.components: Json = components

    def of(self, types: tuple[type, ...]) -> Json:
        """The schema of a body that is one of these."""
        found = [self._by_type[kind] for kind in types]
        return found[0] if len(found) == 1 else {"anyOf": found}

    def parameters(self, kind: type, place: str) -> list[Json]:
        """The parameters that the fields of a struct are, each with what it means and an example."""
        schema = self._spread[kind]
        required = schema["properties"] if place == "path" else schema.get("required", ())
        return [
            {"name": name, "in": place, "required": name in required, **_parameter(shape)}
            for name, shape in schema["properties"].items()
        ]

    def example(self, kind: type) -> object:
        """Give an example of a body, made of those of its fields."""
        return self._example(self._by_type[kind])

    def _example(self, schema: Json) -> object:
        match schema:
            case {"examples": [first, *_]} | {"default": first} | {"const": first} | {"enum": [first, *_]}:
                return first
            case {"$ref": name}:
                return self._example(self.components[name.removeprefix(_REFERENCE)])
            case {"anyOf": [form, *_]}:
                return self._example(form)
            case {"format": "date-time"}:
                return _TIME
            case {"type": "array", "items": items}:
                return [self._example(items)]
            case {"properties": fields}:
                always = schema.get("required", ())
                return {name: self._example(one) for name, one in fields.items() if name in always or _SHOWN & {*one}}
            case _:
                raise LookupError(f"no example: {schema}")


def readable(docstring: str) -> str:
    """Give a docstring as Markdown for readers of JSON."""
    return re.sub(r"\bNone\b", "null", inspect.cleandoc(docstring).replace("``", "`").replace(".  ", ". "))


def _say_at_the_top(shape: Json) -> None:
    """Have a field say what it means where it may be null, too, although msgspec has that in one of its forms."""
    for form in shape.get("anyOf", ())[:1]:
        for name in ("description", "examples"):
            if name in form:
                shape.setdefault(name, form.pop(name))
    if len(shape.get("enum", ())) == 1:
        shape.setdefault("description", "Which of the forms it is.")  # the tag of a union's members


def _parameter(shape: Json) -> Json:
    """Give a parameter's schema, that may be left out and is never null, with its own words beside it."""
    said = {name: value for name, value in shape.items() if name != "anyOf" and (name, value) != ("default", None)}
    forms = [form for form in shape.get("anyOf", ()) if form != {"type": "null"}]
    schema = {**forms[0], **said} if len(forms) == 1 else {**said, **({"anyOf": forms} if forms else {})}
    (example, *_) = schema.pop("examples")
    return {"description": schema.pop("description"), "example": example, "schema": schema}
