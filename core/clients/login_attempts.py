"""How often logins were tried, by protocol, and how often they succeeded.

An attempt is counted once, when it is known what became of it, however many packets it took and however often another
back-end had to be asked.  Counts never go back while the broker runs; `forget` makes those that are shown to people
begin anew.

Who tried, and from where, is told by clients, of which there may be any number, so that is only noted where an operator
asks for it (`track_auth_attempt_source`, RabbitMQ's name), and the sources that were heard of last are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from warren.core.clients.guessing import Guessing

SOURCES_MAX: Final = 10_000
"""Sources that are kept, a quarter of a kilobyte each."""

USER_CHARACTERS_MAX: Final = 255
"""Of a user's name, which may have as many as a frame; users that there are have names of fewer."""


class Source(NamedTuple):
    """Who has tried.  peer_host: from where.  user: the name that was given; empty for none."""

    protocol: str
    peer_host: str
    user: str


class Tried(NamedTuple):
    """How often."""

    succeeded: int = 0
    failed: int = 0

    @property
    def all(self) -> int:
        """Attempts."""
        return self.succeeded + self.failed

    def and_one(self, *, succeeded: bool) -> Tried:
        """One more."""
        return Tried(self.succeeded + succeeded, self.failed + (not succeeded))


NEVER: Final = Tried()


class LoginAttempts:
    """Of one broker.

    guessing: hears of all, to stop who guesses.  tracks_sources: whether it is noted who tried.  by_protocol: all since
    the start.  by_source: since `forget`.
    """

    __slots__ = ("_forgotten", "_guessing", "by_protocol", "by_source", "tracks_sources")

    def __init__(self, guessing: Guessing | None = None, *, tracks_sources: bool = False) -> None:
        self._guessing = guessing
        self.tracks_sources = tracks_sources
        self.by_protocol: dict[str, Tried] = {}
        self.by_source: dict[Source, Tried] = {}
        self._forgotten: Mapping[str, Tried] = {}

    def count(self, source: Source, *, succeeded: bool) -> None:
        """It is known what became of one."""
        if self._guessing is not None:
            self._guessing.tried(source.user, source.peer_host, succeeded=succeeded)
        before = self.by_protocol.get(source.protocol, NEVER)
        self.by_protocol[source.protocol] = before.and_one(succeeded=succeeded)
        if self.tracks_sources:
            source = source._replace(user=source.user[:USER_CHARACTERS_MAX])
            known = self.by_source.pop(source, NEVER)
            if len(self.by_source) >= SOURCES_MAX:
                del self.by_source[next(iter(self.by_source))]
            self.by_source[source] = known.and_one(succeeded=succeeded)

    def since_forgotten(self) -> dict[str, Tried]:
        """By protocol, those since `forget`; none of a protocol in which nobody has tried since."""
        found = {}
        for protocol, now in self.by_protocol.items():
            before = self._forgotten.get(protocol, NEVER)
            since = Tried(now.succeeded - before.succeeded, now.failed - before.failed)
            if since.all:
                found[protocol] = since
        return found

    def forget(self) -> None:
        """Begin anew."""
        self._forgotten = dict(self.by_protocol)
        self.by_source.clear()
