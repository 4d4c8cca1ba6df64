"""hookbridge keeps a copy and a search index true to Supabase tables and Notion databases.

These are the names that a handler module needs; the service itself is ``python -m hookbridge``.
"""

from hookbridge.errors import PermanentFailure
from hookbridge.handlers import bridge
from hookbridge.model import Change, Copy, RecordKey, Verification

__version__: str

__all__ = ["Change", "Copy", "PermanentFailure", "RecordKey", "Verification", "__version__", "bridge"]


def __getattr__(name: str) -> str:
    """Give the version when somebody asks: looking it up costs 35 ms."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  see above

        return version("hookbridge")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
