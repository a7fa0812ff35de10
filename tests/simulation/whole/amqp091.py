"""A client of AMQP 0-9-1: a channel that confirms, one with transactions, one that consumes, one that polls."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tests.simulation.whole.ledger import Broken, Copy, Holder, Message, Transaction
from tests.simulation.whole.peer import FANNED, FANOUT, FROM_MQTT, IN, OUT, QUEUES, Peer, Unexpected, World, holder_of
from tests.support.simulated_client import (
    NO_PROPERTIES,
    PERSISTENT,
    Event,
    EventReader,
    handshake_bytes,
    publish_frames,
)
from warren.adapters.amqp091.codec import methods

CONFIRMS: Final = 1
TRANSACTS: Final = 2
CONSUMES: Final = 3
POLLS: Final = 4

_ANSWERS = (
    methods.ConnectionStart,
    methods.ConnectionTune,
    methods.ConnectionOpenOk,
    methods.ConnectionBlocked,
    methods.ConnectionUnblocked,
    methods.ChannelOpenOk,
    methods.ConfirmSelectOk,
    methods.TxSelectOk,
    methods.BasicQosOk,
    methods.BasicConsumeOk,
    methods.BasicCancelOk,
)


@dataclass
class Channel:
    """held: deliveries that aren't settled yet, by tag.  limits, queues, counts: by consumer."""

    holder: Holder
    held: dict[int, tuple[Copy, str]] = field(default_factory=dict)
    queues: dict[str, str] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    closing: bool = False

    def out(self, tag: str) -> int:
        """How many of a consumer's deliveries aren't settled."""
        return sum(1 for _, consumer in self.held.values() if consumer == tag)


