"""SEND: destinations, properties, receipts (spec B.3, B.5)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient, frame
from warren.adapters.session.held import HELD_BYTES_MAX
from warren.adapters.session.ration import COMMANDS_PER_TURN
from warren.adapters.stomp.session import StompSession
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.queues import create_queue
from warren.core.exchanges.binding import Binding
from warren.core.messages.field_table import encode_table
from warren.core.queues.classic.queue import ClassicQueue


def bodies(queue: ClassicQueue) -> list[bytes]:
    return [message.body for message in queue.browse(0, 100)]


@pytest.mark.parametrize(
    ("destination", "name"),
    [("/queue/a", "a"), ("a", "a"), ("/queue/a%2Fb", "a/b"), ("/queue/%C3%A9%25", "é%"), ("/queue/100%", "100%")],
)
def test_queues_are_declared_durable(connect: Connect, simulated: SimulatedBroker, destination: str, name: str) -> None:
    connect().send("SEND", b"hello", destination=destination)
    queue = simulated.queue(name)
    assert queue.durable
    assert not queue.auto_delete
    assert not queue.exclusive
    assert bodies(queue) == [b"hello"]


def test_a_queue_is_declared_at_its_first_use_only(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SEND", b"1", destination="/queue/a")
    simulated.vhost.queues["a"].close()
    del simulated.vhost.queues["a"]
    simulated.vhost.changed()
    assert client.send("SEND", b"2", destination="/queue/a", receipt="1")[0].command == "RECEIPT"
    assert "a" not in simulated.vhost.queues


def test_queue_arguments_are_headers(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    arguments = {"x_message_ttl": "60000", "x_max_length": "2", "x_overflow": "reject-publish"}
    client.send("SEND", b"1", destination="/queue/a", **arguments)
    assert simulated.queue("a").arguments == {
        "x-message-ttl": 60000,
        "x-max-length": 2,
        "x-overflow": "reject-publish",
    }
    other = connect()
    (answer,) = other.send("SEND", b"1", destination="/queue/a", receipt="1")
    assert answer["message"] == "precondition_failed"
    assert other.closed


def test_existing_queues_are_not_declared(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    assert client.send("SEND", b"1", destination="/amq/queue/a", receipt="1")[0].command == "RECEIPT"
    assert "a" not in simulated.vhost.queues
    client.send("SEND", b"2", destination="/queue/a")
    client.send("SEND", b"3", destination="/amq/queue/a")
    client.send("SEND", b"4", destination="/reply-queue/a")
    assert bodies(simulated.queue("a")) == [b"2", b"3", b"4"]


def test_exchanges_and_topics(connect: Connect, simulated: SimulatedBroker) -> None:
    for queue, exchange, key in (("t", "amq.topic", "a.*"), ("f", "amq.fanout", ""), ("d", "amq.direct", "k")):
        declare(simulated, queue)
        bind(simulated, queue, exchange, key)
    client = connect()
    client.send("SEND", b"1", destination="/topic/a.b")
    client.send("SEND", b"2", destination="/exchange/amq.fanout")
    client.send("SEND", b"3", destination="/exchange/amq.direct/k")
    client.send("SEND", b"4", destination="/exchange/amq.direct/other")
    assert [bodies(simulated.queue(name)) for name in "tfd"] == [[b"1"], [b"2"], [b"3"]]


def declare(simulated: SimulatedBroker, name: str, **arguments: object) -> None:
    table = {key.replace("_", "-"): value for key, value in arguments.items()}
    create_queue(simulated.vhost, name, arguments=table, arguments_raw=encode_table(table))  # type: ignore[arg-type]


def bind(simulated: SimulatedBroker, queue: str, exchange: str, key: str) -> None:
    vhost = simulated.vhost
    add_binding(vhost, vhost.exchange(exchange), Binding(exchange, vhost.queues[queue], key))


def test_headers_become_properties(connect: Connect, simulated: SimulatedBroker) -> None:
    connect().send(
        "SEND",
        b"hello",
        destination="/queue/a",
        content_type="text/plain",
        content_encoding="utf-8",
        priority="3",
        correlation_id="c",
        reply_to="/queue/b",
        expiration="60000",
        amqp_message_id="m",
        timestamp="1700000000",
        type="t",
        user_id="guest",
        app_id="app",
        persistent="true",
        receipt="r",
        colour="blue",
    )
    (message,) = simulated.queue("a").browse(0, 1)
    assert message.properties.fields() == {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "headers": {"receipt": "r", "colour": "blue"},
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "/queue/b",
        "expiration": "60000",
        "message_id": "m",
        "timestamp": 1700000000,
        "type": "t",
        "user_id": "guest",
        "app_id": "app",
    }


@pytest.mark.parametrize("value", ["false", "yes", "1", "TRUE"])
def test_only_true_is_persistent(connect: Connect, simulated: SimulatedBroker, value: str) -> None:
    connect().send("SEND", b"", destination="/queue/a", persistent=value)
    (message,) = simulated.queue("a").browse(0, 1)
    assert message.properties.fields() == {}


@pytest.fixture
def on_disk(tmp_path: Path) -> SimulatedBroker:
    return SimulatedBroker(tmp_path)


def test_a_receipt_is_a_confirm(on_disk: SimulatedBroker) -> None:
    on_disk.commits_by_itself = False
    client = StompClient(on_disk).connect()
    assert client.send("SEND", b"1", destination="/queue/a", persistent="true", receipt="1") == []
    on_disk.begin_commit()
    assert client.send("SEND", b"2", destination="/queue/a", persistent="true", receipt="2") == []
    assert client.send("SEND", b"3", destination="/queue/a", receipt="3")[0]["receipt-id"] == "3"
    on_disk.finish_commit()
    on_disk.settle()
    assert [answer["receipt-id"] for answer in client.answers()] == ["1"]
    on_disk.begin_commit()
    on_disk.finish_commit()
    on_disk.settle()
    assert [answer["receipt-id"] for answer in client.answers()] == ["2"]
    on_disk.close()


def test_the_receipt_of_disconnect_covers_what_came_before(on_disk: SimulatedBroker) -> None:
    on_disk.commits_by_itself = False
    client = StompClient(on_disk).connect()
    client.send("SEND", b"1", destination="/queue/a", persistent="true")
    client.send("SEND", b"1", destination="/queue/a", persistent="true", receipt="1")
    assert client.send("DISCONNECT", receipt="bye") == []
    assert not client.closed
    on_disk.begin_commit()
    on_disk.finish_commit()
    on_disk.settle()
    assert [answer["receipt-id"] for answer in client.answers()] == ["1", "bye"]
    assert client.closed
    on_disk.crash()
    assert on_disk.queue("a").ready_count == 2
    on_disk.close()


def test_unroutable_messages_are_receipted(connect: Connect) -> None:
    (answer,) = connect().send("SEND", b"1", destination="/exchange/amq.direct/nobody", receipt="1")
    assert answer.command == "RECEIPT"


def test_a_refused_message_is_an_error_with_its_receipt(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    arguments = {"x_max_length": "1", "x_overflow": "reject-publish"}
    client.send("SEND", b"1", destination="/queue/a", **arguments)
    (answer,) = client.send("SEND", b"2", destination="/queue/a", receipt="2")
    assert answer.command == "ERROR"
    assert answer["receipt-id"] == "2"
    assert answer["message"] == "Message refused"
    assert not client.closed
    assert bodies(simulated.queue("a")) == [b"1"]


def test_without_permission(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SEND", b"1", destination="/queue/a")
    simulated.broker.users.set_permissions("guest", "/", ".*", "", ".*")
    (answer,) = client.send("SEND", b"2", destination="/queue/a")
    assert answer["message"] == "access_refused"
    assert client.closed
    assert bodies(simulated.queue("a")) == [b"1"]


# The fast path: a head that was seen before


def known(client: StompClient) -> int:
    assert isinstance(client.session, StompSession)
    return len(client.session.known.now())


SENT = [
    frame("SEND", b"one", destination="/queue/a"),
    frame("SEND", b"three", destination="/queue/a", content_length="5"),
    b"\n" + frame("SEND", b"two", destination="/queue/a"),
    frame("SEND", b"", destination="/queue/a"),
    frame("SEND", b"\0a\0", destination="/queue/a", content_length="3"),
    b"SEND\r\ndestination:/queue/a\r\n\r\nwindows\0\r\n",
    frame("SEND", b"lasting", destination="/queue/a", persistent="true", colour="blue"),
    frame("SEND", b"urgent", destination="/queue/a", priority="1"),
]


@pytest.mark.parametrize("cut", ["whole", "byte by byte", "seed 1", "seed 2", "seed 3"])
def test_repeated_heads_mean_the_same(connect: Connect, simulated: SimulatedBroker, cut: str) -> None:
    client = connect()
    for each in SENT:
        client.send_bytes(each)
    client.send_bytes(b"".join(SENT) * 20, cut)
    expected = [b"one", b"three", b"two", b"", b"\0a\0", b"windows", b"lasting", b"urgent"] * 21
    messages = list(simulated.queue("a").browse(0, 1000))
    assert [message.body for message in messages] == expected
    assert known(client) >= 5
    lasting = [message.properties for message in messages if message.body == b"lasting"]
    assert all(properties.persistent and properties.headers == {"colour": "blue"} for properties in lasting)
    assert sum(1 for message in messages if message.properties.priority == 1) == 21


@pytest.mark.parametrize("cut", ["whole", "byte by byte", *(f"seed {seed}" for seed in range(20))])
def test_rows_of_one_head(connect: Connect, simulated: SimulatedBroker, cut: str) -> None:
    """What comes behind two with the same head is told from them: other bodies, other heads, other lengths."""
    chance = random.Random(f"rows, {cut}")
    client = connect()
    sent, expected = [], []
    for number in range(300):
        body = b"%03d" % number
        name = chance.choice("aaaaab")
        length = {"content_length": "3"} if chance.random() < 0.3 else {}
        for _ in range(chance.randint(1, 6)):
            sent.append(frame("SEND", body, destination=f"/queue/{name}", **length))
            expected.append((name, body))
    client.send_bytes(b"".join(sent), cut)
    for name in "ab":
        assert [message.body for message in simulated.queue(name).browse(0, 5000)] == [
            body for queue, body in expected if queue == name
        ]


def test_a_row_ends_where_a_body_is_too_long(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    sent = frame("SEND", b"abc", destination="/queue/a", content_length="3")
    (answer,) = client.send_bytes(sent * 5 + sent.replace(b"abc", b"abcd") + sent)
    assert answer["message"] == "Framing error"
    assert simulated.queue("a").ready_count == 5


def test_a_known_head_is_forgotten_when_the_topology_changes(connect: Connect, simulated: SimulatedBroker) -> None:
    declare(simulated, "d")
    bind(simulated, "d", "amq.direct", "k")
    client = connect()
    sent = frame("SEND", b"x", destination="/exchange/amq.direct/k")
    client.send_bytes(sent * 3)
    assert known(client) == 1
    declare(simulated, "e")
    bind(simulated, "e", "amq.direct", "k")
    client.send_bytes(sent * 3)
    assert [simulated.queue(name).ready_count for name in "de"] == [6, 3]


def test_a_known_head_is_forgotten_when_permissions_change(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    sent = frame("SEND", b"x", destination="/queue/a")
    client.send_bytes(sent * 3)
    simulated.broker.users.set_permissions("guest", "/", ".*", "", ".*")
    (answer,) = client.send_bytes(sent * 3)
    assert answer["message"] == "access_refused"
    assert simulated.queue("a").ready_count == 3


def test_a_known_head_with_a_broken_frame_behind_it(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    sent = frame("SEND", b"abc", destination="/queue/a", content_length="3")
    client.send_bytes(sent * 3)
    (answer,) = client.send_bytes(sent + sent.replace(b"abc", b"abcd"))
    assert answer["message"] == "Framing error"
    assert simulated.queue("a").ready_count == 4


def test_heads_that_vary_are_not_kept_for_ever(connect: Connect) -> None:
    client = connect()
    for number in range(3000):
        client.transport.receive(frame("SEND", b"x", destination="/queue/a", number=str(number)))
    assert 0 < known(client) <= 1024


# Alarms


def test_an_alarm_holds_sends_but_not_acknowledgements(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a", ack="client-individual")
    (message,) = client.send("SEND", b"1", destination="/queue/a")
    simulated.broker.alarms.set("memory", True)
    assert client.send("SEND", b"2", destination="/queue/b", receipt="2") == []
    assert client.send("SUBSCRIBE", id="2", destination="/queue/b", receipt="3") == []
    assert simulated.broker.inspect("connections", "/")[0]["state"] == "blocked"
    assert client.send("ACK", id=message["ack"], receipt="4")[0]["receipt-id"] == "4"
    assert simulated.queue("a").unacked_count == 0
    simulated.broker.alarms.set("memory", False)
    simulated.settle()
    answers = client.answers()
    assert [answer.command for answer in answers] == ["RECEIPT", "RECEIPT", "MESSAGE"]
    assert [answer.headers.get("receipt-id") for answer in answers] == ["2", "3", None]


def test_what_an_alarm_holds_back_is_bounded(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    simulated.broker.alarms.set("disk", True)
    sent = frame("SEND", b"x" * 1000, destination="/queue/a")
    client.transport.flood(sent, bytes_max=2 * HELD_BYTES_MAX, between=simulated.settle)
    simulated.broker.alarms.set("disk", False)
    simulated.settle()
    assert not client.transport.paused
    assert 600 < simulated.queue("a").ready_count < 1100


def test_a_second_alarm_holds_only_from_the_next_send_on(connect: Connect, simulated: SimulatedBroker) -> None:
    """What was held by the first one and waits for its turn has nothing to do with the second."""
    client = connect()
    simulated.broker.alarms.set("memory", True)
    client.send("SEND", b"1", destination="/queue/a", receipt="1")
    count = 2 * COMMANDS_PER_TURN
    for number in range(count):
        client.send("BEGIN", transaction=f"t{number}")
        client.send("ABORT", transaction=f"t{number}", receipt="done")
    client.send("SEND", b"2", destination="/queue/a", receipt="2")
    client.send("SUBSCRIBE", id="2", destination="/queue/b", receipt="3")
    simulated.broker.alarms.set("memory", False)
    simulated.broker.alarms.set("memory", True)
    simulated.settle()
    receipts = [answer["receipt-id"] for answer in client.answers()]
    assert receipts == ["1", *["done"] * count]
    assert client.send("SEND", b"3", destination="/queue/a", receipt="4") == []
    simulated.broker.alarms.set("memory", False)
    simulated.settle()
    assert [answer["receipt-id"] for answer in client.answers()] == ["2", "3", "4"]
    assert [message.body for message in simulated.queue("a").browse(0, 9)] == [b"1", b"2", b"3"]
