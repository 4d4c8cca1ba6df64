"""Local servers that speak the wire formats of Supabase and Notion, hold real state and fail on request.

For tests, benchmarks and the demo.  They import nothing of the service, so that no mistake is made on both sides.
"""

from hookbridge.standins.faults import Fault, Faults
from hookbridge.standins.notion import NotionStandin
from hookbridge.standins.postgrest import PostgrestStandin
from hookbridge.standins.server import RequestLog, Standin
from hookbridge.standins.wire import Listener, Reply, SeenRequest, Webhook

__all__ = [
    "Fault",
    "Faults",
    "Listener",
    "NotionStandin",
    "PostgrestStandin",
    "Reply",
    "RequestLog",
    "SeenRequest",
    "Standin",
    "Webhook",
]
