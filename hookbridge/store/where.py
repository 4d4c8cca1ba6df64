"""Conditions of a listing, gathered with their parameters so that neither can lose the other."""

from __future__ import annotations


class Where:
    """Conditions that all have to hold."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.parameters: list[object] = []

    def add(self, condition: str, *parameters: object) -> None:
        """Narrow further."""
        self._conditions.append(condition)
        self.parameters += parameters

    def __str__(self) -> str:
        return " AND ".join(self._conditions) or "true"
