"""One line of the route table, as data.

What stands here drives the router, the check of the admin token and ``/openapi.json``, so none of them can drift from
another.  It knows no endpoint.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from hookbridge import errors

UNDER_ANY_NAME = "/healthz"
"""The path that is answered whatever ``Host`` says: it says nothing, and probes know no names."""

SLASH = "/"
"""Behind a path it changes nothing: people and tools add one to the URLs that they are given."""

Access = Literal["public", "signed", "readers", "operators"]
"""``signed``: the source authenticates the sender when signatures are verified; ``readers``: operators, too."""

Scheme = Literal["adminToken", "readToken", "webhookSignature", "standardWebhooks", "staticToken", "notionSignature"]
"""How a caller can say who it is; ``openapi`` describes them."""

SIGNED: tuple[Scheme, ...] = ("webhookSignature", "standardWebhooks", "staticToken")
"""What every endpoint of a source takes."""


def spellings(path: str) -> tuple[str, ...]:
    """Give the paths under which a route is served; only its own is documented."""
    return (path,) if path == SLASH else (path, path + SLASH)


def endpoint_of(request: web.BaseRequest) -> str:
    """Give the path of the endpoint that a request names, as the route table spells it.

    The raw path, because a slash that is written ``%2F`` belongs to what stands in the path.
    """
    return request.rel_url.raw_path.removesuffix(SLASH) or SLASH


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a request succeeds, or reports a state as a body of its own."""

    description: str
    bodies: tuple[type, ...] = ()
    """The structs that the body may be; none for an answer without a body."""
    example: object = None
    """Without one, those of the structs, made of their fields'."""
    headers: dict[str, str] = {}
    """Name → what it says."""
    media: str = "application/json"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON body that is taken."""

    bodies: tuple[type, ...]
    examples: dict[str, object]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Method and path, who may call it, what goes in and what comes out."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: Handler
    access: Access = "operators"
    """What says nothing is for operators alone."""
    schemes: tuple[Scheme, ...] = ()
    """How a caller can say who it is, beyond what ``operators`` have to say anyway."""
    tag: str | None = None
    """The chapter of the API's documentation; None for what is no part of the API (the documentation itself)."""
    name: str = ""
    description: str = ""
    """Without one, the handler's docstring; its first sentence is the summary."""
    place: type[msgspec.Struct] | None = None
    """What stands in the path between braces."""
    query: type[msgspec.Struct] | None = None
    headers: type[msgspec.Struct] | None = None
    """The headers that it looks at, beyond those of who is calling."""
    request: Request | None = None
    answers: dict[int, Answer] = {}
    refusals: tuple[type[errors.HookbridgeError], ...] = ()
    """What it may be refused with beyond what its access and its body bring with them."""

    @property
    def parameters(self) -> list[tuple[type[msgspec.Struct], str]]:
        """The structs whose fields are parameters, each with where those stand."""
        places = ((self.place, "path"), (self.query, "query"), (self.headers, "header"))
        return [(kind, place) for kind, place in places if kind is not None]

    def all_refusals(self) -> tuple[type[errors.HookbridgeError], ...]:
        """Every foreseen error that it may answer with."""
        found: list[type[errors.HookbridgeError]] = [] if self.path == UNDER_ANY_NAME else [errors.HostRefused]
        if self.request is not None:
            found += [
                errors.InvalidJson,
                errors.InvalidFields,
                errors.BodyTooSlow,
                errors.PayloadTooLarge,
                errors.UnsupportedMediaType,
            ]
        if self.query is not None or self.place is not None:
            found.append(errors.InvalidParameter)
        if self.access == "signed":
            found += [errors.InvalidSignature, errors.NotReceiving]
        if self.access in ("readers", "operators"):
            found.append(errors.AdminTokenRequired)
        return (*found, *self.refusals)
