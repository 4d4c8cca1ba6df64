"""What a refusal says: the guide's "Error Responses"."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hookbridge.api.fields import Message, means
from hookbridge.errors import FieldProblem

Code = Annotated[str, means("A word for programs.", "unavailable")]


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong, in a word for programs and a sentence for people."""

    error: Code
    message: Message
    hint: Annotated[str, means("What to do about it, where that is known.")] = ""


class InvalidSourceBody(msgspec.Struct, frozen=True, kw_only=True):
    """The payload belongs to another endpoint."""

    error: Code
    message: Message
    expected: Annotated[str, means("The source that the endpoint takes.", "supabase")]
    received: Annotated[str, means("The source that the payload names.", "notion")]


class InvalidFieldsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Every field that is wrong."""

    detail: Annotated[tuple[FieldProblem, ...], means("One entry for each.")]
