"""What the work of one link is to whoever keeps it running: links of exchanges and of queues have this in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import trio

from warren.adapters.peers.errors import PeerError
from warren.gateway.plugin import AmqpPeer, BrokerError, DirectError, connect_amqp
from warren.plugins.bridging.attempts import pick
from warren.plugins.bridging.local_ends import words

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.uri import AmqpUri
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding
    from warren.core.queues.base import Queue
    from warren.gateway.plugin import BrokerClient, Context
    from warren.plugins.bridging.pump import Pump
    from warren.plugins.federation.upstream import Upstream

PRODUCT: Final = "Warren"


class LinkWork(Protocol):
    """there: what the exchange or queue is called at the upstream.  tag: of its consumer there.  makes_own: whether it
    makes anything there that is the link's alone.
    """

    there: str
    tag: str
    makes_own: ClassVar[bool]

    async def follow(self) -> None:
        """Keep up with what is told by `bound` and `unbound`, until cancelled; also while there is no connection."""

    async def run(self, peers: trio.Nursery, running: Callable[[], None]) -> None:
        """Connect and work until that fails: PeerError says why.  running: called once messages may come.

        peers: for the tasks of connections, which end after it.
        """

    async def clean_up(self, peers: trio.Nursery) -> None:
        """Delete what the link has made at the upstream; PeerError if that can't be done now."""

    def bound(self, binding: Binding) -> None:
        """The exchange here has one binding more."""

    def unbound(self, bindings: Sequence[Binding]) -> None:
        """The exchange here has these bindings no more."""


class Ground:
    """What a link's work stands on: the broker, what is federated, the upstream; and what it tells of itself.

    target: the federated exchange or queue.  uri: the upstream's that was tried last.  local_connection: the name of
    the client that publishes here.  forwarded, dropped: messages that have come, and that came and weren't to.
    making: to be awaited before anything is made at the upstream that is the link's alone, and to be cleaned up.
    """

    def __init__(self, context: Context, vhost: str, target: Exchange | Queue, upstream: Upstream) -> None:
        self.context = context
        self.vhost = vhost
        self.target = target
        self.upstream = upstream
        self.uri: AmqpUri = upstream.uris[0]
        self.local_connection = ""
        self.forwarded = 0
        self.dropped = 0
        self.making: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        self._pump: Pump[Any] | None = None

    @property
    def name(self) -> str:
        """What listings call its connections, on either side."""
        return f"Federation link (upstream: {self.upstream.name}, {self.target.kind}: {self.target.name})"

    async def connect(self, peers: trio.Nursery, held: AsyncExitStack) -> AmqpPeer:
        """A connection to the upstream; PeerError if there is none."""
        self.uri = pick(self.upstream.uris)
        return await self.connect_again(peers, held)

    async def connect_again(self, peers: trio.Nursery, held: AsyncExitStack) -> AmqpPeer:
        """One more to the same address."""
        peer = await connect_amqp(peers, self.uri, product=PRODUCT, version=self.context.facts.version, name=self.name)
        held.push_async_callback(peer.aclose)
        return peer

    async def client(self, held: AsyncExitStack) -> BrokerClient:
        """A client of this broker, which may do everything; PeerError if the virtual host has gone."""
        try:
            client = await held.enter_async_context(self.context.connect(None, self.vhost, name=self.name))
        except (BrokerError, DirectError) as error:
            raise PeerError(words(error)) from error
        self.local_connection = client.name
        held.callback(self._disconnected)
        return client

    @property
    def blocked(self) -> str | None:
        """Why nothing can be published here now; None if it can."""
        return None if self._pump is None else self._pump.blocked

    def pumping(self, pump: Pump[Any], held: AsyncExitStack) -> None:
        """This pump is at work, for as long as all that is held."""
        self._pump = pump
        held.callback(self._pumps_no_more)

    def count_forwarded(self, count: int) -> None:
        self.forwarded += count

    def count_dropped(self, count: int) -> None:
        self.dropped += count

    def _pumps_no_more(self) -> None:
        self._pump = None

    def _disconnected(self) -> None:
        self.local_connection = ""
