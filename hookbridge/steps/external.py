"""The user's Redis or Valkey: the keys that belong to a record, deleted on every change of it.

Keys are made from the configured templates (``user:{id}``) with the columns of the record before and after the change.
Needs the extra ``redis``.  A template that names a column which the record does not have makes no key.
"""

from __future__ import annotations

import asyncio
import string
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from hookbridge.config import CacheConfig
from hookbridge.errors import CacheUnavailable, StartupError, to_install
from hookbridge.model import Change, Columns, RecordKey, SourceName
from hookbridge.names import table_of
from hookbridge.observe.redaction import without_secrets
from hookbridge.settings.certificates import unreachable
from hookbridge.sources import ids
from hookbridge.sources.batching import Batcher

if TYPE_CHECKING:
    from redis.asyncio import Redis

REQUESTS_MAX = 4
"""At once, however many workers ask: a cache that is only slow must not look like one that is down.  One that answers
in 0.9 s still takes all that 256 workers bring in that time."""

KEYS_MAX = 100
"""In one request: to read more answers would hold the event loop for longer than 2 ms."""


class RedisKeys:
    """``steps.cache.ExternalCache`` on a Redis or Valkey server."""

    def __init__(self, config: CacheConfig, url: str) -> None:
        try:
            from redis.asyncio import Redis  # noqa: PLC0415  an extra, and needed only here
        except ImportError as error:
            message = "A Redis URL is set, but the redis package is not installed"
            raise StartupError(message, hint=to_install("redis")) from error
        self._timeout_seconds = config.timeout_seconds
        try:
            self._client: Redis = Redis.from_url(
                url, socket_timeout=config.timeout_seconds, socket_connect_timeout=config.timeout_seconds
            )
        except ValueError as error:
            message = "REDIS_URL is not a URL that redis understands"
            raise StartupError(message, hint="write it as redis://[:password@]host:6379/0") from error
        self._deletions: Batcher[bytes, None] = Batcher(
            self._delete, keys_max=KEYS_MAX, loads_max=REQUESTS_MAX, window_seconds=0.0, stopping=CacheUnavailable
        )
        self._templates: dict[tuple[str, str], tuple[str, ...]] = {}
        for block in config.keys:
            name = (block.source, table_of(block.source, block.table))
            self._templates[name] = (*self._templates.get(name, ()), *block.templates)

    def listens(self, source: SourceName, table: str) -> bool:
        """Whether keys belong to the table's records."""
        return (source, table) in self._templates

    def serves(self, source: SourceName) -> bool:
        """Whether keys belong to any table of the source."""
        return any(one == source for one, _ in self._templates)

    def keys(self, change: Change, versions: Sequence[Columns]) -> list[str]:
        """Make the keys of every version, each once, in order."""
        templates = self._templates.get((change.record.source, change.record.table), ())
        made = (fill(template, change.record, columns) for template in templates for columns in (versions or ({},)))
        return list(dict.fromkeys(key for key in made if key is not None))

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete keys, together with those of others.  Raises CacheUnavailable."""
        # A key that is no text is its own change's failure, and nobody else's.
        named = [key.encode() for key in keys]
        await asyncio.gather(*map(self._deletions.ask, named))

    async def _delete(self, keys: Sequence[bytes]) -> AsyncIterator[tuple[bytes, Exception | None]]:
        with _named():
            # Not one DEL of all: whether a key is refused, or lies in another part of a cluster, is its own matter.
            async with self._client.pipeline(transaction=False) as pipe:
                for key in keys:
                    _ = pipe.delete(key)  # put into the pipe, and sent with the others
                answers = await pipe.execute(raise_on_error=False)
        for key, answer in zip(keys, answers, strict=True):
            yield key, _unavailable(answer) if isinstance(answer, Exception) else None

    async def probe(self) -> None:
        """Return when the server answers.  Raises CacheUnavailable."""
        with _named():
            await self._client.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._deletions.close()
        await self._client.aclose()


@contextmanager
def _named() -> Iterator[None]:
    """Raise CacheUnavailable for what the client raises."""
    try:
        yield
    except Exception as error:
        # Beside its own errors the client raises whatever reading the answer led to, where that is no answer of a
        # Redis: ValueError, IndexError, TypeError, RecursionError (redis 8.1).
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> CacheUnavailable:
    message, hint = unreachable("Redis", error, "check REDIS_URL and the server", without_secrets)
    return CacheUnavailable(message, hint=hint)


_encode = msgspec.json.Encoder(decimal_format="number").encode


def fill(template: str, record: RecordKey, columns: Columns) -> str | None:
    """Fill a template with a record's columns; None when it names one that is not there."""
    values = {**columns, "source": record.source, "table": record.table}
    values.setdefault("id", record.id)
    parts: list[str] = []
    for text, field, _, _ in string.Formatter().parse(template):
        parts.append(text)
        if field is not None:
            if values.get(field) is None:
                return None
            parts.append(_text(values[field]))
    return "".join(parts)


def _text(value: object) -> str:
    """Write a value as JSON does, texts without their quotes: so does whoever made the key from the same row."""
    return ids.text(value) if isinstance(value, ids.KeyValue) else _encode(value).decode()
