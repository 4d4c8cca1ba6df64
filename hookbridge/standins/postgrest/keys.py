"""Who may ask: which role a request's key has, and how an unknown key is refused.

With `gateway=True` the stand-in answers like the hosted platform, whose gateway checks the key before PostgREST sees it
(and exchanges `sb_secret_…` keys); without, like PostgREST itself, to which a key is a JWT.
"""

from collections.abc import Mapping

from hookbridge.standins.postgrest import errors

SERVICE_ROLE = "service_role"
ANON = "anon"
_ROLES = frozenset({SERVICE_ROLE, ANON, "authenticated"})
_JWT_PARTS = 3


class Keys:
    """The keys that are known, and what became of them."""

    def __init__(self, key: str, anon_key: str | None, *, gateway: bool) -> None:
        self._roles = {key: SERVICE_ROLE} | ({anon_key: ANON} if anon_key else {})
        self._expired: set[str] = set()
        self._gateway = gateway

    def add(self, key: str, role: str) -> None:
        """Know another key; a role that the database does not have is refused with 22023."""
        self._roles[key] = role

    def expire(self, key: str) -> None:
        """From now on this key answers "JWT expired"."""
        self._expired.add(key)

    def role(self, headers: Mapping[str, str]) -> str:
        """The role of a request; raises what its key deserves."""
        key = headers.get("apikey") or headers.get("Authorization", "").removeprefix("Bearer ")
        if key in self._expired:
            raise errors.key_expired()
        role = self._roles.get(key)
        if role is None:
            raise self._unknown(key)
        if role not in _ROLES:
            raise errors.unknown_role(role)
        return role

    def refused(self) -> errors.WireError:
        """What a key that is no longer accepted hears."""
        return errors.invalid_api_key() if self._gateway else errors.key_not_decodable()

    def _unknown(self, key: str) -> errors.WireError:
        if self._gateway:
            return errors.invalid_api_key()
        parts = key.count(".") + 1
        return errors.key_not_decodable() if parts == _JWT_PARTS else errors.key_not_a_jwt(parts)
