"""One link for as long as it is wanted, and until what it made at the upstream is cleaned up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.adapters.peers.errors import PeerError
from warren.plugins.bridging.attempts import FAILED, RUNNING, STARTING, STOPPED, Attempts
from warren.plugins.federation.exchange_link import ExchangeWork
from warren.plugins.federation.queue_link import QueueWork
from warren.plugins.federation.work import Ground, LinkWork

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.uri import AmqpUri
    from warren.core.exchanges.base import Exchange
    from warren.core.queues.base import Queue
    from warren.gateway.plugin import Context
    from warren.plugins.bridging.turnstile import Turnstile
    from warren.plugins.federation.kept import Kept, LinkKey
    from warren.plugins.federation.upstream import Upstream

STATES: Final = {STARTING: "starting", RUNNING: "running", FAILED: "error", STOPPED: "shutdown"}
"""RabbitMQ's words."""

CLEAN_UP_S: Final = 600.0
"""So long a link that isn't wanted any more tries to reach its upstream, to delete there what it had made."""

CLEAN_UP_PAUSE_S: Final = 1.0
"""After the first try; the pauses grow as those of links do."""

WORKS: Final[Mapping[str, Callable[[Ground, Any], LinkWork]]] = {"exchange": ExchangeWork, "queue": QueueWork}
"""What links do, by what is federated."""


class Link:
    """See the head of this file.

    turnstile: which all links pass when they connect.
    ground: what it stands on.  work: what it does.  retired: it isn't wanted any more.
    """

    def __init__(
        self,
        context: Context,
        kept: Kept,
        key: LinkKey,
        target: Exchange | Queue,
        upstream: Upstream,
        turnstile: Turnstile | None = None,
    ) -> None:
        self.key = key
        self.ground = Ground(context, key.target.vhost, target, upstream)
        self.work = WORKS[target.kind](self.ground, target)
        self.retired = False
        self._kept = kept
        self._log = context.log
        self._called = (
            f"federation link of {target.kind} '{target.name}' in virtual host '{key.target.vhost}' "
            f"to upstream '{upstream.name}'"
        )
        self._attempts = Attempts(context.log, self._called, upstream.reconnect_delay_s, self._work, turnstile)
        self._cleaner = Attempts(
            context.log, f"cleaning up after the {self._called}", CLEAN_UP_PAUSE_S, self._clean, turnstile
        )
        self._cleans = False
        self._has_made = kept.claim(key, self)
        self._successor: Link | None = None
        self.ground.making = self._making
        self._still_there_because = "it didn't answer"
        self._over = trio.Event()

    @property
    def status(self) -> str:
        """starting, running, error, shutdown."""
        return "shutdown" if self.retired else STATES[self._attempts.state]

    @property
    def error(self) -> str:
        """Why it doesn't run, or brings nothing just now, or can't clean up; empty for no reason."""
        if self.retired:
            return self._cleaner.reason or ""
        return self._attempts.reason or self.ground.blocked or ""

    @property
    def since(self) -> str:
        """When it came to its state, UTC."""
        return self._attempts.since

    async def run(self) -> None:
        """Work until retired or cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.work.follow)
                await self._attempts.run()
                nursery.cancel_scope.cancel()
            if self._successor is None and self._cleans and self._has_made and self._leaves_something:
                await self._clean_up()
            if self._successor is not None:
                await self._successor.inherit(self)
        finally:
            self._over.set()

    def restart(self) -> None:
        """Give up the connection, and connect again at once."""
        self._attempts.restart()

    def retire(self, *, clean: bool) -> None:
        """It isn't wanted any more.  clean: nor is what it has made at the upstream."""
        self.retired = True
        self._cleans = clean
        self._attempts.cancel()

    def leave_to(self, successor: Link) -> None:
        """What it has made at the upstream is another link's, once this one has ended."""
        if self._successor is None:
            self._successor = successor
            successor._has_made |= self._has_made
            self._cleaner.cancel()

    async def inherit(self, predecessor: Link) -> None:
        """What that one has made at the upstream is this one's now."""
        if predecessor._has_made and not self._over.is_set():
            await self._making()
        if predecessor.key != self.key:
            await self._kept.discard(predecessor.key, predecessor)

    def shares(self, other: Link) -> bool:
        """Whether both have the same things at the same upstream, under whichever name that is known here."""
        return (self.key.target, self.key.there) == (other.key.target, other.key.there) and self.is_at(
            other.ground.upstream
        )

    def is_at(self, upstream: Upstream) -> bool:
        """Whether what it has made is where a link to this upstream would have its own.

        One address in common is enough: several are those of one cluster's nodes, of which some come and go.
        """
        return not _addresses(self.ground.upstream.uris).isdisjoint(_addresses(upstream.uris))

    async def wait_over(self) -> None:
        """Return when it has ended, and its connections are closed."""
        await self._over.wait()

    @property
    def _leaves_something(self) -> bool:
        """Whether it makes what has to be cleaned up."""
        return self.work.makes_own and self.ground.upstream.cleans_up

    async def _work(self, peers: trio.Nursery) -> None:
        if not self._leaves_something:
            await self._kept.discard(self.key, self)
        await self.work.run(peers, self._attempts.running)

    async def _making(self) -> None:
        """It is about to make something at the upstream, or has it from a link before."""
        self._has_made = True
        if self._leaves_something:
            await self._kept.add(self.key, self)

    async def _clean(self, peers: trio.Nursery) -> None:
        try:
            await self.work.clean_up(peers)
        except PeerError as error:
            self._still_there_because = error.text
            raise
        await self._kept.discard(self.key, self)
        self._cleans = False

    async def _clean_up(self) -> None:
        with trio.move_on_after(CLEAN_UP_S):
            await self._cleaner.run()
        if self._cleans and self._successor is None:
            self._log.warning(
                "the %s is gone, but what it had made at %s is still there: %s",
                self._called,
                self.ground.uri.shown,
                self._still_there_because,
            )


def _addresses(uris: tuple[AmqpUri, ...]) -> set[tuple[str, int, str]]:
    return {(uri.host, uri.port, uri.vhost) for uri in uris}
