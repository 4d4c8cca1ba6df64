"""Local servers that speak the wire formats of Supabase and Notion, hold real state and fail on request.

For tests, benchmarks and the demo.  They import nothing of the service, so that no mistake is made on both sides.
"""

from .faults import Fault, Faults
from .postgrest import PostgrestStandin
from .server import RequestLog, Standin
from .wire import Listener, Reply, SeenRequest, Webhook

__all__ = [
    "Fault",
    "Faults",
    "Listener",
    "PostgrestStandin",
    "Reply",
    "RequestLog",
    "SeenRequest",
    "Standin",
    "Webhook",
]
