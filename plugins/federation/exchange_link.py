"""The work of one link of a federated exchange (spec E.2, exchange federation link).

    upstream:   exchange ──► internal exchange ──► queue        here:   link ──► exchange
                 (bindings as here)                  └────── consumed by the link

At the upstream the link has a queue, in which messages wait while it is down, and an internal exchange in front of it,
to which the upstream's exchange is bound as the one here is bound to whatever it leads to.  The internal exchange has
the type x-federation-upstream where the upstream knows that, which lets nothing through that has been here before;
else it is a fanout, and such messages are dropped on arrival.

Each start makes the internal exchange anew, under the other of two names, binds it, and deletes the one before: so no
binding stays that was taken away here while the link was down, and there is no moment without any.

The queue is consumed from exclusively: two brokers of one name would share it, and each would get half of the messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, ClassVar, Final

import trio

from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.messages.field_table import EMPTY_TABLE_RAW, Typed, encode_table
from warren.plugins.bridging.ack_modes import NO_ACK, ON_CONFIRM
from warren.plugins.bridging.amqp_ends import AmqpSource
from warren.plugins.bridging.local_ends import LocalDestination
from warren.plugins.bridging.pump import PATIENCE_S, Pump, first_to_end
from warren.plugins.bridging.remembered import Remembered
from warren.plugins.federation.bindings import BindingMirror, Wanted
from warren.plugins.federation.declaring import PRECONDITION_FAILED, ask_alone, find_exchange, find_queue
from warren.plugins.federation.messages import ExchangeRewriting, FederatedSource, Way, may_come_to
from warren.plugins.federation.names import SUFFIXES, exchange_name, other, queue_name
from warren.plugins.federation.room import refusal_in
from warren.plugins.federation.upstream import MULTIPLE, QUEUE_TYPES
from warren.plugins.federation.ways import Place

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.adapters.amqp091.client.incoming import Incoming
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding
    from warren.core.messages.field_table import Encodable
    from warren.gateway.plugin import AmqpPeer
    from warren.plugins.federation.work import Ground

UPSTREAM_TYPE: Final = "x-federation-upstream"
FANOUT: Final = "fanout"
PURPOSE: Final = "federation"

COMMAND_INVALID: Final = 503
"""A reply code (AMQP 0-9-1 1.2)."""

BINDINGS_AT_ONCE: Final = 256
"""Bindings that are looked at, or asked for before the answers have come: a few milliseconds."""

LOOK_S: Final = 60.0
"""How often the upstream's exchange is looked at: nobody tells a link that it was deleted."""

BINDINGS_LOOKED_AT: Final = 1000
"""So many bindings are made again each time, in turn: whoever deletes an exchange and makes it anew takes them away."""

CONSUMER_GONE_TRIES_S: Final = (0.1, 0.4, 1.5)
"""Pauses in which a broker notices that the connection before this one is closed."""


