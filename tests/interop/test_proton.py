"""Qpid Proton's blocking client and its reactor, with transactions: AMQP 1.0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from proton import Message, symbol, ulong
from proton.handlers import MessagingHandler, TransactionHandler
from proton.reactor import Container
from proton.utils import BlockingConnection, LinkDetached, SendException

from tests.support.warren_process import warren_process

TIME_LIMIT_S = 60


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Of a Warren of its own: the RabbitMQ that other tests compare with speaks no AMQP 1.0."""
    with warren_process(in_memory=True) as process:
        yield process.addresses["amqp"]


@pytest.fixture
def connection(address: tuple[str, int]) -> Iterator[BlockingConnection]:
    """Logged in with PLAIN."""
    host, port = address
    made = BlockingConnection(
        f"amqp://{host}:{port}", timeout=TIME_LIMIT_S, allowed_mechs="PLAIN", user="guest", password="guest"
    )
    yield made
    made.close()


def test_messages_arrive_as_they_were(connection: BlockingConnection) -> None:
    receiver = connection.create_receiver("/queue/interop-proton-whole", credit=10)
    sender = connection.create_sender("/queues/interop-proton-whole")
    bodies: list[Any] = ["text", {"a": [1, 2.5, None]}, [1, "two"], True, ulong(7), None, "x" * 1_000_000]
    for number, body in enumerate(bodies):
        sender.send(
            Message(body=body, id=ulong(number), durable=True, priority=3, properties={"n": number, "none": None})
        )
    for number, body in enumerate(bodies):
        message = receiver.receive(TIME_LIMIT_S)
        receiver.accept()
        assert (message.id, message.body, message.durable, message.priority) == (number, body, True, 3)
        assert message.properties == {"n": number, "none": None}


@pytest.mark.parametrize(
    ("source", "target", "subject"),
    [
        ("/topic/interop.older.*", "/topic/interop.older.key", None),
        ("/exchange/amq.direct/interop-older", "/exchange/amq.direct/interop-older", None),
        ("/queue/interop-older", "/queue", "interop-older"),
        ("interop-older-bare", "interop-older-bare", None),
    ],
)
def test_the_older_addresses(connection: BlockingConnection, source: str, target: str, subject: str | None) -> None:
    receiver = connection.create_receiver(source, credit=1)
    connection.create_sender(target).send(Message(body="there", subject=subject))
    assert receiver.receive(TIME_LIMIT_S).body == "there"
    receiver.accept()


def test_outcomes_of_a_receiver(connection: BlockingConnection) -> None:
    receiver = connection.create_receiver("/queue/interop-proton-outcomes", credit=1)
    sender = connection.create_sender("/queues/interop-proton-outcomes")
    sender.send(Message(body="one"))
    first = receiver.receive(TIME_LIMIT_S)
    receiver.release(delivered=False)
    again = receiver.receive(TIME_LIMIT_S)
    assert (first.first_acquirer, again.first_acquirer, again.body) == (True, False, "one")
    receiver.reject()
    sender.send(Message(body="two"))
    assert receiver.receive(TIME_LIMIT_S).body == "two"
    receiver.accept()


def test_errors_of_links(connection: BlockingConnection) -> None:
    with pytest.raises(LinkDetached, match="amqp:not-found"):
        connection.create_sender("/queues/interop-proton-missing")
    with pytest.raises(LinkDetached, match="amqp:not-found"):
        connection.create_receiver("/queues/interop-proton-missing")
    with pytest.raises(SendException):
        connection.create_sender("/exchanges/amq.direct/nobody").send(Message(body="lost"))


def test_messages_say_where_they_go(connection: BlockingConnection) -> None:
    receiver = connection.create_receiver("/queue/interop-proton-anonymous", credit=1)
    sender = connection.create_sender(None)
    sender.send(Message(body="to", address="/queues/interop-proton-anonymous", annotations={symbol("x-own"): 1}))
    message = receiver.receive(TIME_LIMIT_S)
    receiver.accept()
    annotations: Any = message.annotations
    assert (message.body, annotations["x-own"], annotations["x-routing-key"]) == (
        "to",
        1,
        "interop-proton-anonymous",
    )


def test_a_dynamic_source_takes_answers(connection: BlockingConnection) -> None:
    receiver = connection.create_receiver(None, credit=1, dynamic=True)
    address = receiver.link.remote_source.address
    connection.create_sender(address).send(Message(body="answer"))
    assert receiver.receive(TIME_LIMIT_S).body == "answer"
    receiver.accept()


class Transacting(MessagingHandler, TransactionHandler):
    """Commits one transaction and gives another one up, then reads what is there."""

    def __init__(self, url: str) -> None:
        super().__init__(prefetch=10, auto_accept=True)
        self.url = url
        self.got: list[Any] = []
        self.begun = 0

    def on_start(self, event: Any) -> None:
        self.container = event.container
        self.connection = self.container.connect(
            self.url, user="guest", password="guest", allowed_mechs="PLAIN", reconnect=False
        )
        self.receiver = self.container.create_receiver(self.connection, "/queue/interop-proton-transactions")

    def on_link_opened(self, event: Any) -> None:
        if event.receiver == self.receiver and not self.begun:
            self.sender = self.container.create_sender(self.connection, "/queues/interop-proton-transactions")
            self.begun = 1
            self.container.declare_transaction(self.connection, handler=self)

    def on_transaction_declared(self, event: Any) -> None:
        self.transaction = event.transaction
        self.transaction.send(self.sender, Message(body=f"{self.begun}"))
        if self.begun == 1:
            self.transaction.abort()
        else:
            self.transaction.commit()

    def on_transaction_aborted(self, event: Any) -> None:
        self.begun = 2
        self.container.declare_transaction(self.connection, handler=self)

    def on_message(self, event: Any) -> None:
        self.got.append(event.message.body)
        self.connection.close()


def test_transactions_are_all_or_nothing(address: tuple[str, int]) -> None:
    host, port = address
    handler = Transacting(f"amqp://{host}:{port}")
    Container(handler).run()
    assert handler.got == ["2"]


def test_a_deferred_message_comes_when_its_time_has_come(connection: BlockingConnection) -> None:
    receiver = connection.create_receiver("/queue/interop-proton-deferred", credit=2)
    sender = connection.create_sender("/queues/interop-proton-deferred")
    later = {symbol("x-opt-delivery-delay"): ulong(500)}
    sender.send(Message(body="later", annotations=later, durable=True))
    sender.send(Message(body="now"))
    got = []
    for _ in range(2):
        got.append(receiver.receive(TIME_LIMIT_S).body)
        receiver.accept()
    assert got == ["now", "later"]