class Amqp091Peer(Peer):
    """See the head of this file."""

    keeps_something = False

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._is_draining = False
        self._reset()

    def _reset(self) -> None:
        self._reader = EventReader()
        self._unconfirmed: dict[int, Message] = {}
        self._published = 0
        self._channels = {number: Channel(holder_of(self, str(number))) for number in (TRANSACTS, CONSUMES, POLLS)}
        self._rolling_back = False
        self._committing: list[Transaction] = []
        self._polled: list[str] = []
        self._tags = 0
        self._openings = 0

    def hello(self) -> None:
        self._reset()
        self.write(handshake_bytes())
        for number in (CONFIRMS, *self._channels):
            self._send(number, methods.ChannelOpen())
        self._send(CONFIRMS, methods.ConfirmSelect())
        self._send(TRANSACTS, methods.TxSelect())
        if not self._is_draining:
            self._consume(TRANSACTS, "c1", 4)

    def work(self, chance: random.Random) -> None:
        doings: list[tuple[int, Callable[[random.Random], None]]] = [
            (10, self._publish),
            (4, self._begin_consuming),
            (8, self._settle),
            (5, self._transact),
            (3, self._poll),
            (1, self._cancel),
            (1, self._close_channel),
        ]
        [(_, doing)] = chance.choices(doings, [weight for weight, _ in doings])
        doing(chance)

    # Doings

    def _send(self, number: int, method: methods.Method, then: Callable[[], None] | None = None) -> None:
        self.write(methods.encode_frame(number, method), then)

    def _new(self, chance: random.Random, publisher: str) -> tuple[Message, bytes, str, str]:
        exchange, key = chance.choice([(FANOUT, ""), *(("", queue) for queue in (*QUEUES, IN))])
        queues = FANNED if exchange else (key,)
        persistent = chance.random() < 0.85
        message = self.ledger.new(publisher, queues, self.body_size(chance))
        if not persistent:
            for copy in message.copies.values():
                copy.durable = copy.queue.startswith("q")
        return message, PERSISTENT if persistent else NO_PROPERTIES, exchange, key

    def _publish(self, chance: random.Random) -> None:
        for _ in range(chance.choice([1, 1, 3, 8])):
            message, properties, exchange, key = self._new(chance, f"{self.name}.{self.connections}")
            self._published += 1
            self._unconfirmed[self._published] = message
            frames = publish_frames(key, message.body, exchange=exchange, properties=properties, channel=CONFIRMS)
            self.write(frames, partial(self.was_read, message))

    def _consume(self, number: int, queue: str, prefetch: int) -> None:
        self._tags += 1
        tag = f"t{self._tags}"
        channel = self._channels[number]
        channel.queues[tag] = queue
        channel.limits[tag] = prefetch
        self._send(number, methods.BasicQos(0, prefetch, False))
        self._send(number, methods.BasicConsume(queue=queue, consumer_tag=tag))

    def _begin_consuming(self, chance: random.Random) -> None:
        channel = self._channels[CONSUMES]
        if not channel.closing and len(channel.queues) < 4:
            self._consume(CONSUMES, chance.choice(QUEUES), chance.choice([1, 2, 5]))

    def _cancel(self, chance: random.Random) -> None:
        channel = self._channels[CONSUMES]
        if channel.queues and not channel.closing:
            self._send(CONSUMES, methods.BasicCancel(chance.choice(list(channel.queues))))

    def _settle(self, chance: random.Random) -> None:
        number = chance.choice([CONSUMES, CONSUMES, POLLS])
        channel = self._channels[number]
        if not channel.held or channel.closing:
            return
        for _ in range(chance.choice([1, 2, 4])):
            if not channel.held:
                return
            tag = chance.choice(list(channel.held))
            multiple = chance.random() < 0.3
            tags = [each for each in channel.held if each <= tag] if multiple else [tag]
            copies = [channel.held.pop(each)[0] for each in tags]
            if chance.random() < 0.7:
                self._send(number, methods.BasicAck(tag, multiple), partial(self.was_settled, copies))
            else:
                self._send(number, methods.BasicNack(tag, multiple, True), partial(self.ledger.returned, copies))

    def _poll(self, chance: random.Random) -> None:
        if not self._channels[POLLS].closing:
            queue = chance.choice(QUEUES)
            self._polled.append(queue)
            self._send(POLLS, methods.BasicGet(queue=queue))

    def _transact(self, chance: random.Random) -> None:
        channel = self._channels[TRANSACTS]
        if self._committing or self._rolling_back:
            # Until the answer nothing else may be sent on the channel.
            return
        transaction = Transaction(f"{self.name}.{self.connections}.{len(self.ledger.messages)}")
        messages = []
        for _ in range(chance.choice([1, 2, 4])):
            message, properties, exchange, key = self._new(chance, transaction.name)
            messages.append(message)
            transaction.published += message.copies.values()
            self.write(publish_frames(key, message.body, exchange=exchange, properties=properties, channel=TRANSACTS))
        commits = chance.random() < 0.8
        for tag in list(channel.held)[: chance.choice([0, 1, 3])]:
            if commits:
                # What is acknowledged and rolled back stays with the channel; it is simply not acknowledged here.
                copy, _ = channel.held.pop(tag)
                transaction.settled.append(copy)
                self._send(TRANSACTS, methods.BasicAck(tag))
        if commits:
            self._committing.append(transaction)
            self._send(TRANSACTS, methods.TxCommit(), partial(self.was_committed, transaction))
        else:
            self._rolling_back = True
            self._send(TRANSACTS, methods.TxRollback())

    def _close_channel(self, chance: random.Random) -> None:
        channel = self._channels[CONSUMES]
        if not channel.closing:
            channel.closing = True
            self._send(CONSUMES, methods.ChannelClose(200), partial(self._is_over, channel))

    def _is_over(self, channel: Channel) -> None:
        channel.holder.over = True

    # What comes

    def parse(self, data: bytes) -> None:
        for event in self._reader.read(data):
            self._take(event)

    def _take(self, event: Event) -> None:
        method = event.method
        if method is None or isinstance(method, _ANSWERS):
            return
        if isinstance(method, methods.BasicDeliver):
            self._delivered(event, method)
        elif isinstance(method, methods.BasicAck) and event.channel == CONFIRMS:
            self._confirmed(method)
        elif isinstance(method, methods.TxCommitOk):
            transaction = self._committing.pop(0)
            self.world.trace(f"{self.name} committed {transaction.name}")
            self.ledger.transaction_known(transaction)
        elif isinstance(method, methods.TxRollbackOk):
            self._rolling_back = False
        elif isinstance(method, methods.BasicGetOk):
            self._got(event, method)
        elif isinstance(method, methods.BasicGetEmpty):
            self._polled.pop(0)
        elif isinstance(method, methods.ChannelCloseOk):
            self._openings += 1
            self._channels[CONSUMES] = Channel(holder_of(self, f"{CONSUMES}.{self._openings}"))
            self._send(CONSUMES, methods.ChannelOpen())
        elif isinstance(method, methods.ConnectionClose):
            if method.reply_code != 320:
                raise Unexpected(f"{self.name} got {method}")
            self.closing = True
        else:
            raise Unexpected(f"{self.name} got {event}")

    def _confirmed(self, method: methods.BasicAck) -> None:
        tags = [tag for tag in self._unconfirmed if tag <= method.delivery_tag] if method.multiple else []
        for tag in tags or [method.delivery_tag]:
            message = self._unconfirmed.pop(tag, None)
            if message is None:
                raise Broken(f"{self.name} was told twice of {tag}")
            if not message.sent:
                raise Broken(f"{self.name} was told of {tag} before it was there")
            self.ledger.confirmed(message)
        self.world.trace(f"{self.name} confirmed {method.delivery_tag} {method.multiple}")

    def _delivered(self, event: Event, method: methods.BasicDeliver) -> None:
        channel = self._channels[event.channel]
        if channel.closing or channel.holder.over:
            return
        tag = method.consumer_tag
        copy = self.ledger.delivered(channel.queues[tag], event.body, channel.holder, redelivered=method.redelivered)
        if self._is_draining:
            self._send(event.channel, methods.BasicAck(method.delivery_tag), partial(self.was_settled, [copy]))
            return
        channel.held[method.delivery_tag] = copy, tag
        self.world.trace(f"{self.name} got {copy.message.number} of {copy.queue} as {method.delivery_tag}")
        if channel.out(tag) > channel.limits[tag]:
            raise Broken(f"{self.name} has {channel.out(tag)} messages at {tag}, whose limit is {channel.limits[tag]}")

    def _got(self, event: Event, method: methods.BasicGetOk) -> None:
        channel = self._channels[POLLS]
        queue = self._polled.pop(0)
        if channel.holder.over:
            return
        copy = self.ledger.delivered(queue, event.body, channel.holder, redelivered=method.redelivered)
        channel.held[method.delivery_tag] = copy, ""
        self.world.trace(f"{self.name} polled {copy.message.number} of {queue}")

    def over(self) -> None:
        for channel in self._channels.values():
            channel.holder.over = True

    def drain(self) -> None:
        """Take everything from all queues."""
        self._is_draining = True
        self.connect()
        for queue in (*QUEUES, IN, OUT, FROM_MQTT):
            self._consume(CONSUMES, queue, 0)
