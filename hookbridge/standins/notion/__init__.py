"""A server that speaks Notion's wire format for reading, and sends integration webhooks."""

from hookbridge.standins.notion import errors
from hookbridge.standins.notion.standin import NotionStandin

__all__ = ["NotionStandin", "errors"]
