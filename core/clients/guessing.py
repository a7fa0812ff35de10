"""Who fails to log in again and again isn't listened to for a while: passwords can't be guessed from many connections.

Each refusal is late (refused_logins.py), which slows down one connection; somebody with a thousand has a thousand tries
in that time.  So failures are counted, and beyond a number of them logins are refused without a look at the password,
right or wrong, for which the peer is told the same as for a wrong one:

    of one user, from one address    as many in a minute as the key says
    of any users, from one address   ten times as many
    of one user, from any address    ten times as many

A count goes down as time passes, so a place is free again soon.  The first counts for everybody.  The others would let
one who guesses lock out somebody else who shares the address, or the user's name; so a user who has logged in from an
address before is still listened to there.  Addresses of this machine aren't counted together, as a proxy on it may
stand for everybody.  Of IPv6, the first 64 bits are one address: whoever has one has all of these.

What is remembered is bounded; of too many, those that were heard of longest ago are forgotten.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.core.clients.transport import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.limit_hits import LimitHits

_log = logging.getLogger("warren.authentication")

FAILURES_MAX_DEFAULT: Final = 20
"""In a minute: a client with a wrong password that connects every three seconds stays below; nobody guesses with it."""

TOGETHER: Final = 10
"""So many times as many, of one address or of one user."""

MINUTE_MS: Final = 60_000

REMEMBERED_MAX: Final = 10_000
"""Of each kind; a quarter of a kilobyte each."""

NAME_CHARACTERS_MAX: Final = 255
"""Of a user's name."""


class _Failures:
    """Counts that go down by `per_minute` in a minute."""

    __slots__ = ("_counts", "per_minute")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._counts: dict[str, tuple[float, int]] = {}

    def count(self, key: str, now_ms: int) -> float:
        count, at_ms = self._counts.get(key, (0.0, now_ms))
        return max(count - (now_ms - at_ms) * self.per_minute / MINUTE_MS, 0.0)

    def add(self, key: str, now_ms: int) -> None:
        # No more than one too many: who goes on trying isn't locked out for longer than a minute.
        count = min(self.count(key, now_ms) + 1, self.per_minute + 1.0)
        self._counts.pop(key, None)
        if len(self._counts) >= REMEMBERED_MAX:
            del self._counts[next(iter(self._counts))]
        self._counts[key] = (count, now_ms)

    def is_full(self, key: str, now_ms: int) -> bool:
        return self.count(key, now_ms) > self.per_minute - 1


class Guessing:
    """Of one broker.  failures_max: of one user from one address in a minute; 0 for no limit."""

    __slots__ = ("_by_address", "_by_both", "_by_user", "_known", "_limit_hits", "_now_ms")

    def __init__(self, failures_max: int, now_ms: Callable[[], int], hits: LimitHits) -> None:
        self._now_ms = now_ms
        self._limit_hits = hits
        self._known: dict[str, None] = {}
        self._by_both = _Failures(failures_max)
        self._by_address = _Failures(failures_max * TOGETHER)
        self._by_user = _Failures(failures_max * TOGETHER)

    @property
    def failures_max(self) -> int:
        """See the class; may be set."""
        return self._by_both.per_minute

    @failures_max.setter
    def failures_max(self, failures_max: int) -> None:
        self._by_both.per_minute = failures_max
        self._by_address.per_minute = self._by_user.per_minute = failures_max * TOGETHER

    def tried(self, user: str, peer_host: str, *, succeeded: bool) -> None:
        """It is known what became of a login.  user: the name that was given."""
        if not self.failures_max:
            return
        user, address = user[:NAME_CHARACTERS_MAX], network_of(peer_host)
        both = f"{address} {user}"
        if succeeded:
            self._known.pop(both, None)
            if len(self._known) >= REMEMBERED_MAX:
                del self._known[next(iter(self._known))]
            self._known[both] = None
            return
        now_ms = self._now_ms()
        self._by_both.add(both, now_ms)
        self._by_user.add(user, now_ms)
        if not is_loopback(peer_host):
            self._by_address.add(address, now_ms)

    def refuses(self, user: str, peer_host: str) -> str:
        """Why a login isn't looked at, in words for the log; empty where it is."""
        if not self.failures_max:
            return ""
        user, address = user[:NAME_CHARACTERS_MAX], network_of(peer_host)
        both = f"{address} {user}"
        now_ms = self._now_ms()
        why = ""
        if self._by_both.is_full(both, now_ms):
            why = f"of user '{user}' from {address}"
        elif both in self._known:
            return ""
        elif self._by_address.is_full(address, now_ms):
            why = f"from {address}"
        elif self._by_user.is_full(user, now_ms):
            why = f"of user '{user}'"
        if why:
            self._limit_hits.warn(
                "failed_logins_per_minute_max",
                why,
                _log,
                "too many logins %s have failed: for up to a minute further ones are refused unseen",
                why,
            )
        return why and f"too many logins {why} have failed"


def network_of(host: str) -> str:
    """An address, as it is counted: of IPv6 the first 64 bits."""
    if ":" not in host or host.startswith("::ffff:") or is_loopback(host):
        return host
    from ipaddress import IPv6Address

    try:
        address = int(IPv6Address(host.partition("%")[0]))
    except ValueError:
        return host
    return f"{IPv6Address(address >> 64 << 64)}/64"
