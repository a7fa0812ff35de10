"""Holds back a connection that sends more than it may in a second (core/clients/rate_limits.py).

Theory of operation
-------------------
A connection that no such limit concerns has none of this.  One that is concerned is read through a Pace, which takes
the session's place on its transport, as a tap does (tap.py), and hands on what comes in parts: never more bytes than
the buckets have, and no more than as many messages as they have could be in.  What each part has brought is taken from
the buckets, counted by what the session counts anyway.  When a bucket is empty, the rest waits here, the transport
isn't read, and the bucket calls when there is something in it again.

It is held back from reading, so what comes behind a publish waits with it, acknowledgements and signs of life too; the
read gate says that it is the broker that holds back, so that nobody takes the peer's silence for its end.

The peer is told where its protocol has words for it (`Told`): that it is held back, once, and that it isn't any more,
when it hasn't been for a second.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol, cast

from warren.adapters.session.pieces import Pieces
from warren.adapters.session.read_gate import PACE, RATION, ReadGate

if TYPE_CHECKING:
    from warren.core.broker import Broker, SessionEntry
    from warren.core.clients.client import Client
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.rate_limits import Bucket, OwnBuckets
    from warren.core.clients.transport import Carrier, Session
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.connection")

MESSAGE_BYTES_LEAST: Final = 5
"""The smallest message of all protocols: MQTT's PUBLISH of QoS 0 with a topic of one letter and no body."""

PART_BYTES_LEAST: Final = 64
"""Handed on at once at least, where messages are counted: dozens of parts for one message cost more than a dozen
messages too many, which are brought in by waiting."""

PART_BYTES_MAX: Final = 16 * 1024
"""Handed on at once at most to one whose turn it is among others."""

CALM_MS: Final = 1000
"""So long nothing has to wait before the peer is told that it is held back no more."""

NEXT_TURN_MS: Final = 1
"""The session has had its ration of this turn."""


class Sender(Protocol):
    """A session that sends what is in its outbox."""

    outbox: Outbox


class Told(Protocol):
    """A session whose protocol has words for being held back."""

    def held_back_by_rate(self, reason: str) -> None:
        """reason: which limit it is; empty when it is held back no more."""


