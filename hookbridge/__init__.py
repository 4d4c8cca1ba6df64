"""hookbridge keeps a copy and a search index true to Supabase tables and Notion databases.

These are the names that a handler module needs; the service itself is ``python -m hookbridge``.
"""

from importlib.metadata import version

from hookbridge.errors import PermanentFailure
from hookbridge.handlers import bridge
from hookbridge.model import Change, Copy, RecordKey, Verification

__version__ = version("hookbridge")

__all__ = ["Change", "Copy", "PermanentFailure", "RecordKey", "Verification", "__version__", "bridge"]
