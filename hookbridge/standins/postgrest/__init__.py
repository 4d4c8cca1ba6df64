"""A server that speaks PostgREST's wire format as Supabase serves it, and sends native Database Webhooks."""

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.jsonb import JSON_NULL, Json, jsonb_text
from hookbridge.standins.postgrest.standin import PostgrestStandin

__all__ = ["JSON_NULL", "Json", "PostgrestStandin", "errors", "jsonb_text"]
