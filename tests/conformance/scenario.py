"""What the scenario tests are written with: a workbench of connections and names, and blocking verbs over
pika.

Nothing here sleeps.  Waiting means processing the connection's events until a condition holds or
`TIME_LIMIT_S` has passed.  That something does *not* arrive is shown by asking the broker for counts, never
by waiting for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from tests.support.until import until

TIME_LIMIT_S = 20.0

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Delivery:
    """A message as a client saw it."""

    body: bytes
    tag: int
    redelivered: bool
    exchange: str
    routing_key: str
    properties: pika.BasicProperties


@dataclass(frozen=True)
class Refusal:
    """How a broker says no: the scope that it closes, the reply code and its text.

    In expectations `text` is a part of the whole text.
    """

    scope: str
    code: int
    text: str = ""


OK = None
"""In the place of a `Refusal`: the broker does what was asked."""


LIVES = ("passive", "exclusive", "auto_delete")
"""Where one of them is set, nothing is made, or it goes with somebody."""


def _declare_durable(declare: Callable[..., object], name: str, *others: object, **given: Any) -> object:
    if name and not name.startswith("amq.") and "durable" not in given and not any(map(given.get, LIVES)):
        given["durable"] = True
    return declare(name, *others, **given)


def _durable_channel(open_channel: Callable[..., BlockingChannel], *given: Any) -> BlockingChannel:
    """What is declared on it with a name, and with nothing said of how long it lives, is durable."""
    channel = open_channel(*given)
    for verb in ("queue_declare", "exchange_declare"):
        setattr(channel, verb, partial(_declare_durable, getattr(channel, verb)))
    return channel


class Workbench:
    """Opens connections and hands out names; `clean_up` closes and deletes all of them.

    durable: see _durable_channel.
    """

    def __init__(self, address: tuple[str, int], *, durable: bool = False) -> None:
        self.address = address
        self._durable = durable
        self._connections: list[BlockingConnection] = []
        self._names: list[str] = []

    def connect(self, user: str = "guest", password: str = "guest", **parameters: Any) -> BlockingConnection:
        """A new connection; `parameters` are those of pika.ConnectionParameters."""
        host, port = self.address
        credentials = pika.PlainCredentials(user, password)
        defaults = {
            "heartbeat": 0,
            "blocked_connection_timeout": TIME_LIMIT_S,
            "socket_timeout": TIME_LIMIT_S,
        }
        settings = pika.ConnectionParameters(host, port, credentials=credentials, **defaults | parameters)
        connection = BlockingConnection(settings)
        if self._durable:
            connection.channel = partial(_durable_channel, connection.channel)
        self._connections.append(connection)
        return connection

    def channel(self) -> BlockingChannel:
        """A channel on a new connection."""
        return self.connect().channel()

    def name(self, label: str = "name") -> str:
        """A name that no other test uses; a queue or exchange of this name is deleted after the test."""
        return self.remember(f"{label}-{next(_numbers)}")

    def remember(self, name: str) -> str:
        """Has a queue or exchange of this name deleted after the test."""
        self._names.append(name)
        return name

    def queue(self, channel: BlockingChannel, label: str = "queue", **arguments: Any) -> str:
        """Declares a queue, and gives its name."""
        name = self.name(label)
        channel.queue_declare(name, **arguments)
        return name

    def exchange(self, channel: BlockingChannel, kind: str = "direct", **arguments: Any) -> str:
        """Declares an exchange, and gives its name."""
        name = self.name(kind)
        channel.exchange_declare(name, kind, **arguments)
        return name

    def bound_queue(self, channel: BlockingChannel, exchange: str, *keys: str) -> str:
        """Declares a queue that is bound with each of the keys, and gives its name."""
        queue = self.queue(channel)
        for key in keys:
            channel.queue_bind(queue, exchange, key)
        return queue

    def clean_up(self) -> None:
        """Closes what is open, and deletes every name handed out."""
        for connection in self._connections:
            if connection.is_open:
                connection.close()
        channel = self.connect().channel()
        for name in self._names:
            channel.queue_delete(name)
            channel.exchange_delete(name)
        channel.connection.close()


class Inbox:
    """A consumer that keeps what it is delivered, in order."""

    def __init__(self, channel: BlockingChannel, queue: str, *, auto_ack: bool = False, **arguments: Any) -> None:
        self.channel = channel
        self.queue = queue
        self.deliveries: list[Delivery] = []
        self.cancelled = False
        channel.add_on_cancel_callback(self._on_cancel)
        self.tag = channel.basic_consume(queue, self._on_delivery, auto_ack=auto_ack, **arguments)

    def wait(self, count: int) -> list[Delivery]:
        """All deliveries, once there are `count`; more than that is a failure."""
        process_until(self.channel, lambda: len(self.deliveries) >= count)
        assert len(self.deliveries) == count
        return self.deliveries

    def bodies(self, count: int) -> list[bytes]:
        """The bodies of all deliveries, once there are `count`."""
        return [delivery.body for delivery in self.wait(count)]

    def wait_for_cancel(self) -> None:
        """Returns when the broker has cancelled this consumer."""
        process_until(self.channel, lambda: self.cancelled)

    def _on_delivery(self, channel: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self.deliveries.append(_delivery(method, properties, body))

    def _on_cancel(self, frame: Any) -> None:
        self.cancelled |= frame.method.consumer_tag == self.tag


def process_until(channel: BlockingChannel, condition: Callable[[], bool]) -> None:
    """Handles the connection's events until the condition holds; fails after its time limit (until.py)."""
    until(condition, channel.connection.process_data_events)


