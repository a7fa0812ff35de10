"""Selectors and groups by pika, stomp.py and Qpid Proton, each on what the others have published."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from proton import Described, Message, symbol
from proton.reactor import Filter
from proton.utils import BlockingConnection, LinkDetached

from tests.stomp.conftest import Client
from tests.support.warren_process import WarrenProcess, warren_process

TIME_LIMIT_S = 60

RED = "color = 'red'"

_numbers = count()


@pytest.fixture(scope="module")
def warren() -> Iterator[WarrenProcess]:
    with warren_process(in_memory=True, listen=("amqp=127.0.0.1:0", "stomp=127.0.0.1:0")) as process:
        yield process


@pytest.fixture
def name() -> str:
    return f"q{next(_numbers)}"


@pytest.fixture
def channel(warren: WarrenProcess) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.ConnectionParameters(port=warren.amqp_port))
    yield connection.channel()
    connection.close()


@pytest.fixture
def proton_connection(warren: WarrenProcess) -> Iterator[BlockingConnection]:
    connection = BlockingConnection(
        f"amqp://127.0.0.1:{warren.amqp_port}",
        timeout=TIME_LIMIT_S,
        allowed_mechs="PLAIN",
        user="guest",
        password="guest",
    )
    yield connection
    connection.close()


@pytest.fixture
def stomp_client(warren: WarrenProcess) -> Iterator[Client]:
    client = Client("1.2", warren.addresses["stomp"][1])
    yield client
    client.connection.disconnect()


def fill(channel: BlockingChannel, name: str, queue_type: str = "classic", **arguments: Any) -> None:
    """Declare a queue, and publish red and blue by turns."""
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": queue_type, **arguments})
    channel.confirm_delivery()
    for number in range(10):
        headers = {"color": ("red", "blue")[number % 2], "n": number}
        channel.basic_publish("", name, b"%d" % number, pika.BasicProperties(headers=headers, delivery_mode=2))


def taken(channel: BlockingChannel, name: str, number: int, arguments: dict[str, Any]) -> list[str]:
    """The next so many messages of a consumer, acknowledged."""
    got: list[str] = []
    for method, _, body in channel.consume(name, arguments=arguments, inactivity_timeout=TIME_LIMIT_S):
        assert method is not None, f"after {got} nothing more comes"
        got.append(body.decode())
        channel.basic_ack(method.delivery_tag)
        if len(got) == number:
            break
    channel.cancel()
    return got


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_pika_gets_what_it_wants(channel: BlockingChannel, name: str, queue_type: str) -> None:
    fill(channel, name, queue_type)
    assert taken(channel, name, 3, {"x-filter": "color = 'red' AND n > 2"}) == ["4", "6", "8"]
    assert taken(channel, name, 7, {}) == ["0", "1", "2", "3", "5", "7", "9"]


def test_pika_of_a_stream(channel: BlockingChannel, name: str) -> None:
    fill(channel, name, "stream")
    channel.basic_qos(prefetch_count=10)
    arguments = {"x-stream-offset": "first", "x-filter": RED}
    assert taken(channel, name, 5, arguments) == ["0", "2", "4", "6", "8"]


def test_polling_knows_nothing_of_it(channel: BlockingChannel, name: str) -> None:
    fill(channel, name)
    channel.basic_consume(name, lambda *_: None, arguments={"x-filter": "color = 'pink'"})
    bodies = [channel.basic_get(name, auto_ack=True)[2] for _ in range(3)]
    assert bodies == [b"0", b"1", b"2"]


def test_pika_is_refused(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name)
    with pytest.raises(ChannelClosedByBroker, match=r"invalid arg 'x-filter' for queue 'q\d+' in .*: it ends") as e:
        channel.basic_consume(name, lambda *_: None, arguments={"x-filter": "color ="})
    assert e.value.reply_code == 406


def test_groups_have_no_selectors(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, arguments={"x-group-by": "routing-key"})
    with pytest.raises(ChannelClosedByBroker, match="x-group-by") as e:
        channel.basic_consume(name, lambda *_: None, arguments={"x-filter": RED})
    assert e.value.reply_code == 406


@pytest.mark.parametrize("header", ["selector", "x-filter"])
def test_stomp_gets_what_it_wants(channel: BlockingChannel, stomp_client: Client, name: str, header: str) -> None:
    fill(channel, name)
    stomp_client.subscribe(f"/amq/queue/{name}", **{header: RED})
    assert [stomp_client.next("message").body for _ in range(5)] == ["0", "2", "4", "6", "8"]
    stomp_client.send(f"/amq/queue/{name}", "blue", color="blue")
    stomp_client.send(f"/amq/queue/{name}", "red", color="red")
    assert stomp_client.next("message").body == "red"
    assert taken(channel, name, 6, {}) == ["1", "3", "5", "7", "9", "blue"]


def test_stomp_is_refused(stomp_client: Client, name: str) -> None:
    stomp_client.connection.subscribe(f"/queue/{name}", id="1", headers={"selector": "color >> 1"})
    error = stomp_client.next("error")
    assert error.headers["message"] == "precondition_failed"
    assert "invalid arg 'x-filter'" in error.body
    assert "'>' at character" in error.body, error.body


def test_stomp_says_it_once(stomp_client: Client, name: str) -> None:
    stomp_client.connection.subscribe(f"/queue/{name}", id="1", headers={"selector": RED, "x-filter": RED})
    assert stomp_client.next("error").headers["message"] == "Invalid header"


def filters(kind: str, value: Any) -> Filter:
    return Filter({symbol("mine"): Described(symbol(kind), value)})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("amqp:sql-filter", "color = 'red' AND p.subject LIKE 'news%'"),
        ("amqp:application-properties-filter", {"color": "red"}),
        ("amqp:properties-filter", {symbol("subject"): "&p:news"}),
    ],
)
@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_proton_gets_what_it_wants(
    channel: BlockingChannel,
    proton_connection: BlockingConnection,
    name: str,
    queue_type: str,
    kind: str,
    value: Any,
) -> None:
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": queue_type})
    sender = proton_connection.create_sender(f"/queues/{name}")
    for number in range(6):
        color = ("red", "blue")[number % 2]
        subject = f"{'news' if color == 'red' else 'old'} {number}"
        sender.send(Message(body=str(number), subject=subject, properties={"color": color}))
    receiver: Any = proton_connection.create_receiver(f"/queues/{name}", credit=10, options=filters(kind, value))
    got = []
    for _ in range(3):
        got.append(receiver.receive(TIME_LIMIT_S).body)
        receiver.accept()
    assert got == ["0", "2", "4"]
    receiver.close()
    rest = proton_connection.create_receiver(f"/queues/{name}", credit=10)
    assert [rest.receive(TIME_LIMIT_S).body for _ in range(3)] == ["1", "3", "5"]


def test_proton_is_refused(channel: BlockingChannel, proton_connection: BlockingConnection, name: str) -> None:
    channel.queue_declare(name)
    with pytest.raises(LinkDetached, match="amqp:invalid-field"):
        proton_connection.create_receiver(f"/queues/{name}", options=filters("amqp:sql-filter", "n >"))


def test_groups_go_to_one_worker_of_any_protocol(
    channel: BlockingChannel, stomp_client: Client, proton_connection: BlockingConnection, name: str
) -> None:
    fill(channel, name, "quorum", **{"x-group-by": "header:color"})
    receiver: Any = proton_connection.create_receiver(f"/queues/{name}", credit=1)
    first = receiver.receive(TIME_LIMIT_S)
    assert first.body in (b"0", "0")
    stomp_client.subscribe(f"/amq/queue/{name}", ack="client-individual", **{"prefetch-count": "1"})
    blue = stomp_client.next("message")
    assert blue.body == "1"
    method, _, body = channel.basic_get(name)
    assert (method, body) == (None, None), "both groups are with a worker"
    receiver.accept()
    receiver.close()
    method, _, body = channel.basic_get(name)
    while method is None:
        method, _, body = channel.basic_get(name)
    assert body == b"2", "the red ones are free again"
    stomp_client.ack(blue)
    assert stomp_client.next("message").body == "3"
    channel.basic_reject(method.delivery_tag, requeue=True)


def test_a_lost_connection_gives_its_groups_back_in_order(
    warren: WarrenProcess, channel: BlockingChannel, name: str
) -> None:
    fill(channel, name, **{"x-group-by": "header:color"})
    other = pika.BlockingConnection(pika.ConnectionParameters(port=warren.amqp_port))
    got: list[bytes] = []
    lost = other.channel()
    lost.basic_qos(prefetch_count=2)
    lost.basic_consume(name, lambda _, __, ___, body: got.append(body))
    while len(got) < 2:
        other.process_data_events(time_limit=1)
    assert got == [b"0", b"1"]
    assert channel.basic_get(name)[0] is None
    other.close()
    assert taken(channel, name, 10, {}) == [str(number) for number in range(10)]


def test_a_redeclaration_repeats_it(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, arguments={"x-group-by": "header:color"})
    channel.queue_declare(name, arguments={"x-group-by": "header:color"})
    with pytest.raises(ChannelClosedByBroker, match="inequivalent arg 'x-group-by'"):
        channel.queue_declare(name, arguments={"x-group-by": "routing-key"})


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-group-by": "color"},
        {"x-group-by": "header:"},
        {"x-group-by": 7},
        {"x-group-by": "routing-key", "x-max-priority": 5},
    ],
)
def test_what_is_no_group(channel: BlockingChannel, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ChannelClosedByBroker, match="invalid arg 'x-group-by' for queue") as e:
        channel.queue_declare(name, arguments=arguments)
    assert e.value.reply_code == 406


def test_stomp_declares_it(channel: BlockingChannel, stomp_client: Client, name: str) -> None:
    stomp_client.send(f"/queue/{name}", "x", x_group_by="routing-key")
    channel.queue_declare(name, durable=True, arguments={"x-group-by": "routing-key"})
