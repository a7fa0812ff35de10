"""Clients of AMQP 1.0 in a crash test: publishers that await outcomes, and a consumer, on the broker's own client half.

The outcome accepted is a confirm.  A consumer accepts, and asks for an echo of the link's state now and then: the
answer says that everything before it was handled.
"""

from __future__ import annotations

import random
import socket
from collections import deque
from collections.abc import Iterator
from typing import Final

import proton

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Address
from tests.support.crash_history import History
from tests.support.crash_link import WAIT_S, BrokerSaysNoError, CrashLink, Event, body_of
from tests.support.crash_roles import FLOW_EVERY, WINDOW, Numbers, Role, random_size
from tests.support.simulated_amqp10 import body_of as content_of
from tests.support.simulated_amqp10 import data
from warren.adapters.amqp10.client.connection import Amqp10Client
from warren.adapters.amqp10.client.login import Amqp10Login
from warren.adapters.amqp10.codec.encoding import described, list_of, string
from warren.adapters.amqp10.codec.performatives import Flow
from warren.adapters.amqp10.codec.sections import PROPERTIES

SOMETHING: Final = Event("amqp10", wire.ByteReader(b""))
"""Something was read: who has the link looks at its client."""

CREDIT: Final = 100
DURABLE: Final = b"\x00\x53\x70\xc0\x02\x01\x41"


class EchoedClient(Amqp10Client):
    """echoes: states of the link that came, each of which was asked for."""

    echoes = 0

    def ask(self) -> None:
        """Ask for the state of the session."""
        made = Flow()
        made.echo = True
        self._tell_flow(made)

    def _flow(self, body: Flow) -> None:
        self.echoes += 1
        super()._flow(body)


class Amqp10Link(CrashLink):
    """A connection with one link."""

    def __init__(self, address: Address, name: str) -> None:
        self.name = name
        self.socket = socket.create_connection(address, WAIT_S)
        self.ended = False
        self.client = EchoedClient(Amqp10Login("localhost", "PLAIN", name, "guest", "guest", heartbeat_ms=0), 0)
        self._unsent = bytearray()
        self._received = bytearray()
        self.socket.setblocking(False)
        self.wait(lambda event: None, lambda: self.client.opened, "opening")

    def write(self) -> None:
        self.send(self.client.take())
        super().write()

    def _events(self) -> Iterator[Event]:
        taken, self._received = bytes(self._received), bytearray()
        self.client.receive(taken, 0)
        closed = self.client.closed
        if closed is not None and "forced" not in str(closed):
            raise BrokerSaysNoError(f"{self.name}: {closed}")
        yield SOMETHING


class Amqp10Publisher(Role):
    """Keeps a window of messages without an outcome, all of them to one address.  accepted: how many were."""

    def __init__(
        self,
        connection: Amqp10Link,
        history: History,
        chance: random.Random,
        numbers: Numbers,
        address: str,
        queues: tuple[str, ...],
    ) -> None:
        super().__init__(connection, history, chance, numbers)
        self._client = connection.client
        self._queues = queues
        self._sending = self._client.send_to(address, name=connection.name, settled=False)
        self._sent: dict[int, str] = {}
        self.accepted = 0
        connection.wait(lambda event: None, lambda: self._client.attached, "attaching")

    def pump(self) -> None:
        while len(self._sent) < WINDOW and not self._sending.waiting and self.link.may_send:
            message_id = self.numbers.next_id(self.publisher, random_size(self.chance))
            self.history.publish(self.publisher, message_id, self._queues)
            self._sent[self._sending.send(message_of(message_id), 0, settled=False)] = message_id
            self.link.send(self._client.take())

    def handle(self, event: Event) -> None:
        settled, self._sending.settled = self._sending.settled, []
        for each in settled:
            if each.refused is not None:
                raise BrokerSaysNoError(f"{self.link.name}: {each.refused}")
            self.history.confirm(self._sent.pop(each.number))
            self.accepted += 1


class Amqp10Consumer(Role):
    """Accepts most deliveries at once, and sits on some until there are enough of them.  accepted: how many were."""

    def __init__(
        self, connection: Amqp10Link, history: History, chance: random.Random, numbers: Numbers, queue: str
    ) -> None:
        super().__init__(connection, history, chance, numbers)
        self._client = connection.client
        self._queue = queue
        self._held: deque[tuple[int, str]] = deque()
        self._asked: deque[int] = deque()
        self.accepted = 0
        self._receiving = self._client.receive_from(f"/queues/{queue}", CREDIT, name=connection.name, settled=False)
        connection.wait(lambda event: None, lambda: self._client.attached, "attaching")
        self._client.echoes = 0

    def handle(self, event: Event) -> None:
        for _ in range(self._client.echoes):
            self.history.answered(self.link.name, self._asked.popleft())
        self._client.echoes = 0
        while self._receiving.arrived:
            received = self._receiving.arrived.popleft()
            message = proton.Message()
            message.decode(received.data)
            message_id = str(message.id)
            redelivered = not message.first_acquirer
            intact = content_of(message) == body_of(message_id)
            self.history.deliver(self._queue, message_id, redelivered=redelivered, intact=intact)
            self._held.append((received.delivery_id, message_id))
            if self.chance.random() < 0.8 or len(self._held) > CREDIT // 2:
                self._accept(self._held.popleft())
        self._receiving.taken()

    def _accept(self, held: tuple[int, str]) -> None:
        number, message_id = held
        self.history.acknowledge(self.link.name, self._queue, message_id)
        self._receiving.accept(number, number, 1)
        self.accepted += 1
        if self.accepted % FLOW_EVERY == 0:
            self._asked.append(self.history.acknowledged_count(self.link.name))
            self._client.ask()


def message_of(message_id: str) -> bytes:
    """A message with this id and the body that belongs to it."""
    return DURABLE + described(PROPERTIES, list_of([string(message_id)])) + data(body_of(message_id))
