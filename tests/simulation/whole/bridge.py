"""A shovel, or a federated queue's link, as far as it waits for nothing: it moves messages from one queue to another.

The client's halves of AMQP 0-9-1 and what a pump knows of the messages that are under way are those of the plugins;
that one end goes with the other, and that a message is acknowledged at its source only once the destination has
confirmed it, is what plugins.bridging.pump does in tasks.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.simulation.whole.ledger import Broken, Copy
from tests.simulation.whole.peer import IN, OUT, Peer, Unexpected, World, holder_of
from warren.adapters.amqp091.client.connection import ClientConnection
from warren.adapters.amqp091.client.handshake import Login
from warren.adapters.amqp091.codec import methods
from warren.plugins.bridging.in_flight import InFlight
from warren.plugins.federation.queue_headers import QueueHeaders

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.adapters.amqp091.client.incoming import Incoming

PREFETCH: Final = 4
UPSTREAM: Final = "amqp://upstream"


class BridgeEnd(Peer):
    """A connection of a bridge.  other: the one that goes with it."""

    other: BridgeEnd

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.channel: ClientChannel | None = None
        self.connection: ClientConnection | None = None

    def hello(self) -> None:
        login = Login("test", "1", self.name, heartbeat_s=0)
        self.connection = ClientConnection(login, self.world.machine.now_ms)
        self.channel = None
        self.flush()
        if self.other.transport is None:
            self.other.connect()

    def work(self, chance: random.Random) -> None:
        """It does what it does when something comes."""

    def parse(self, data: bytes) -> None:
        connection = self.connection
        if connection is None:
            raise AssertionError("no connection")
        connection.receive(data, self.world.machine.now_ms)
        if connection.closed is not None:
            if connection.closed.code != 320:
                raise Unexpected(f"{self.name} was closed: {connection.closed}")
            self.closing = True
        elif connection.opened and self.channel is None:
            self.channel = connection.open_channel()
            self.opened(self.channel)
        if self.channel is not None:
            if self.channel.closed is not None and connection.closed is None:
                raise Unexpected(f"{self.name}'s channel was closed: {self.channel.closed}")
            self.moved(self.channel)
        self.flush()

    def flush(self) -> None:
        """Write what the connection has to say."""
        if self.connection is not None:
            data = self.connection.take()
            if data:
                self.write(data)

    def opened(self, channel: ClientChannel) -> None:
        """There is a channel."""
        raise NotImplementedError

    def moved(self, channel: ClientChannel) -> None:
        """Something came."""
        raise NotImplementedError

    def over(self) -> None:
        self.connection = self.channel = None
        if self.other.transport is not None and not self.other.transport.closed:
            self.other.lose()

    def drain(self) -> None:
        if self.transport is None:
            self.connect()


class BridgeSource(BridgeEnd):
    """Takes messages; gives them to the other end when that is ready."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._holder = holder_of(self, "source")
        self._copies: dict[int, Copy] = {}

    def opened(self, channel: ClientChannel) -> None:
        self._holder = holder_of(self, "source")
        self._copies.clear()
        channel.ask(methods.BasicQos(0, PREFETCH, False), methods.BasicQosOk, _ignore)
        channel.ask(methods.BasicConsume(queue=IN, consumer_tag="bridge"), methods.BasicConsumeOk, _ignore)

    def moved(self, channel: ClientChannel) -> None:
        destination = self.other
        if not isinstance(destination, BridgeDestination) or destination.channel is None or self._holder.over:
            return
        while channel.arrived:
            message = channel.arrived.popleft()
            copy = self.ledger.delivered(IN, message.body, self._holder, redelivered=message.redelivered)
            self._copies[message.tag] = copy
            if len(self._copies) > PREFETCH:
                raise Broken(f"{self.name} has {len(self._copies)} messages, and takes {PREFETCH}")
            self.world.trace(f"{self.name} moves {copy.message.number}")
            destination.send(message, copy)

    def done(self, last: Incoming) -> None:
        """The destination has all up to this one."""
        if self.channel is None:
            return
        copies = [self._copies.pop(tag) for tag in list(self._copies) if tag <= last.tag]
        self.flush()
        self.channel.ack(last.tag, multiple=True)
        if self.connection is not None:
            self.write(self.connection.take(), partial(self.was_settled, copies))

    def over(self) -> None:
        self._holder.over = True
        super().over()


class BridgeDestination(BridgeEnd):
    """Publishes with confirms, with the headers of a federated queue."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._in_flight: InFlight[Incoming] = InFlight()
        self._headers = QueueHeaders(OUT, UPSTREAM, IN, trust_user_id=False)
        self._sent: dict[int, Copy] = {}

    def opened(self, channel: ClientChannel) -> None:
        self._in_flight = InFlight()
        self._sent.clear()
        channel.ask(methods.ConfirmSelect(), methods.ConfirmSelectOk, _ignore)
        if self.other.channel is not None:
            self.other.moved(self.other.channel)

    def send(self, message: Incoming, source: Copy) -> None:
        """Publish a message that came from the source."""
        channel = self.channel
        if channel is None:
            raise AssertionError("no channel")
        self.flush()
        number = channel.publish(*self._headers.address(message), self._headers.properties(message), message.body)
        self._in_flight.sent(number, message)
        # Not one of the message's own copies, which its publisher's confirm is about.
        copies = self.ledger.copies.setdefault(OUT, {})
        copy = copies.get(source.message.number)
        if copy is None:
            copy = copies[source.message.number] = Copy(source.message, OUT, loose=True, durable=source.durable)
        self._sent[number] = copy
        self.flush()

    def moved(self, channel: ClientChannel) -> None:
        confirmed = channel.confirmed[:]
        channel.confirmed.clear()
        for each in confirmed:
            if not each.taken:
                raise Unexpected(f"{self.name} got {each}")
            self._in_flight.taken(each.number, multiple=each.multiple)
            for number in [number for number in self._sent if number <= each.number]:
                if number == each.number or each.multiple:
                    self._sent.pop(number).confirmed = True
        last, _ = self._in_flight.take_done()
        if last is not None and isinstance(self.other, BridgeSource):
            self.other.done(last)

    def finish(self) -> None:
        for copy in self.ledger.copies.get(OUT, {}).values():
            if (
                copy.confirmed
                and copy.durable
                and not copy.seen
                and copy.message.number not in self.ledger.may_be_damaged
            ):
                raise Broken(f"{copy} never came out of it")


def _ignore(_: object) -> None:
    """Nobody needs the answer."""