class Pace:
    """Of one connection; in the session's place on the transport, a Session (core.clients.transport)."""

    def __init__(self, broker: Broker, session: SessionEntry, carrier: Carrier, client: Client) -> None:
        self._broker = broker
        self._session = session
        self._carrier = carrier
        self._client = client
        gate: ReadGate | None = getattr(session, "read_gate", None)
        self._gate = ReadGate(carrier) if gate is None else gate
        self._own: OwnBuckets = {}
        self._version = -1
        self._buckets: list[Bucket] = []
        self._published = 0
        self._held = Pieces()
        self._waits_for: Bucket | None = None
        self._next_turn: Deadline | None = None
        self._waited_at_ms = 0
        self._reason = ""
        self._calm: Deadline | None = None
        broker.rate_limits.paced[session] = self
        self._take_place(self)
        self._charge(0)

    @property
    def client(self) -> Client:
        """Who has logged in on it."""
        return self._client

    @property
    def inner(self) -> Session:
        """The session whose place it has."""
        return cast("Session", self._session)

    @property
    def reason(self) -> str:
        """Which limit holds it back, or did within the last second; empty while none does."""
        return self._reason

    def refresh(self) -> None:
        """Limits may be others now: go on by these, or step aside when there are none."""
        if not self._broker.rate_limits.concern(self._client):
            self._end()
            self._broker.rate_limits.paced.pop(self._session, None)
            self._take_place(self.inner)
            if self._held:
                self.inner.receive(self._held.join(b"") or b"")
            self._tell("")
            self._gate.open(PACE)
        elif self._waits_for is not None:
            self._stop_waiting()
            self.go_on()

    def go_on(self) -> None:
        """It is this one's turn among those who wait for a bucket."""
        by, self._waits_for = self._waits_for, None
        data = self._held.join(b"") or b"" if self._held else b""
        try:
            self._hand_on(data, by)
        except Exception:
            _log.exception("connection %s: internal error; closing it", self._client.name)
            self._carrier.abort()

    def _take_place(self, session: Session) -> None:
        """A tap, which stands before both of us, finds out by itself (tap.in_front_of)."""
        if getattr(self._session, "tap", None) is None:
            self._carrier.start(session, cast("Sender", self._session).outbox)

    # In the session's place

    def receive(self, data: bytes) -> None:
        """See core.clients.transport.Session."""
        if self._held or self._waits_for is not None or self._next_turn is not None:
            self._held.add(data)
        else:
            self._hand_on(data, None)

    def drained(self) -> None:
        """See core.clients.transport.Session."""
        self.inner.drained()

    def connection_lost(self, reason: str) -> None:
        """See core.clients.transport.Session."""
        self._end()
        self._held.clear()
        self._broker.rate_limits.paced.pop(self._session, None)
        self.inner.connection_lost(reason)

    def shut_down(self, reason: str) -> None:
        """See core.clients.transport.Session."""
        self.inner.shut_down(reason)

    # Below

    def _hand_on(self, data: bytes, by: Bucket | None) -> None:
        """Give the session as much as may come now, and hold the rest.  by: whose turn it is, if it had to wait."""
        at, end = 0, len(data)
        while True:
            room, used_up = self._room(by)
            if used_up is not None:
                self._hold(data[at:])
                self._wait(used_up)
                return
            if at == end:
                break
            if by is not None and at >= PART_BYTES_MAX:
                self._hold(data[at:])
                self._wait(by)
                return
            stop = end if room < 0 else min(end, at + room)
            if by is not None:
                stop = min(stop, at + PART_BYTES_MAX)
            self.inner.receive(data if stop - at == end else data[at:stop])
            self._charge(stop - at)
            at = stop
            if at < end and self._gate.is_closed_for(RATION):
                self._hold(data[at:])
                deadlines = self._broker.deadlines
                self._next_turn = deadlines.schedule(self._broker.now_ms + NEXT_TURN_MS, self._in_next_turn)
                return
        self._gate.open(PACE)

    def _room(self, by: Bucket | None) -> tuple[int, Bucket | None]:
        """How many bytes may be handed on, -1 for all; and the bucket that has nothing, if one hasn't."""
        room = -1
        for bucket in self._now():
            left = bucket.left
            if by is None:
                if bucket.is_waited_for:
                    left = 0
            elif bucket is by:
                left = min(left, bucket.share)
            if left <= 0:
                return 0, bucket
            most = left if bucket.counts_bytes else max(left * MESSAGE_BYTES_LEAST, PART_BYTES_LEAST)
            room = most if room < 0 else min(room, most)
        return room, None

    def _charge(self, size_bytes: int) -> None:
        """So many bytes were handed on, and what the session has counted since came with them."""
        published = self._client.counts.published
        messages, self._published = published - self._published, published
        for bucket in self._now():
            count = size_bytes if bucket.counts_bytes else messages
            bucket.use(count)
            if bucket.share:
                bucket.share -= count

    def _now(self) -> list[Bucket]:
        limits = self._broker.rate_limits
        if limits.version != self._version:
            self._version = limits.version
            self._buckets = limits.buckets(self._client, self._own)
        return self._buckets

    def _hold(self, data: bytes) -> None:
        if data:
            self._held.put_before(data)
        self._gate.close(PACE)

    def _wait(self, bucket: Bucket) -> None:
        broker = self._broker
        self._waits_for = bucket
        self._waited_at_ms = broker.now_ms
        bucket.wait(self)
        if not self._reason:
            client = self._client
            broker.limit_hits.warn(
                "rate limits",
                bucket.whose,
                _log,
                "connection %s (user '%s'): %s; it isn't read for a while",
                client.name,
                client.user.name,
                bucket.reason,
            )
            self._tell(bucket.reason)
            self._calm = broker.deadlines.schedule(broker.now_ms + CALM_MS, self._look_whether_calm)

    def _look_whether_calm(self, now_ms: int) -> None:
        if self._waits_for is not None or now_ms - self._waited_at_ms < CALM_MS:
            self._calm = self._broker.deadlines.schedule(now_ms + CALM_MS, self._look_whether_calm)
        else:
            self._calm = None
            self._tell("")

    def _tell(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            if hasattr(self._session, "held_back_by_rate"):
                cast("Told", self._session).held_back_by_rate(reason)

    def _in_next_turn(self, now_ms: int) -> None:
        self._next_turn = None
        self.go_on()

    def _stop_waiting(self) -> None:
        if self._waits_for is not None:
            self._waits_for.forget(self)
            self._waits_for = None

    def _end(self) -> None:
        self._stop_waiting()
        for each in (self._next_turn, self._calm):
            if each is not None:
                each.cancel()
        self._next_turn = self._calm = None


def begin(broker: Broker, client: Client, carrier: Carrier) -> None:
    """A client for whom there are limits has logged in on this carrier: hold back its connection from then on."""
    broker.at_end_of_batch(lambda: _begin(broker, client, carrier))


def _begin(broker: Broker, client: Client, carrier: Carrier) -> None:
    session = getattr(carrier, "session", None)
    session = getattr(session, "inner", session)
    if getattr(session, "client", None) is client and session in broker.sessions:
        look(cast("SessionEntry", session), carrier)


def look(session: SessionEntry, carrier: Carrier | None = None) -> None:
    """Begin to hold back a session if limits concern it; have what holds it back go on by those that there are now.

    carrier: what its bytes come by, if it isn't known to say so itself.
    """
    client: Client | None = getattr(session, "client", None)
    carrier = getattr(session, "carrier", carrier)
    if client is None or carrier is None:
        return
    broker = client.vhost.broker
    paced = broker.rate_limits.paced.get(session)
    if paced is not None:
        cast("Pace", paced).refresh()
    elif broker.rate_limits.concern(client):
        Pace(broker, session, carrier, client)