class ExchangeWork:
    """Implements work.LinkWork."""

    makes_own: ClassVar[bool] = True

    def __init__(self, ground: Ground, exchange: Exchange) -> None:
        self.there = ground.upstream.exchange or exchange.name
        self.tag = ground.upstream.tag
        self._ground = ground
        self._upstream = ground.upstream
        self._exchange = exchange
        self._here = Place(ground.context.facts.cluster_name, ground.vhost)
        self.mirror = BindingMirror(self._here, exchange.name, ground.upstream.max_hops, exchange.bindings)
        self._remembered = Remembered(ground.upstream.prefetch)
        self._suffix: str | None = None
        self._noted = trio.lowlevel.ParkingLot()
        self._changed = trio.lowlevel.ParkingLot()

    def bound(self, binding: Binding) -> None:
        self.mirror.bound(binding)
        self._noted.unpark_all()
        self._changed.unpark_all()

    def unbound(self, bindings: Sequence[Binding]) -> None:
        self.mirror.unbound(bindings)
        self._noted.unpark_all()
        self._changed.unpark_all()

    async def follow(self) -> None:
        while True:
            await self._work_off()
            await self._noted.park()

    async def run(self, peers: trio.Nursery, running: Callable[[], None]) -> None:
        try:
            await self._run(peers, running, UPSTREAM_TYPE)
        except PeerError as error:
            if not _is_unknown_type(error):
                raise
            await self._run(peers, running, FANOUT)

    async def clean_up(self, peers: trio.Nursery) -> None:
        async with AsyncExitStack() as held:
            peer = await self._ground.connect(peers, held)
            channel = peer.open_channel()
            queue = self._queue_name()
            await peer.ask(channel, methods.QueueDelete(queue=queue, if_unused=True), methods.QueueDeleteOk)
            for suffix in SUFFIXES:
                delete = methods.ExchangeDelete(exchange=exchange_name(queue, suffix))
                await peer.ask(channel, delete, methods.ExchangeDeleteOk)

    # Below

    async def _run(self, peers: trio.Nursery, running: Callable[[], None], internal_type: str) -> None:
        ground = self._ground
        async with AsyncExitStack() as held:
            peer = await ground.connect(peers, held)
            upstream = Place(peer.connection.cluster_name, ground.uri.vhost)
            queue = self._queue_name()
            await self._make_exchange(peer)
            commands = peer.open_channel()
            await self._make_queue(peer, commands, queue)
            source = await self._consume(peer, commands, queue)
            internal = await self._make_internal(peer, commands, queue, internal_type)
            self.mirror.begin(upstream)
            await self._bring_up_bindings(peer, commands, internal)
            await self._delete_former(peer, commands, queue)
            client = await ground.client(held)
            self._remembered.begin()
            way = Way(ground.uri.shown, "exchange", self.there, upstream)
            pump: Pump[Incoming] = Pump(
                FederatedSource(
                    source,
                    self._remembered,
                    may_come_to(self._here, self._upstream.max_hops),
                    ground.count_dropped,
                ),
                LocalDestination(
                    client,
                    confirms=self._upstream.ack_mode == ON_CONFIRM,
                    mandatory=False,
                    refuses=refusal_in(ground.context.broker.vhost(ground.vhost)),
                ),
                ExchangeRewriting(self._exchange.name, way, trust_user_id=self._upstream.trust_user_id),
                ack_mode=self._upstream.ack_mode,
                moved=ground.count_forwarded,
            )
            # What is on its way to disk here is remembered, and isn't published again.
            pump.grace_s = PATIENCE_S
            ground.pumping(pump, held)
            running()

            async def keep_bindings() -> None:
                while True:
                    while not self.mirror.has_news:
                        await self._changed.park()
                    await self._bring_up_bindings(peer, commands, internal)

            async def look() -> None:
                while True:
                    await trio.sleep(LOOK_S)
                    await self._look(peer, commands, internal)

            await first_to_end(pump.run, keep_bindings, look)

    def _queue_name(self) -> str:
        here = self._here
        return queue_name(self.there, self._ground.uri.vhost, here.cluster, here.vhost, self._exchange.name)

    async def _make_exchange(self, peer: AmqpPeer) -> None:
        """The upstream's exchange is there, whatever it is like; or it is made like the one here."""
        if await find_exchange(peer, self.there):
            return
        exchange = self._exchange
        declare = methods.ExchangeDeclare(
            exchange=self.there,
            type=exchange.type_name,
            durable=exchange.durable,
            auto_delete=exchange.auto_delete,
            arguments_raw=exchange.arguments_raw,
        )
        await ask_alone(peer, declare, methods.ExchangeDeclareOk)

    async def _make_queue(self, peer: AmqpPeer, channel: ClientChannel, queue: str) -> None:
        """The queue is there, and nobody consumes from it: nothing is made in somebody else's place."""
        await self._wait_unused(peer, queue)
        await self._ground.making()
        upstream = self._upstream
        arguments: dict[str, Encodable] = {"x-internal-purpose": PURPOSE, "x-queue-type": upstream.queue_type}
        if upstream.expires_ms is not None:
            arguments["x-expires"] = upstream.expires_ms
        if upstream.message_ttl_ms is not None:
            arguments["x-message-ttl"] = upstream.message_ttl_ms
        declare = methods.QueueDeclare(queue=queue, durable=True, arguments_raw=encode_table(arguments))
        await peer.ask(channel, declare, methods.QueueDeclareOk)

    async def _wait_unused(self, peer: AmqpPeer, queue: str) -> None:
        """PeerError if somebody consumes from the queue, and goes on to."""
        for pause_s in (*CONSUMER_GONE_TRIES_S, None):
            declared = await find_queue(peer, queue)
            if declared is None or not declared.consumer_count:
                return
            if pause_s is not None:
                await trio.sleep(pause_s)
        raise PeerError(
            f"somebody else consumes from the queue '{queue}' at the upstream: another broker with the cluster name "
            f"'{self._here.cluster}', another upstream here that leads to the same place, or a link that was cut and "
            f"hasn't been missed there yet"
        )

    async def _consume(self, peer: AmqpPeer, commands: ClientChannel, queue: str) -> AmqpSource:
        upstream = self._upstream
        channel = peer.open_channel() if upstream.channels == MULTIPLE else commands
        no_ack = upstream.ack_mode == NO_ACK
        if not no_ack:
            await peer.ask(channel, methods.BasicQos(prefetch_count=upstream.prefetch), methods.BasicQosOk)
        consume = methods.BasicConsume(
            queue=queue,
            consumer_tag=self.tag,
            no_ack=no_ack,
            exclusive=upstream.queue_type == QUEUE_TYPES[0],
            arguments_raw=EMPTY_TABLE_RAW,
        )
        await peer.ask(channel, consume, methods.BasicConsumeOk)
        return AmqpSource(peer, channel, None, no_ack=no_ack)

    async def _make_internal(self, peer: AmqpPeer, channel: ClientChannel, queue: str, type_name: str) -> str:
        """A new internal exchange, without bindings as yet; its name."""
        if self._suffix is None:
            self._suffix = SUFFIXES[0] if await find_exchange(peer, exchange_name(queue, SUFFIXES[0])) else SUFFIXES[1]
        name = exchange_name(queue, other(self._suffix))
        arguments: dict[str, Encodable] = {"x-internal-purpose": PURPOSE}
        if type_name == UPSTREAM_TYPE:
            arguments |= {
                "x-max-hops": Typed("l", self._upstream.max_hops),
                "x-downstream-name": self._here.cluster,
                "x-downstream-vhost": self._here.vhost,
            }
        declare = methods.ExchangeDeclare(
            exchange=name,
            type=type_name,
            durable=True,
            auto_delete=True,
            internal=True,
            arguments_raw=encode_table(arguments),
        )
        await peer.ask(channel, methods.ExchangeDelete(exchange=name), methods.ExchangeDeleteOk)
        await peer.ask(channel, declare, methods.ExchangeDeclareOk)
        await peer.ask(channel, methods.QueueBind(queue=queue, exchange=name), methods.QueueBindOk)
        return name

    async def _delete_former(self, peer: AmqpPeer, channel: ClientChannel, queue: str) -> None:
        assert self._suffix is not None
        delete = methods.ExchangeDelete(exchange=exchange_name(queue, self._suffix))
        await peer.ask(channel, delete, methods.ExchangeDeleteOk)
        self._suffix = other(self._suffix)

    async def _bring_up_bindings(self, peer: AmqpPeer, channel: ClientChannel, internal: str) -> None:
        """The upstream gets all bindings that it lacks, and loses those that are here no more."""
        mirror = self.mirror
        await self._work_off()
        while mirror.has_changes:
            to_bind, to_unbind = mirror.take_changes(BINDINGS_AT_ONCE)
            await self._bind(peer, channel, internal, to_bind)
            unbinds = [
                methods.ExchangeUnbind(
                    destination=internal,
                    source=self.there,
                    routing_key=each.routing_key,
                    arguments_raw=each.arguments_raw,
                )
                for each in to_unbind
            ]
            await _ask_all(peer, channel, unbinds, methods.ExchangeUnbindOk)

    async def _work_off(self) -> None:
        """All that has changed here is counted."""
        while self.mirror.work_off(BINDINGS_AT_ONCE):
            await trio.lowlevel.checkpoint()

    async def _bind(self, peer: AmqpPeer, channel: ClientChannel, internal: str, wanted: Sequence[Wanted]) -> None:
        nowait = self._upstream.bind_nowait
        binds = [
            methods.ExchangeBind(
                destination=internal,
                source=self.there,
                routing_key=each.routing_key,
                nowait=nowait,
                arguments_raw=each.arguments_raw,
            )
            for each in wanted
        ]
        if not nowait:
            await _ask_all(peer, channel, binds, methods.ExchangeBindOk)
            return
        for bind in binds:
            channel.tell(bind)
        peer.flush()
        await peer.room()
        if channel.closed is not None:
            raise channel.closed

    async def _look(self, peer: AmqpPeer, channel: ClientChannel, internal: str) -> None:
        """PeerError when the upstream's exchange isn't there any more; its bindings are made again."""
        check = methods.ExchangeDeclare(exchange=self.there, passive=True)
        await peer.ask(channel, check, methods.ExchangeDeclareOk)
        left = BINDINGS_LOOKED_AT
        while left > 0 and (some := self.mirror.some_there(min(left, BINDINGS_AT_ONCE))):
            await self._bind(peer, channel, internal, some)
            left -= len(some)
            if len(some) == len(self.mirror):
                return


async def _ask_all(
    peer: AmqpPeer, channel: ClientChannel, asked: Sequence[methods.Method], reply: type[methods.Method]
) -> None:
    """Ask without waiting for each answer, and wait for all of them; PeerError if the channel ends instead."""
    replies: list[methods.Method | PeerError] = []
    for method in asked:
        channel.ask(method, reply, replies.append)
    peer.flush()
    while len(replies) < len(asked):
        await peer.channel_progress(channel)
    for each in replies:
        if isinstance(each, PeerError):
            raise each


def _is_unknown_type(error: PeerError) -> bool:
    """Whether an upstream says that it doesn't know the internal exchange's type: by 503, or newer RabbitMQs by 406."""
    return error.code in (COMMAND_INVALID, PRECONDITION_FAILED) and f"exchange type '{UPSTREAM_TYPE}'" in error.text
