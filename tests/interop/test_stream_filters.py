"""Filters of AMQP 1.0 on a stream, by RabbitMQ's client for Python and by Qpid Proton: by properties, and in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from proton import Described, Message, symbol
from proton.reactor import Filter
from proton.utils import BlockingConnection, LinkDetached
from rabbitmq_amqp_python_client import (
    AddressHelper,
    Environment,
    MessageProperties,
    OffsetSpecification,
    StreamConsumerOptions,
    StreamFilterOptions,
    StreamSpecification,
)

from tests.interop.clients import url
from tests.interop.test_rabbitmq_amqp10 import DoneError, Taking
from tests.support.warren_process import warren_process

TIME_LIMIT_S = 60

STREAM = "interop-filtered"

FIRST = ("rabbitmq:stream-offset-spec", "first")

LAST = "end"
"""The last message's body; every filter here wants it, so that who reads knows that nothing more comes."""

END = {"n": 3, "region": "eu"}


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Of a Warren that says it is as new as RabbitMQ's client wants it for expressions in SQL; it has the stream."""
    with warren_process(in_memory=True, options=("--set", "product_version=4.2.0")) as process:
        address = process.addresses["amqp"]
        environment = Environment(uri=url(address))
        connection = environment.connection()
        connection.dial()
        connection.management().declare_queue(StreamSpecification(name=STREAM))
        environment.close()
        blocking = open_connection(address)
        sender = blocking.create_sender(f"/queues/{STREAM}")
        for number in range(20):
            sender.send(
                Message(
                    body=str(number),
                    subject="order new" if number % 2 else "invoice",
                    group_id=f"group-{number % 5}",
                    properties={"n": number, "region": ("eu", "us", "asia")[number % 3]},
                )
            )
        sender.send(Message(body=LAST, subject="order end", group_id="group-0", properties=END))
        blocking.close()
        yield address


def open_connection(address: tuple[str, int]) -> BlockingConnection:
    """Proton's."""
    host, port = address
    return BlockingConnection(
        f"amqp://{host}:{port}", timeout=TIME_LIMIT_S, allowed_mechs="PLAIN", user="guest", password="guest"
    )


def numbers(wanted: Any) -> list[str]:
    """Those of the twenty that this is true for, and the last."""
    return [str(number) for number in range(20) if wanted(number)] + [LAST]


class Until(Taking):
    """Takes all up to the last one."""

    def __init__(self) -> None:
        super().__init__([])

    def on_amqp_message(self, event: Any) -> None:
        self.got.append(str(event.message.body))
        self.delivery_context.accept(event)
        if self.got[-1] == LAST:
            raise DoneError


CHOICES: Mapping[str, tuple[StreamFilterOptions, Any]] = {
    "subject": (StreamFilterOptions(message_properties=MessageProperties(subject="&p:order")), lambda n: n % 2),
    "group": (StreamFilterOptions(message_properties=MessageProperties(group_id="group-0")), lambda n: n % 5 == 0),
    "application": (StreamFilterOptions(application_properties={"region": "eu"}), lambda n: n % 3 == 0),
    "application number": (StreamFilterOptions(application_properties={"n": 3}), lambda n: n == 3),
    "both": (
        StreamFilterOptions(
            message_properties=MessageProperties(subject="&p:order"), application_properties={"region": "&s:u"}
        ),
        lambda n: n % 2 and n % 3 == 0,
    ),
    "sql": (
        StreamFilterOptions(sql="region IN ('eu', 'us') AND n >= 3 AND p.subject LIKE 'order%'"),
        lambda n: n % 3 != 2 and n >= 3 and n % 2,
    ),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_rabbitmqs_client_gets_what_it_wants(address: tuple[str, int], choice: str) -> None:
    options, wanted = CHOICES[choice]
    environment = Environment(uri=url(address))
    connection = environment.connection()
    connection.dial()
    handler = Until()
    consumer = connection.consumer(
        AddressHelper.queue_address(STREAM),
        message_handler=handler,
        consumer_options=StreamConsumerOptions(OffsetSpecification.first, filter_options=options),
    )
    with pytest.raises(DoneError):
        consumer.run()
    environment.close()
    assert handler.got == numbers(wanted)


def filters(**more: tuple[str, Any]) -> Filter:
    """A filter set, each with its descriptor; from the first message on."""
    made = {"offset": FIRST, **more}
    return Filter({symbol(name): Described(symbol(kind), value) for name, (kind, value) in made.items()})


def read_to_the_end(receiver: Any) -> list[str]:
    got: list[str] = []
    while not got or got[-1] != LAST:
        got.append(str(receiver.receive(TIME_LIMIT_S).body))
        receiver.accept()
    return got


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("amqp:sql-filter", "n % 4 = 3 OR p.group_id = 'group-0'", lambda n: n % 4 == 3 or n % 5 == 0),
        ("amqp:properties-filter", {symbol("group-id"): "&s:-0"}, lambda n: n % 5 == 0),
        ("amqp:application-properties-filter", {"n": 3, "region": "&p:e"}, lambda n: n == 3),
    ],
)
def test_proton_gets_what_it_wants(address: tuple[str, int], kind: str, value: Any, wanted: Any) -> None:
    connection = open_connection(address)
    receiver = connection.create_receiver(f"/queues/{STREAM}", credit=5, options=filters(mine=(kind, value)))
    assert read_to_the_end(receiver) == numbers(wanted)
    connection.close()


def test_an_expression_that_is_none_refuses_the_link(address: tuple[str, int]) -> None:
    connection = open_connection(address)
    with pytest.raises(LinkDetached, match="amqp:invalid-field"):
        connection.create_receiver(f"/queues/{STREAM}", options=filters(mine=("amqp:sql-filter", "n >")))
    connection.close()
