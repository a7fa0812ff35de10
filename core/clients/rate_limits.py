"""How much the clients of a user and of a virtual host may send in a second: messages they publish, and bytes.

Four limits, of a user or of a virtual host (core/clients/limits.py): `max-message-rate` and `max-byte-rate` for all of
its connections together, and the same `-per-connection`.  Each that is set is a token bucket: it holds what a second
brings at most, so a client that was quiet may send a second's worth at once.  What came and is more is a debt, which
has to be brought in before anything else is taken.  So over any time no more comes than the rate, and one second's.

Nothing is refused: who has used up a bucket isn't read until there is something in it again, and TCP holds back the
rest.  Those who wait for the same bucket are served in turn, and each gets an equal part.  Who has no limit is never
asked: connections that have one are read through a Pace (adapters/session/pace.py), which others lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.clients.limits import (
    MAX_BYTE_RATE,
    MAX_BYTE_RATE_PER_CONNECTION,
    MAX_MESSAGE_RATE,
    MAX_MESSAGE_RATE_PER_CONNECTION,
    RATES,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.broker import Broker, SessionEntry
    from warren.core.clients.client import Client
    from warren.core.deadlines import Deadline
    from warren.core.routing.vhost import VirtualHost

OF_ALL: Final = (MAX_MESSAGE_RATE, MAX_BYTE_RATE)
"""Of all connections of a user or a virtual host together."""

OF_EACH: Final = (MAX_MESSAGE_RATE_PER_CONNECTION, MAX_BYTE_RATE_PER_CONNECTION)
"""Of each of them."""

OF_BYTES: Final = (MAX_BYTE_RATE, MAX_BYTE_RATE_PER_CONNECTION)

TOLD_AS: Final = "rate-limits"
"""Under this name clients are told of their limits at the login, where their protocol has room for names."""

SECOND_MS: Final = 1000

WAIT_MS: Final = 20
"""What comes in within this time is given out at once, where a rate is high: a timer for each message would cost more
than the message."""

SERVED_AT_ONCE: Final = 10
"""Of those who wait for a bucket, so many go on in one turn, each with some kilobytes; the others in the next."""

SESSIONS_PER_SLICE: Final = 1000
"""Looked at in one turn after limits have changed: a microsecond each."""


class Waiter(Protocol):
    """Who waits for a bucket."""

    def go_on(self) -> None:
        """There is something in it, and it is this one's turn."""


class Paced(Protocol):
    """What holds back a connection, as others see it."""

    @property
    def client(self) -> Client:
        """Who has logged in on it."""

    @property
    def inner(self) -> object:
        """The session whose place it has."""

    @property
    def reason(self) -> str:
        """Which limit holds the connection back, in words; empty while none does."""


