"""A hookbridge elsewhere as the place where differences go: signed webhooks in the guide's format.

A difference counts as handed over when the other side has answered 2xx; only then is it written to the own copies, so
that what could not be posted is found again.  Deletions are confirmed here by a read of the record itself.  A repeated
post has the same bytes, and is known there as a duplicate; another difference has others, also when a record changes
back and forth within one time of change.  A record that the other side does not take holds no other one back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import httpx
import msgspec
import structlog

from hookbridge.clock import time_of
from hookbridge.errors import SourceUnavailable
from hookbridge.model import Origin, SourceName, Truth
from hookbridge.reconcile.findings import TYPES, Difference
from hookbridge.settings.certificates import trusted, unreachable
from hookbridge.sources import guide, signing
from hookbridge.sources.kept import copy_of
from hookbridge.sources.source import Source
from hookbridge.sources.statuses import retry_after_seconds
from hookbridge.store.contract import Sweeps

POSTS_AT_ONCE = 8
TIMEOUT_SECONDS = 10.0

WITHOUT_DATA = (httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.BAD_REQUEST)
"""Refused because of what the record holds, its size or its nesting: a hint needs none of it."""

_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


class RemoteSink:
    """Posts differences.  Implements ``Sink``."""

    def __init__(
        self,
        url: str,
        secret: str,
        sources: Mapping[SourceName, Source],
        store: Sweeps,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``secret`` signs; an empty one does not.  Raises StartupError."""
        self._secret = secret
        self._sources = sources
        self._store = store
        self._clock = clock
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, verify=trusted())
        self._slots = asyncio.Semaphore(POSTS_AT_ONCE)
        self.refused = 0
        """Records that the other side called impossible."""

    async def __call__(self, differences: Sequence[Difference], origin: Origin) -> None:  # noqa: ARG002  a sink's
        """Post them, and write those that were taken to the own copies.

        Raises SourceUnavailable for those that could not be posted; what the other side refuses as impossible is told.
        """
        results = await asyncio.gather(*(self._hand_over(one) for one in differences), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _hand_over(self, difference: Difference) -> None:
        async with self._slots:
            record = difference.record
            source = self._sources[record.source]
            listed = difference.truth
            is_enough = listed is not None and (listed.lacks_content or not listed.partial)
            truth = listed if listed is not None and is_enough else await source.read(record)
            kind = "delete" if truth.data is None else TYPES[difference.kind]
            if truth.data is not None and difference.kind == "extra":
                kind = "update"  # it has moved, or is here again
            if not await self._announce(difference, truth, kind):
                return
            # Nobody searches here.
            columns, name = source.truth_columns(truth), record if truth.data is None else None
            read = copy_of(source, truth, columns, self._clock(), under=name)
            await self._store.load([(read, None)], exclusive=source.ids_are_global)

    async def _announce(self, difference: Difference, truth: Truth, kind: str) -> bool:
        """Post a difference, without its data where that is what is refused; gives whether it was taken."""
        source = difference.record.source
        answer = await self._post(source, self._body(truth, kind, truth.data or b"{}", difference.standing.ticket))
        if answer.status_code in WITHOUT_DATA:
            answer = await self._post(source, self._body(truth, kind, b"null", difference.standing.ticket))
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            self.refused += 1
            _log.error(
                "The other hookbridge refuses a record",
                record=str(difference.record),
                reason=answer.text[:300],
                total=self.refused,
            )
            return False
        if not answer.is_success:
            raise self._failure(answer)
        return True

    def _body(self, truth: Truth, kind: str, data: bytes, replaced: int) -> bytes:
        now = time_of(self._clock()).isoformat()
        # A deletion has no time of its own: the same record may be deleted again another day.
        timestamp = now if truth.changed_at is None else truth.changed_at
        is_time = guide.is_time(timestamp)
        # The read that the copy here is of: it is the same while this is not taken, and another one afterwards.
        metadata: dict[str, str | int] = {"found_by": "hookbridge poll", "replaces": replaced}
        if not is_time:
            # A change column may hold what is no time there: infinity, a year beyond 9999, a version.  It tells no two
            # changes apart, so nothing may know this body by what else it says.
            metadata["found_at"] = now
        return _encode(
            {
                "event_type": kind,
                "source": truth.record.source,
                "table_name": truth.record.table,
                "record_id": truth.record.id,
                "data": msgspec.Raw(data),
                "timestamp": timestamp if is_time else None,
                "metadata": metadata,
            }
        )

    async def _post(self, source: SourceName, body: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        if self._secret:
            name = blake2b(body, digest_size=16).hexdigest()
            headers |= signing.headers(self._secret, body, message_id=name, now=time.time())  # as who verifies it
        try:
            return await self._http.post(f"/api/v1/webhooks/{source}", content=body, headers=headers)
        except httpx.HTTPError as error:
            server = f"The hookbridge at {self._http.base_url}"
            message, hint = unreachable(server, error, "check --to, and that it runs")
            raise SourceUnavailable(message, hint=hint) from None

    def _failure(self, answer: httpx.Response) -> SourceUnavailable:
        return SourceUnavailable(
            f"The hookbridge at {self._http.base_url} answered {answer.status_code}: {answer.text[:300]}",
            retry_after_seconds=retry_after_seconds(answer.headers.get("Retry-After", ""), self._clock()),
            hint="check WEBHOOK_SECRET on both sides" if answer.status_code == httpx.codes.UNAUTHORIZED else "",
        )
