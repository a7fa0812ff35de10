"""The work of one link of a federated queue (spec E.2, queue federation link).

    upstream:   queue ──► consumer of priority -1      here:   link ──► queue ──► consumers that wait for more
                              └────── the link's

Messages move: one is acknowledged at the upstream when it is confirmed here.  The link makes nothing at the upstream
but the queue itself, if that isn't there; which then stays, with whatever somebody has put into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, ClassVar, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.plugins.bridging.ack_modes import NO_ACK, ON_CONFIRM
from warren.plugins.bridging.local_ends import LocalDestination
from warren.plugins.bridging.pump import Pump
from warren.plugins.federation.declaring import ask_alone, find_queue, is_auto_delete
from warren.plugins.federation.queue_headers import QueueHeaders
from warren.plugins.federation.queue_source import QueueSource

if TYPE_CHECKING:
    import trio

    from warren.adapters.amqp091.client.incoming import Incoming
    from warren.core.exchanges.binding import Binding
    from warren.core.queues.base import Queue
    from warren.gateway.plugin import AmqpPeer
    from warren.plugins.federation.work import Ground

PRIORITIES: Final = "consumer_priorities"
"""What an upstream has to be capable of: else it would give away what its own consumers wait for."""


class QueueWork:
    """Implements work.LinkWork."""

    makes_own: ClassVar[bool] = False

    def __init__(self, ground: Ground, queue: Queue) -> None:
        self.there = ground.upstream.queue or queue.name
        self.tag = ground.upstream.tag
        self._ground = ground
        self._queue = queue

    def bound(self, binding: Binding) -> None:
        """A queue has none of its own."""

    def unbound(self, bindings: Sequence[Binding]) -> None:
        """A queue has none of its own."""

    async def follow(self) -> None:
        """Nothing is told that matters."""

    async def run(self, peers: trio.Nursery, running: Callable[[], None]) -> None:
        ground, upstream = self._ground, self._ground.upstream
        confirms = upstream.ack_mode == ON_CONFIRM
        async with AsyncExitStack() as held:
            peer = await ground.connect(peers, held)
            if PRIORITIES not in peer.connection.capabilities:
                raise PeerError(
                    "upstream_lacks_consumer_priorities: the upstream would give away what its own consumers wait for"
                )
            await self._make_queue(peer)
            client = await ground.client(held)
            source = QueueSource(
                peer,
                peer.open_channel(),
                self._queue,
                there=self.there,
                tag=self.tag,
                prefetch=upstream.prefetch,
                no_ack=upstream.ack_mode == NO_ACK,
            )
            pump: Pump[Incoming] = Pump(
                source,
                # Mandatory, so that nothing is acknowledged there that has come too late for a queue deleted here.
                LocalDestination(client, confirms=confirms, mandatory=confirms),
                QueueHeaders(self._queue.name, ground.uri.shown, self.there, trust_user_id=upstream.trust_user_id),
                ack_mode=upstream.ack_mode,
                moved=ground.count_forwarded,
            )
            ground.pumping(pump, held)
            held.callback(source.close)
            source.open()
            ground.context.changed()
            running()
            await pump.run()

    async def clean_up(self, peers: trio.Nursery) -> None:
        """Nothing is the link's alone."""

    async def _make_queue(self, peer: AmqpPeer) -> None:
        """The upstream's queue is there, whatever it is like but for auto-delete; or it is made like the one here.

        A queue that is auto-delete goes with its last consumer, and the link's comes and goes with what is wanted here:
        what waits there would be lost.  So none is made so, and one that is so is refused.
        """
        queue = self._queue
        durable, arguments = queue.durable, queue.arguments_raw
        if await find_queue(peer, self.there) is None:
            declare = methods.QueueDeclare(queue=self.there, durable=durable, arguments_raw=arguments)
            await ask_alone(peer, declare, methods.QueueDeclareOk)
        elif await is_auto_delete(peer, self.there, durable=durable, arguments_raw=arguments):
            raise PeerError(
                f"the queue '{self.there}' at the upstream is auto-delete: it would be deleted, with what waits in it, "
                f"whenever nothing is wanted here"
            )
