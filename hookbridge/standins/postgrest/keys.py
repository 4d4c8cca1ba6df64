"""Who may ask: which role a request's key has, and how an unknown key is refused.

With `gateway=True` the stand-in answers like the hosted platform, whose gateway checks the key before PostgREST sees it
(and exchanges `sb_secret_…` keys); without, like PostgREST itself, to which a key is a JWT.
"""

import json
from base64 import urlsafe_b64decode
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
        """The role of a request; raises what its key deserves.  PostgREST itself knows nothing of `apikey`."""
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        key = (headers.get("apikey") or bearer) if self._gateway else bearer
        if self._gateway and bearer not in {"", key} and key in self._roles and bearer.count(".") + 1 == _JWT_PARTS:
            key = bearer  # the gateway lets a known key through, and PostgREST reads the other one
            if key not in self._roles:
                raise _undecodable(key)
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
        return _undecodable(key)


def _undecodable(key: str) -> errors.WireError:
    parts = key.split(".")
    if len(parts) != _JWT_PARTS:
        return errors.key_not_a_jwt(len(parts))
    return errors.key_not_decodable() if _is_jose(parts[0]) else errors.key_malformed()


def _is_jose(part: str) -> bool:
    """Whether it is the header of a JWT: base64url of a JSON object."""
    try:
        return isinstance(json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))), dict)
    except ValueError:
        return False
