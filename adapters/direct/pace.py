"""Limits of how much a client in this process may publish in a second (core/clients/rate_limits.py).

It has no bytes that could wait, so it is told by PublishBlocked, or waits by itself, as under an alarm.  Its bytes are
those of bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.direct.errors import RateExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.broker import SessionEntry
    from warren.core.clients.client import Client
    from warren.core.clients.rate_limits import Bucket, OwnBuckets


class DirectPace:
    """Of one session.  on_unblocked: called when it may publish again, after it wasn't allowed to."""

    def __init__(self, session: SessionEntry, client: Client, on_unblocked: Callable[[], object]) -> None:
        self._session = session
        self._limits = client.vhost.broker.rate_limits
        self._client = client
        self._on_unblocked = on_unblocked
        self._own: OwnBuckets = {}
        self._version = -1
        self._buckets: list[Bucket] = []
        self._waits_for: Bucket | None = None
        self._limits.paced[session] = self

    @property
    def client(self) -> Client:
        """Who has logged in on it."""
        return self._client

    @property
    def inner(self) -> object:
        """The session."""
        return self._session

    @property
    def reason(self) -> str:
        """Which limit keeps it from publishing, in words; empty while none does."""
        return "" if self._waits_for is None else self._waits_for.reason

    @property
    def blocked(self) -> str | None:
        """Why nothing may be published now, None if it may; who asks is called when it may again."""
        bucket = self._used_up()
        return None if bucket is None else bucket.reason

    def check(self) -> None:
        """RateExceeded when nothing may be published now."""
        bucket = self._used_up()
        if bucket is not None:
            self._client.vhost.broker.limit_hits.count("rate limits")
            raise RateExceeded(bucket.reason)

    def _used_up(self) -> Bucket | None:
        if self._waits_for is None:
            for bucket in self._now():
                if bucket.left <= 0:
                    self._waits_for = bucket
                    bucket.wait(self)
                    break
        return self._waits_for

    def published(self, size_bytes: int) -> None:
        """A message was, with so large a body."""
        for bucket in self._now():
            bucket.use(size_bytes if bucket.counts_bytes else 1)

    def go_on(self) -> None:
        """See core.clients.rate_limits.Waiter."""
        self._waits_for = None
        self._on_unblocked()

    def look_again(self) -> None:
        """Limits may be others now: it need not wait for one that is gone."""
        if self._waits_for is not None:
            self._waits_for.forget(self)
            self.go_on()

    def end(self) -> None:
        """There are no limits any more, or no session."""
        self._limits.paced.pop(self._session, None)
        self.look_again()

    def _now(self) -> list[Bucket]:
        if self._limits.version != self._version:
            self._version = self._limits.version
            self._buckets = self._limits.buckets(self._client, self._own)
        return self._buckets


def refreshed(
    pace: DirectPace | None, session: SessionEntry, client: Client, on_unblocked: Callable[[], object]
) -> DirectPace | None:
    """What a session has from now on, as limits are; None where there are none.  The rest as of DirectPace."""
    if not client.vhost.broker.rate_limits.concern(client):
        if pace is not None:
            pace.end()
        return None
    if pace is None:
        return DirectPace(session, client, on_unblocked)
    pace.look_again()
    return pace
