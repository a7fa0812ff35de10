"""AMQP 0-9-1, with confirms and acknowledgements, and AMQP 1.0, with everything unsettled."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

import proton

from tests.crash.mixed.content import content_of
from tests.crash.mixed.peers import EXCHANGE, KEY, PREFETCH, WINDOW, Consumer, Publisher, unexpected
from tests.durability.broker import PERSISTENT
from tests.support import amqp_bytes as wire
from tests.support import crash_link as link
from tests.support.amqp_wire import Address
from tests.support.crash_amqp10 import DURABLE, SOMETHING, Amqp10Link
from tests.support.crash_link import CHANNEL, CrashLink, Event
from tests.support.simulated_amqp10 import body_of, data

MULTIPLE_SHARE: Final = 0.3


class AmqpPublisher(Publisher):
    """Of AMQP 0-9-1."""

    def connect(self, addresses: Mapping[str, Address]) -> None:
        self.link = CrashLink(addresses["amqp"], self.name)
        self.link.method("confirm.select", wire.bits(False))
        self._unconfirmed: deque[tuple[int, str]] = deque()
        self._tag = 0

    @property
    def is_idle(self) -> bool:
        return not self._unconfirmed

    def pump(self) -> None:
        while len(self._unconfirmed) < WINDOW and self.may_publish:
            self.publish()

    def publish(self) -> str:
        """One message; its key."""
        key = self.next_key()
        self._tag += 1
        self._unconfirmed.append((self._tag, key))
        routing_key = f"{KEY}.{self.name}"
        self.link.send(wire.publish(CHANNEL, EXCHANGE, routing_key, content_of(key), properties=PERSISTENT))
        return key

    def handle(self, event: Event) -> None:
        if event.name == "basic.ack":
            tag, multiple = event.arguments.longlong(), bool(event.arguments.octet())
            while self._unconfirmed and (
                self._unconfirmed[0][0] == tag or (multiple and self._unconfirmed[0][0] < tag)
            ):
                self.history.confirm(self._unconfirmed.popleft()[1])
        elif event.name != "confirm.select-ok":
            raise unexpected(self, event)


class AmqpConsumer(Consumer):
    """Of AMQP 0-9-1: what it asks is channel.flow."""

    def connect(self, addresses: Mapping[str, Address]) -> None:
        self.begin_anew()
        self.link = CrashLink(addresses["amqp"], self.name)
        self.link.method("basic.qos", wire.long(0), wire.short(PREFETCH), wire.bits(False))
        self.link.send(link.consume(self.place))

    def handle(self, event: Event) -> None:
        if event.name == "basic.deliver":
            event.arguments.shortstr()
            tag, redelivered = event.arguments.longlong(), bool(event.arguments.octet())
            self.came(tag, event.body, redelivered=redelivered)
        elif event.name == "channel.flow-ok":
            self.answered()
        elif event.name not in ("basic.qos-ok", "basic.consume-ok"):
            raise unexpected(self, event)

    def acknowledge(self, token: int) -> None:
        # Those before it are settled, so that both ways say the same.
        self.link.send(link.acknowledge(token, multiple=self.chance.random() < MULTIPLE_SHARE))

    def send_question(self) -> None:
        self.link.method("channel.flow", wire.bits(True))


class Amqp10Publisher(Publisher):
    """Of AMQP 1.0: the outcome accepted is a confirm."""

    def connect(self, addresses: Mapping[str, Address]) -> None:
        self.link = connection = Amqp10Link(addresses["amqp"], self.name)
        self._client = client = connection.client
        self._sent: dict[int, str] = {}
        self._sending = client.send_to(f"/exchanges/{EXCHANGE}/{KEY}.{self.name}", name=self.name, settled=False)
        connection.wait(lambda event: None, lambda: client.attached, "attaching")

    @property
    def is_idle(self) -> bool:
        return not self._sent

    def pump(self) -> None:
        while len(self._sent) < WINDOW and not self._sending.waiting and self.may_publish:
            key = self.next_key()
            self._sent[self._sending.send(DURABLE + data(content_of(key)), 0, settled=False)] = key
            self.link.send(self._client.take())

    def handle(self, event: Event) -> None:
        settled, self._sending.settled = self._sending.settled, []
        for each in settled:
            if each.refused is not None:
                raise unexpected(self, each.refused)
            self.history.confirm(self._sent.pop(each.number))


class Amqp10Consumer(Consumer):
    """Of AMQP 1.0: what it asks is the state of the session."""

    def connect(self, addresses: Mapping[str, Address]) -> None:
        self.begin_anew()
        self.link = connection = Amqp10Link(addresses["amqp"], self.name)
        self._client = client = connection.client
        self._receiving = client.receive_from(f"/queues/{self.place}", PREFETCH, name=self.name, settled=False)
        connection.wait(lambda event: None, lambda: client.attached, "attaching")
        client.echoes = 0

    def pump(self) -> None:
        # Some may have come while the link was being attached.
        self.handle(SOMETHING)
        super().pump()

    def handle(self, event: Event) -> None:
        for _ in range(self._client.echoes):
            self.answered()
        self._client.echoes = 0
        while self._receiving.arrived:
            received = self._receiving.arrived.popleft()
            message = proton.Message()
            message.decode(received.data)
            self.came(received.delivery_id, body_of(message), redelivered=not message.first_acquirer)
        self._receiving.taken()

    def acknowledge(self, token: int) -> None:
        self._receiving.accept(token, token, 1)

    def send_question(self) -> None:
        self._client.ask()
