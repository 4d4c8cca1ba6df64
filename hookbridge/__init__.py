"""hookbridge keeps a copy and a search index true to Supabase tables and Notion databases.

These are the names that a handler module needs; the service itself is ``python -m hookbridge``.  They are imported when
somebody asks for them: before that, ``__main__`` has to be able to say that a package is missing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hookbridge.errors import PermanentFailure
    from hookbridge.handlers import Bridge, bridge
    from hookbridge.model import Change, Content, Copy, RecordKey, Verification

    __version__: str

__all__ = [
    "Bridge",
    "Change",
    "Content",
    "Copy",
    "PermanentFailure",
    "RecordKey",
    "Verification",
    "__version__",
    "bridge",
]

_HOMES = {
    "PermanentFailure": "errors",
    **dict.fromkeys(("Bridge", "bridge"), "handlers"),
    **dict.fromkeys(("Change", "Content", "Copy", "RecordKey", "Verification"), "model"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name is of
    """Give a name when somebody asks; looking up the version costs 35 ms."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  see above

        return version("hookbridge")
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # noqa: PLC0415  see above

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
