"""Alerts to people: who is told that the service is not healthy, when, and in which words.

One node tells, of all of them; what people were told outlives it.
"""

from __future__ import annotations

from hookbridge.alerts.telling import Alerts, send_test

__all__ = ["Alerts", "send_test"]