class Bucket:
    """One limit.  rate: in a second.  what: whose limit it is, and which, in words.  counts_bytes: or messages.

    share: what the one who is being served may have.
    """

    __slots__ = (
        "_at_ms",
        "_broker",
        "_deadline",
        "_level",
        "_waiting",
        "counts_bytes",
        "limit",
        "rate",
        "share",
        "whose",
    )

    def __init__(self, broker: Broker, whose: str, limit: str, rate: int) -> None:
        self._broker = broker
        self._at_ms = broker.now_ms
        self._level = rate * SECOND_MS
        self._waiting: dict[Waiter, None] = {}
        self._deadline: Deadline | None = None
        self.counts_bytes = limit in OF_BYTES
        self.limit = limit
        self.rate = rate
        self.share = 0
        self.whose = whose

    @property
    def reason(self) -> str:
        """What whoever has used it up is told."""
        unit = "bytes" if self.counts_bytes else "messages"
        return f"{self.whose} sends more than {self.rate} {unit} per second ({self.limit})"

    @property
    def left(self) -> int:
        """What there is now; negative while more came than may."""
        now_ms = self._broker.now_ms
        if now_ms > self._at_ms:
            self._level = min(self._level + (now_ms - self._at_ms) * self.rate, self.rate * SECOND_MS)
            self._at_ms = now_ms
        return self._level // SECOND_MS

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits, whose turn comes first."""
        return len(self._waiting) > 0

    def set_rate(self, rate: int) -> None:
        """Another one from now on."""
        if rate != self.rate:
            self._level = min(self.left * SECOND_MS, rate * SECOND_MS)
            self.rate = rate

    def use(self, count: int) -> None:
        """So much has come."""
        self._level -= count * SECOND_MS

    def wait(self, waiter: Waiter) -> None:
        """Have it go on when there is something again, behind all who wait already."""
        self._waiting[waiter] = None
        self._schedule()

    def forget(self, waiter: Waiter) -> None:
        """It waits no more."""
        self._waiting.pop(waiter, None)
        if not self._waiting and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _schedule(self) -> None:
        if self._deadline is None and self._waiting:
            wanted = max(self.rate * WAIT_MS // SECOND_MS, 1)
            missing = wanted - self.left
            wait_ms = -(-missing * SECOND_MS // self.rate) if missing > 0 else 0
            self._deadline = self._broker.deadlines.schedule(self._broker.now_ms + wait_ms, self._serve)

    def _serve(self, now_ms: int) -> None:
        self._deadline = None
        try:
            for _ in range(min(len(self._waiting), SERVED_AT_ONCE)):
                left = self.left
                waiting = len(self._waiting)
                if left <= 0 or not waiting:
                    break
                waiter = next(iter(self._waiting))
                del self._waiting[waiter]
                self.share = max(left // waiting, 1)
                waiter.go_on()
        finally:
            self.share = 0
            self._schedule()


OwnBuckets = dict[tuple[str, str], Bucket]
"""Those of one connection, by whose limit it is and which."""


class RateLimits:
    """Of one broker.

    version: changes whenever limits do.  paced: what holds back whom, by session.  begin: looks at a session whose
    limits may be others now; set by whoever carries sessions (adapters/session/pace.py).
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._shared: dict[tuple[str, str], Bucket] = {}
        self._looking: Iterator[None] | None = None
        self.version = 0
        self.paced: dict[SessionEntry, Paced] = {}
        self.begin: Callable[[SessionEntry], None] | None = None

    def concern(self, client: Client) -> bool:
        """Whether any limit of a rate is set for the client's user or virtual host."""
        for _, limits in self._limits(client.user.name, client.vhost):
            if limits and any(limits.get(limit, -1) > 0 for limit in RATES):
                return True
        return False

    def told(self, client: Client) -> str:
        """The limits that concern a client, for what it is told at its login; empty where there are none."""
        found = []
        for whose, limits in self._limits(client.user.name, client.vhost):
            found += [f"{limit}={limits[limit]} ({whose})" for limit in RATES if limits.get(limit, -1) > 0]
        return ", ".join(found)

    def buckets(self, client: Client, own: OwnBuckets) -> list[Bucket]:
        """Those that the client uses, as limits are now.  own: those of its connection, which are kept there."""
        found: list[Bucket] = []
        for whose, limits in self._limits(client.user.name, client.vhost):
            found += self._of(whose, limits, OF_ALL, self._shared)
            found += self._of(whose, limits, OF_EACH, own)
        return found

    def _of(self, whose: str, limits: Mapping[str, int], names: tuple[str, ...], kept: OwnBuckets) -> Iterator[Bucket]:
        for limit in names:
            rate = limits.get(limit, -1)
            key = (whose, limit)
            if rate > 0:
                bucket = kept.get(key)
                if bucket is None:
                    bucket = kept[key] = Bucket(self._broker, whose, limit, rate)
                bucket.set_rate(rate)
                yield bucket
            elif key in kept:
                del kept[key]

    def _limits(self, user: str, vhost: VirtualHost) -> tuple[tuple[str, Mapping[str, int]], ...]:
        found = self._broker.users.get(user)
        return (
            (_user(user), found.limits if found is not None else {}),
            (_vhost(vhost.name), vhost.limits),
        )

    def changed(self) -> None:
        """Limits of a user or a virtual host are others: have all connections looked at, in slices."""
        self.version += 1
        self._forget_those_gone()
        if self._looking is None:
            self._looking = self._look()
            self._broker.chores.add(self._do_slice)

    def _forget_those_gone(self) -> None:
        if self._shared:
            there = {_user(each.name) for each in self._broker.users}
            there.update(map(_vhost, self._broker.vhosts))
            for key in [key for key in self._shared if key[0] not in there]:
                del self._shared[key]

    def _do_slice(self) -> bool:
        looking = self._looking
        if looking is None:
            return False
        try:
            next(looking)
        except StopIteration:
            self._looking = None
        return self._looking is not None

    def _look(self) -> Iterator[None]:
        version = -1
        while version != self.version:
            version = self.version
            for number, session in enumerate(list(self._broker.sessions), 1):
                if self.begin is not None and session in self._broker.sessions:
                    self.begin(session)
                if number % SESSIONS_PER_SLICE == 0:
                    yield
            yield


def _user(name: str) -> str:
    return f"user '{name}'"


def _vhost(name: str) -> str:
    return f"virtual host '{name}'"
