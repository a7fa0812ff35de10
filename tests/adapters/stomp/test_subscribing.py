"""SUBSCRIBE, MESSAGE, UNSUBSCRIBE (spec B.3, B.4, B.6)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient, frame
from warren.adapters.stomp.settings import StompSettings
from warren.core.clients.outbox import HIGH_WATER_BYTES
from warren.core.declaring.queues import create_queue, remove_queue
from warren.core.messages.properties import encode_properties
from warren.core.messages.timestamp import Timestamp
from warren.core.routing.publish import publish


def test_a_message(connect: Connect) -> None:
    client = connect()
    (receipt,) = client.send("SUBSCRIBE", id="s-1", destination="/queue/a", receipt="r")
    assert receipt["receipt-id"] == "r"
    (message,) = client.send("SEND", b"hello", destination="/queue/a", colour="blue")
    session = client.session.id
    assert message.command == "MESSAGE"
    assert message.lines == (
        "subscription:s-1",
        "destination:/queue/a",
        f"message-id:T_s-1@@{session}@@1",
        "redelivered:false",
        "colour:blue",
        "content-length:5",
    )
    assert message.body == b"hello"


def test_an_empty_message_has_no_content_length(connect: Connect) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    (message,) = client.send("SEND", destination="/queue/a")
    assert "content-length" not in message.headers
    assert message.body == b""


def test_a_clients_content_length_is_not_passed_on(connect: Connect) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    (message,) = client.send("SEND", b"abc", destination="/queue/a", content_length="3")
    assert [line for line in message.lines if line.startswith("content-length")] == ["content-length:3"]


@pytest.mark.parametrize(
    ("version", "mode", "has_ack"),
    [
        ("1.2", "auto", False),
        ("1.2", "client", True),
        ("1.2", "client-individual", True),
        ("1.1", "client", False),
        ("1.0", "client", False),
    ],
)
def test_the_ack_header(connect: Connect, version: str, mode: str, has_ack: bool) -> None:
    client = connect(version)
    client.send("SUBSCRIBE", id="1", destination="/queue/a", ack=mode)
    (message,) = client.send("SEND", destination="/queue/a")
    assert message.headers.get("ack") == (message["message-id"] if has_ack else None)


def test_without_an_id_the_destination_names_the_subscription(connect: Connect) -> None:
    client = connect("1.0")
    client.send("SUBSCRIBE", destination="/queue/a")
    (message,) = client.send("SEND", destination="/queue/a")
    assert "subscription" not in message.headers
    assert message["message-id"].startswith("Q_/queue/a@@session-")
    assert client.send("UNSUBSCRIBE", destination="/queue/a", receipt="1")[0].command == "RECEIPT"
    assert client.send("SEND", destination="/queue/a") == []


VALUE = "a:b\\c\nd\re"


@pytest.mark.parametrize(
    ("version", "sent", "line"),
    [
        ("1.2", "a\\cb\\\\c\\nd\\re", "x:a\\cb\\\\c\\nd\\re"),
        ("1.1", "a\\cb\\\\c\\nd", "x:a\\cb\\\\c\\nd"),
        ("1.0", "  a:b\\c", "x:a:b\\c"),
    ],
)
def test_escapes_by_version(connect: Connect, version: str, sent: str, line: str) -> None:
    client = connect(version)
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    (message,) = client.send("SEND", destination="/queue/a", x=sent)
    assert line in message.lines


def test_a_line_feed_cannot_break_a_1_0_frame_apart(connect: Connect) -> None:
    old = connect("1.0")
    old.send("SUBSCRIBE", id="1", destination="/queue/a")
    connect("1.2").send("SEND", destination="/queue/a", x="a\\nsubscription\\c2")
    (message,) = old.answers()
    assert "x:a\\nsubscription:2" in message.lines
    assert message["subscription"] == "1"


def deliver(client: StompClient, **fields: object) -> Mapping[str, str]:
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    publish(client.session.logged_in, "", "a", encode_properties(**fields), b"x")  # type: ignore[arg-type]
    client.simulated.settle()
    (message,) = client.answers()
    ours = ("subscription", "destination", "message-id", "redelivered", "content-length")
    assert all(name in message.headers for name in ours)
    return {name: value for name, value in message.headers.items() if name not in ours}


def test_properties_become_headers(connect: Connect) -> None:
    assert deliver(
        connect(),
        content_type="text/plain",
        content_encoding="gzip",
        delivery_mode=2,
        priority=4,
        correlation_id="c",
        reply_to="answers",
        expiration="60000",
        message_id="m",
        timestamp=1700000000,
        type="t",
        user_id="guest",
        app_id="app",
        cluster_id="k",
    ) == {
        "content-type": "text/plain",
        "content-encoding": "gzip",
        "persistent": "true",
        "priority": "4",
        "correlation-id": "c",
        "reply-to": "/reply-queue/answers",
        "expiration": "60000",
        "amqp-message-id": "m",
        "timestamp": "1700000000",
        "type": "t",
        "user-id": "guest",
        "app-id": "app",
        "cluster-id": "k",
    }


def test_header_entries_of_all_types_become_text(connect: Connect) -> None:
    headers = {
        "string": "s",
        "number": -5,
        "true": True,
        "false": False,
        "float": 1.5,
        "time": Timestamp(1700000000),
        "nothing": None,
        "bytes": b"\xff",
        "table": {"a": [1, True, None, "é"]},
        "array": [1, {"b": 2}],
        "a:b": "colon\nand\\",
    }
    assert deliver(connect(), headers=headers) == {
        "string": "s",
        "number": "-5",
        "true": "true",
        "false": "false",
        "float": "1.5",
        "time": "1700000000",
        "nothing": "",
        "bytes": "\udcff",
        "table": '{"a":[1,true,null,"é"]}',
        "array": '[1,{"b":2}]',
        "a:b": "colon\nand\\",
    }


def test_header_entries_cannot_pose_as_the_brokers_own(connect: Connect) -> None:
    forged = dict.fromkeys(("subscription", "destination", "message-id", "redelivered", "ack", "content-length"), "x")
    client = connect()
    assert deliver(client, headers=forged) == {}


@pytest.mark.parametrize(
    ("exchange", "key", "destination"),
    [
        ("", "a", "/queue/a"),
        ("amq.topic", "a.b", "/topic/a.b"),
        ("amq.direct", "a", "/exchange/amq.direct/a"),
        ("amq.fanout", "", "/exchange/amq.fanout"),
        ("amq.direct", "a/b%é\n", "/exchange/amq.direct/a%2Fb%25%C3%A9%0A"),
    ],
)
def test_destinations_of_messages(
    connect: Connect, simulated: SimulatedBroker, exchange: str, key: str, destination: str
) -> None:
    client = connect()
    if exchange:
        name = f"/exchange/{exchange}" + ("/" + destination.rpartition("/")[2] if key else "")
        client.send("SUBSCRIBE", id="1", destination=name)
    else:
        client.send("SUBSCRIBE", id="1", destination=f"/queue/{key}")
    publish(client.session.logged_in, exchange, key, encode_properties(), b"x")
    simulated.settle()
    (message,) = client.answers()
    assert message["destination"] == destination
    (again,) = client.send("SEND", b"y", destination=destination)
    assert again["destination"] == destination


def test_topics(connect: Connect, simulated: SimulatedBroker) -> None:
    one, all_ = connect(), connect()
    one.send("SUBSCRIBE", id="1", destination="/topic/weather.*")
    all_.send("SUBSCRIBE", id="1", destination="/topic/#")
    sender = connect()
    sender.send("SEND", b"1", destination="/topic/weather.rain")
    sender.send("SEND", b"2", destination="/topic/weather.rain.heavy")
    assert [answer.body for answer in one.answers()] == [b"1"]
    assert [answer.body for answer in all_.answers()] == [b"1", b"2"]
    assert all(queue.auto_delete and not queue.durable for queue in simulated.vhost.queues.values())
    one.send("UNSUBSCRIBE", id="1")
    all_.send("DISCONNECT")
    assert simulated.vhost.queues == {}


def test_the_topic_exchange_may_be_another(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect("1.2", StompSettings(topic_exchange="amq.fanout"))
    client.send("SUBSCRIBE", id="1", destination="/topic/x")
    (message,) = client.send("SEND", b"1", destination="/topic/y")
    assert message["destination"] == "/topic/y"


def test_an_exchange_subscription_is_the_sessions_own(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/exchange/amq.direct/k")
    (queue,) = simulated.vhost.queues.values()
    assert queue.name.startswith("stomp-subscription-")
    assert queue.exclusive
    assert queue.auto_delete
    client.send("SUBSCRIBE", id="2", destination="/exchange/amq.direct/k", x_queue_name="mine")
    assert "mine" in simulated.vhost.queues


def test_a_durable_subscription_keeps_messages(connect: Connect, simulated: SimulatedBroker) -> None:
    durable = {"id": "news", "destination": "/topic/news.#", "durable": "true", "auto_delete": "false"}
    first = connect()
    first.send("SUBSCRIBE", **durable)
    first.send("DISCONNECT")
    sender = connect()
    sender.send("SEND", b"1", destination="/topic/news.today")
    second = connect("1.1")
    (message,) = second.send("SUBSCRIBE", **durable)
    assert message.body == b"1"
    second.send("UNSUBSCRIBE", id="news")
    sender.send("SEND", b"2", destination="/topic/news.today")
    third = connect()
    assert [answer.body for answer in third.send("SUBSCRIBE", **durable)] == [b"2"]
    third.send("UNSUBSCRIBE", id="news", durable="true")
    assert simulated.vhost.queues == {}


def test_sharing_a_durable_subscription(connect: Connect, simulated: SimulatedBroker) -> None:
    durable = {"id": "n", "destination": "/topic/n", "persistent": "true", "auto_delete": "false"}
    one, two = connect(), connect()
    one.send("SUBSCRIBE", **durable)
    two.send("SUBSCRIBE", **durable)
    other = connect()
    other.send("SUBSCRIBE", **{**durable, "id": "m"})
    for number in range(4):
        one.send("SEND", b"%d" % number, destination="/topic/n")
    assert len(two.answers()) == 2
    assert len(other.answers()) == 4


def test_prefetch_count(connect: Connect) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a", ack="client-individual", prefetch_count="2")
    received = []
    for number in range(5):
        received += client.send("SEND", b"%d" % number, destination="/queue/a")
    assert [message.body for message in received] == [b"0", b"1"]
    assert [answer.body for answer in client.send("ACK", id=received[1]["ack"])] == [b"2"]
    assert [answer.body for answer in client.send("NACK", id=received[0]["ack"], requeue="false")] == [b"3"]


def test_consumer_priorities(connect: Connect) -> None:
    low, high = connect(), connect()
    low.send("SUBSCRIBE", id="1", destination="/queue/a", x_priority="-1")
    high.send("SUBSCRIBE", id="1", destination="/queue/a", x_priority="5")
    sender = connect()
    for _ in range(3):
        sender.send("SEND", b"x", destination="/queue/a")
    assert (len(low.answers()), len(high.answers())) == (0, 3)


def test_the_server_cancels(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    remove_queue(simulated.vhost, simulated.queue("a"))
    simulated.settle()
    (answer,) = client.answers()
    assert answer["message"] == "Server cancelled subscription"
    assert answer["subscription"] == "1"
    assert not client.closed
    assert client.send("SUBSCRIBE", id="1", destination="/queue/b", receipt="1")[0].command == "RECEIPT"


def test_permission_to_read(connect: Connect, simulated: SimulatedBroker) -> None:
    simulated.broker.users.set_permissions("guest", "/", ".*", ".*", "a")
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    (answer,) = client.send("SUBSCRIBE", id="2", destination="/queue/b", receipt="2")
    assert (answer["message"], answer["receipt-id"]) == ("access_refused", "2")
    assert client.closed


def test_an_exclusive_subscription(connect: Connect, simulated: SimulatedBroker) -> None:
    create_queue(simulated.vhost, "a")
    connect().send("SUBSCRIBE", id="1", destination="/amq/queue/a", exclusive="true")
    other = connect()
    (answer,) = other.send("SUBSCRIBE", id="1", destination="/amq/queue/a")
    assert answer["message"] == "access_refused"


def test_lost_connections_return_what_was_not_acknowledged(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a", ack="client")
    client.send("SEND", b"1", destination="/queue/a")
    client.transport.lose()
    simulated.settle()
    other = connect("1.1")
    (message,) = other.send("SUBSCRIBE", id="1", destination="/queue/a")
    assert message["redelivered"] == "true"


def test_request_and_answer(connect: Connect, simulated: SimulatedBroker) -> None:
    server, client = connect(), connect()
    server.send("SUBSCRIBE", id="1", destination="/queue/requests")
    for number in range(2):
        client.send("SEND", b"question", destination="/queue/requests", reply_to="/temp-queue/here")
        (request,) = server.answers()
        assert request["reply-to"].startswith("/reply-queue/stomp.gen-")
        server.send("SEND", b"answer %d" % number, destination=request["reply-to"])
        (answer,) = client.answers()
        assert answer["subscription"] == "/temp-queue/here"
        assert answer.body == b"answer %d" % number
    names = [name for name in simulated.vhost.queues if name.startswith("stomp.gen-")]
    assert len(names) == 1
    assert simulated.vhost.queues[names[0]].exclusive
    client.send("DISCONNECT")
    assert names[0] not in simulated.vhost.queues


def test_a_slow_reader_gets_no_more_than_its_socket_takes(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    client.transport.socket_room = 0
    # In one batch: after each send the transport says how much is unsent, so that only what is given within one turn
    # shows whether the subscription counts for itself.
    sender = connect()
    sender.send_bytes(frame("SEND", b"x" * 100_000, destination="/queue/a") * 40)
    given = HIGH_WATER_BYTES // 100_000 + 1
    assert simulated.queue("a").ready_count == 40 - given
    assert HIGH_WATER_BYTES <= client.transport.unsent_bytes < HIGH_WATER_BYTES + 101_000
    client.transport.read_by_peer(100_000)
    simulated.settle()
    assert simulated.queue("a").ready_count in (40 - given - 1, 40 - given)
    client.transport.read_by_peer(None)
    simulated.settle()
    assert len(client.answers()) == 40
    assert client.transport.unsent_bytes == 0


def test_the_line_feed_behind_frames_can_be_left_out(connect: Connect) -> None:
    client = connect("1.2", StompSettings(trailing_line_feed=False))
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    client.transport.receive(b"SEND\ndestination:/queue/a\nreceipt:1\n\nx\0")
    client.simulated.settle()
    data = client.transport.take()
    assert data.endswith(b"\0")
    assert b"\0\n" not in data


def test_an_acknowledgement_timeout_closes_the_connection(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a", ack="client", x_consumer_timeout="1000")
    client.send("SEND", b"1", destination="/queue/a")
    for _ in range(20):
        simulated.advance(125)
    (answer,) = client.answers()
    assert answer["message"] == "precondition_failed"
    assert b"timed out" in answer.body
    assert client.closed
    assert simulated.queue("a").ready_count == 1
