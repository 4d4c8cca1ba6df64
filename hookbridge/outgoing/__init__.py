"""Requests of ours to an address that a user has written: a destination's, that of people who are told of trouble.

Where one may lead, how long it may take and how much of an answer is read is decided here, for all of them.
"""

from __future__ import annotations

from hookbridge.outgoing.calls import Answered, Caller, Unanswered, origin, wait_seconds

__all__ = ["Answered", "Caller", "Unanswered", "origin", "wait_seconds"]