def send(channel: BlockingChannel, exchange: str, key: str, *bodies: bytes, **properties: Any) -> None:
    """Publishes the bodies, each with the same properties."""
    for body in bodies:
        channel.basic_publish(exchange, key, body, pika.BasicProperties(**properties))


def numbered(count: int) -> list[bytes]:
    """Bodies `1`, `2`... whose order can be told."""
    return [str(number).encode() for number in range(1, count + 1)]


def fill(channel: BlockingChannel, queue: str, count: int) -> list[bytes]:
    """Publishes `numbered(count)` to a queue; whoever gets from it after this gets them."""
    bodies = numbered(count)
    send(channel, "", queue, *bodies)
    synchronise(channel)
    return bodies


def get(channel: BlockingChannel, queue: str, *, auto_ack: bool = True) -> Delivery | None:
    """One message by basic.get, or None from an empty queue."""
    method, properties, body = channel.basic_get(queue, auto_ack=auto_ack)
    return None if method is None else _delivery(method, properties, body)


def drain(channel: BlockingChannel, queue: str) -> list[bytes]:
    """The bodies of everything that is ready, which leaves the queue empty."""
    bodies = []
    while (delivery := get(channel, queue)) is not None:
        bodies.append(delivery.body)
    return bodies


def ready_count(channel: BlockingChannel, queue: str) -> int:
    """How many messages wait for a consumer."""
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def consumer_count(channel: BlockingChannel, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.consumer_count)


def queue_exists(bench: Workbench, queue: str) -> bool:
    """Asks on a connection of its own, so that a refusal costs the test nothing."""
    return _exists(lambda channel: channel.queue_declare(queue, passive=True), bench)


def exchange_exists(bench: Workbench, exchange: str) -> bool:
    return _exists(lambda channel: channel.exchange_declare(exchange, passive=True), bench)


def synchronise(channel: BlockingChannel) -> None:
    """The broker has dealt with everything sent on this channel; raises if it closed anything."""
    channel.flow(True)


def refusal_of(action: Callable[[], object], channel: BlockingChannel) -> Refusal | None:
    """What the broker says to an action on a channel; OK if it agrees."""
    try:
        action()
        synchronise(channel)
    except ChannelClosedByBroker as closed:
        return Refusal("channel", closed.reply_code, closed.reply_text)
    except ConnectionClosedByBroker as closed:
        return Refusal("connection", closed.reply_code, closed.reply_text)
    return OK


def assert_refused(actual: Refusal | None, expected: Refusal | None) -> None:
    """Scope and code are the same, and the expected text is in the actual one."""
    if actual is None or expected is None:
        assert actual == expected
        return
    assert (actual.scope, actual.code) == (expected.scope, expected.code), actual
    assert expected.text in actual.text


@contextmanager
def channel_refusal(code: int, text: str) -> Iterator[None]:
    """What is done inside must end in a channel.close with this code, and these words in its text."""
    with pytest.raises(ChannelClosedByBroker) as caught:
        yield
    assert caught.value.reply_code == code, caught.value
    assert text in caught.value.reply_text


def _exists(ask: Callable[[BlockingChannel], object], bench: Workbench) -> bool:
    channel = bench.channel()
    refusal = refusal_of(lambda: ask(channel), channel)
    assert refusal is None or refusal.code == 404, refusal
    channel.connection.close()
    return refusal is None


def _delivery(method: Any, properties: pika.BasicProperties, body: bytes) -> Delivery:
    return Delivery(body, method.delivery_tag, method.redelivered, method.exchange, method.routing_key, properties)
