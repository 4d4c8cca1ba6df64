"""A server that speaks PostgREST's wire format as Supabase serves it, and sends native Database Webhooks."""

from . import errors
from .jsonb import Json, jsonb_text
from .standin import PostgrestStandin

__all__ = ["Json", "PostgrestStandin", "errors", "jsonb_text"]
