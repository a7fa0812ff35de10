"""The queue at the upstream that a federated queue takes from, while its own consumers wait for more (spec E.2).

    demand (core.queues.demand)  --wanted-->      basic.qos, basic.consume
                                 --not wanted-->  basic.cancel
    acknowledgements                              a wider window, if there is credit for it by now

The consumer there has priority -1: the upstream's own consumers come first.  So two queues that take from each other
don't move messages for nobody: each gives the other only what its own consumers can't take, and no queue counts such a
consumer as one of its own (core.queues.demand).

What is asked for at once is bounded by the credit that the consumers here have to spare, not by the prefetch count
alone: what has been fetched and finds nobody would wait here, out of the upstream's reach, or be fetched back by it.  A
consumer that acknowledges one message at a time has one to spare each time, while much could be under way; so the
window is widened where that turns out too little.  A prefetch count is a consumer's from its beginning on (as RabbitMQ
has it), so another window is another consumer, with the same tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.messages.field_table import Typed, encode_table
from warren.plugins.bridging.amqp_ends import AmqpSource

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.adapters.amqp091.client.incoming import Incoming
    from warren.core.queues.base import Queue
    from warren.gateway.plugin import AmqpPeer

CONSUMER_ARGUMENTS_RAW: Final = encode_table({"x-priority": Typed("l", -1)})

WIDER: Final = 2
"""A window is exchanged for one that is so many times as wide, so that few are: ten from 1 to 1000."""


class QueueSource:
    """Implements bridging.ends.Source.

    there: the queue at the upstream.  tag: the consumer's.  prefetch: messages that may be under way at most.
    local: the federated queue, whose demand is watched from `open` to `close`.
    """

    waiting: int | None = None

    def __init__(
        self,
        peer: AmqpPeer,
        channel: ClientChannel,
        local: Queue,
        *,
        there: str,
        tag: str,
        prefetch: int,
        no_ack: bool,
    ) -> None:
        self._peer = peer
        self._channel = channel
        self._local = local
        self._there = there
        self._tag = tag
        self._prefetch = prefetch
        self._no_ack = no_ack
        self._source = AmqpSource(peer, channel, None, no_ack=no_ack)
        self._window = 0

    def open(self) -> None:
        """Fetch whenever more is wanted here, from now on; PeerError for a queue that can't say when."""
        if not self._local.watch_demand(self._demand):
            raise PeerError(f"{self._local.description} is of the type {self._local.type_name}, which isn't federated")

    def close(self) -> None:
        """Fetch nothing any more."""
        self._local.unwatch_demand(self._demand)
        self._stop()

    async def receive(self) -> Sequence[Incoming]:
        return await self._source.receive()

    def ack(self, message: Incoming) -> None:
        if self._window and not self._no_ack and self._suitable_window() >= WIDER * self._window:
            self._stop()
            self._start()
        self._source.ack(message)

    def ack_alone(self, message: Incoming) -> None:
        self._source.ack_alone(message)

    # Below

    def _demand(self, wanted: bool) -> None:
        if wanted:
            self._start()
        else:
            self._stop()
        self._peer.flush()

    def _suitable_window(self) -> int:
        return max(1, min(self._prefetch, self._local.spare_credit))

    def _start(self) -> None:
        if self._window:
            return
        self._window = self._suitable_window()
        if not self._no_ack:
            self._channel.ask(methods.BasicQos(prefetch_count=self._window), methods.BasicQosOk, _ignore)
        self._channel.tell(
            methods.BasicConsume(
                queue=self._there,
                consumer_tag=self._tag,
                no_ack=self._no_ack,
                nowait=True,
                arguments_raw=CONSUMER_ARGUMENTS_RAW,
            )
        )

    def _stop(self) -> None:
        if self._window:
            self._window = 0
            self._channel.tell(methods.BasicCancel(self._tag, nowait=True))


def _ignore(reply: methods.Method | PeerError) -> None:
    """A refusal ends the channel, and the link with it."""
