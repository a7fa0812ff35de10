"""One broker process for these tests, listening for AMQP and STOMP, and clients of both protocols."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pika
import pytest
import stomp
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.warren_process import WarrenProcess, warren_process

TIME_LIMIT_S = 60.0
"""For one answer: it takes milliseconds, on a busy machine many times that."""

CLIENTS = {"1.0": stomp.Connection10, "1.1": stomp.Connection11, "1.2": stomp.Connection12}


@dataclass(frozen=True)
class Event:
    """A frame as stomp.py hands it over."""

    kind: str
    headers: Mapping[str, str]
    body: str


class Listener(stomp.ConnectionListener):  # type: ignore[misc]
    """Puts what comes into a queue for each kind; errors into all of them, so that nobody waits in vain."""

    def __init__(self) -> None:
        self.events: Mapping[str, queue.Queue[Event]] = {
            kind: queue.Queue() for kind in ("message", "error", "receipt")
        }

    def on_message(self, frame: stomp.utils.Frame) -> None:
        self.events["message"].put(Event("message", frame.headers, frame.body))

    def on_error(self, frame: stomp.utils.Frame) -> None:
        for events in self.events.values():
            events.put(Event("error", frame.headers, frame.body))

    def on_receipt(self, frame: stomp.utils.Frame) -> None:
        self.events["receipt"].put(Event("receipt", frame.headers, frame.body))


class Client:
    """A stomp.py connection, and what it has received."""

    def __init__(self, version: str, port: int, **options: object) -> None:
        self.version = version
        self.listener = Listener()
        self.connection = CLIENTS[version]([("127.0.0.1", port)], **options)
        self.connection.set_listener("test", self.listener)
        self.connection.connect("guest", "guest", wait=True)

    def next(self, kind: str) -> Event:
        """The next frame of this kind; an ERROR fails the test unless it is asked for."""
        event = self.listener.events[kind].get(timeout=TIME_LIMIT_S)
        assert event.kind == kind, event
        return event

    def subscribe(self, destination: str, ack: str = "auto", id: str = "1", **headers: str) -> None:
        """SUBSCRIBE, and wait until it is done."""
        self.connection.subscribe(destination, id=id, ack=ack, headers={**headers, "receipt": "subscribed"})
        self.next("receipt")

    def send(self, destination: str, body: str = "", **headers: str) -> None:
        """SEND, and wait until it is safe."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.send(destination, body, headers={**named, "receipt": "sent"})
        self.next("receipt")

    def ack(self, message: Event, *, positive: bool = True, **headers: str) -> None:
        """ACK or NACK, as this version names a message."""
        act = self.connection.ack if positive else self.connection.nack
        if self.version == "1.2":
            act(message.headers["ack"], **headers)
        elif self.version == "1.1":
            act(message.headers["message-id"], message.headers["subscription"], **headers)
        else:
            act(message.headers["message-id"], **headers)


@pytest.fixture(scope="session")
def warren() -> Iterator[WarrenProcess]:
    """The broker.  A traceback in its log fails the session."""
    with warren_process(listen=("amqp=127.0.0.1:0", "stomp=127.0.0.1:0")) as broker:
        yield broker
        log = broker.log.read_text()
    assert "Traceback" not in log, log


@pytest.fixture
def stomp_port(warren: WarrenProcess) -> int:
    return warren.addresses["stomp"][1]


@pytest.fixture(params=["1.0", "1.1", "1.2"])
def version(request: pytest.FixtureRequest) -> str:
    """Each version of STOMP in turn."""
    return str(request.param)


@pytest.fixture
def connect(stomp_port: int) -> Iterator[Callable[..., Client]]:
    """Connects clients, and disconnects them at the end."""
    clients: list[Client] = []

    def connect(version: str = "1.2", **options: object) -> Client:
        clients.append(Client(version, stomp_port, **options))
        return clients[-1]

    yield connect
    for client in clients:
        if client.connection.is_connected():
            client.connection.disconnect()


@pytest.fixture
def channel(warren: WarrenProcess) -> Iterator[BlockingChannel]:
    """A pika channel."""
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", warren.amqp_port)) as connection:
        yield connection.channel()


@pytest.fixture
def name(request: pytest.FixtureRequest, channel: BlockingChannel) -> Iterator[str]:
    """A queue name of the test's own; the queue is deleted at the end."""
    chosen = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    yield chosen
    channel.connection.channel().queue_delete(chosen)
