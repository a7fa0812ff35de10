"""`$stream/NAME`: a stream is read by MQTT from wherever the client says, and on from where its session was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.amqp091.streams.talk import Talk
from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Disconnect, PubAck, Publish, SubAck, Subscribe, Subscription
from warren.adapters.mqtt.subscriptions import NOTED_AGAIN_MS
from warren.core.declaring.queues import remove_queue

HOUR: dict[str, Any] = {"clean_start": False, "session_expiry_interval": 3600}


def talk_to(broker: SimulatedBroker, count: int = 10) -> Talk:
    """A stream `s` of so many messages, in chunks of five."""
    talk = Talk(broker)
    talk.declare()
    for first in range(0, count, 5):
        frames = [b"%d" % number for number in range(first, min(first + 5, count))]
        broker.commits_by_itself = False
        for body in frames:
            talk.client.publish("s", body, properties=b"\x10\x00\x02")
        broker.commits_by_itself = True
        broker.settle()
    return talk


@pytest.fixture
def ten(simulated: SimulatedBroker) -> Talk:
    return talk_to(simulated)


def come_back(broker: SimulatedBroker) -> list[bytes]:
    """What the client of the session `c` gets when it connects again."""
    made = MqttClient(broker)
    made.connect("c", **HOUR)
    first = [each for each in made.after_connack if isinstance(each, Publish)]
    taken = [each.payload for each in first]
    for each in first:
        more = made.send(PubAck(each.packet_id)) if each.qos else []
        following = [packet for packet in more if isinstance(packet, Publish)]
        taken += [packet.payload for packet in following]
        first += following
    return taken


def numbers(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last)]


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("first", numbers(0, 10)),
        ("last", numbers(5, 10)),
        ("next", []),
        ("4", numbers(4, 10)),
        ("offset=7", numbers(7, 10)),
        ("timestamp=0", numbers(0, 10)),
        ("1h", numbers(0, 10)),
        ("99999999999999999999999", []),
    ],
)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_it_begins_where_the_user_property_says(
    ten: Talk, client: Connected, offset: str, expected: list[bytes], qos: int
) -> None:
    made = client()
    said: Any = {"user_properties": [("x-stream-offset", offset)]}
    answers = made.send(Subscribe(made.next_id(), (Subscription("$stream/s", qos),), said))
    assert only(SubAck, answers).reason_codes == (min(qos, 1),)
    got = [each for each in answers if isinstance(each, Publish)]
    assert [each.payload for each in got] + made.take() == expected
    assert {each.topic for each in got} <= {"$stream/s"}
    assert ten.queue.ready_count == 10


@pytest.mark.parametrize("level", [versions.V3_1, versions.V3_1_1, versions.V5])
def test_without_an_offset_it_is_what_comes_next(ten: Talk, client: Connected, level: int) -> None:
    made = client("c", level)
    made.subscribe("$stream/s", qos=1)
    ten.publish(b"new")
    assert made.take() == [b"new"]


def test_each_message_says_its_offset(ten: Talk, client: Connected) -> None:
    made = client()
    said: Any = {"user_properties": [("x-stream-offset", "8")]}
    answers = made.send(Subscribe(made.next_id(), (Subscription("$stream/s", 1),), said))
    got = [each for each in answers if isinstance(each, Publish)]
    assert [dict(each.properties["user_properties"])["x-stream-offset"] for each in got] == ["8", "9"]


def test_values_are_filtered_by(ten: Talk, client: Connected) -> None:
    for color in ("red", "blue", "green"):
        ten.publish(color.encode(), headers={"x-stream-filter-value": color})
    made = client()
    said: Any = {
        "user_properties": [
            ("x-stream-offset", "first"),
            ("x-stream-filter", "red"),
            ("x-stream-filter", "green"),
            ("x-stream-match-unfiltered", "false"),
        ]
    }
    answers = made.send(Subscribe(made.next_id(), (Subscription("$stream/s", 1),), said))
    got = [each.payload for each in answers if isinstance(each, Publish)]
    assert got + made.take() == [b"red", b"green"]


def test_a_puback_asks_for_more(ten: Talk, client: Connected) -> None:
    made = client("c", receive_maximum=3)
    said: Any = {"user_properties": [("x-stream-offset", "first")]}
    answers = made.send(Subscribe(made.next_id(), (Subscription("$stream/s", 1),), said))
    got = [each for each in answers if isinstance(each, Publish)]
    assert [each.payload for each in got] == numbers(0, 3)
    more = made.send(PubAck(got[0].packet_id))
    assert [each.payload for each in more if isinstance(each, Publish)] == [b"3"]
    assert ten.queue.unacked_count == 3


@pytest.mark.parametrize(
    ("filter", "properties", "code", "words"),
    [
        ("$stream/none", [], reason_codes.UNSPECIFIED_ERROR, "no queue 'none'"),
        ("$stream/q", [], reason_codes.QUOTA_EXCEEDED, "no stream"),
        ("$stream/s", [("x-stream-offset", "sometime")], reason_codes.QUOTA_EXCEEDED, "x-stream-offset"),
        ("$stream/s", [("x-stream-offset", "offset=-1")], reason_codes.QUOTA_EXCEEDED, "x-stream-offset"),
        ("$stream/s", [("x-stream-match-unfiltered", "maybe")], reason_codes.QUOTA_EXCEEDED, "true or false"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    ten: Talk,
    client: Connected,
    simulated: SimulatedBroker,
    filter: str,
    properties: list[tuple[str, str]],
    code: int,
    words: str,
) -> None:
    core_clients.queue(simulated, "q")
    made = client()
    said: Any = {"user_properties": properties}
    (answer,) = made.send(Subscribe(made.next_id(), (Subscription(filter, 1),), said))
    assert isinstance(answer, SubAck)
    assert answer.reason_codes == (code,)
    assert words in answer.properties["reason_string"]
    assert not made.session.subscriptions
    assert not ten.queue.consumers


def test_reading_takes_permission(ten: Talk, client: Connected, simulated: SimulatedBroker) -> None:
    made = client()
    simulated.broker.users.set_permissions("guest", "/", configure=".*", write=".*", read="^(mqtt.*|amq.topic)$")
    (answer,) = made.subscribe("$stream/s", qos=1)
    assert isinstance(answer, SubAck)
    assert answer.reason_codes == (reason_codes.NOT_AUTHORIZED,)


def test_a_session_goes_on_where_it_was(ten: Talk, simulated: SimulatedBroker) -> None:
    made = MqttClient(simulated)
    made.connect("c", receive_maximum=4, **HOUR)
    said: Any = {"user_properties": [("x-stream-offset", "2")]}
    answers = made.send(Subscribe(made.next_id(), (Subscription("$stream/s", 1),), said))
    got = [each for each in answers if isinstance(each, Publish)]
    assert [each.payload for each in got] == numbers(2, 6)
    more = [each for each in made.send(PubAck(got[0].packet_id)) if isinstance(each, Publish)]
    assert [each.payload for each in more] == [b"6"]
    made.lose()
    ten.publish(b"10")
    assert come_back(simulated) == [*numbers(3, 7), *numbers(7, 11)]


@pytest.mark.parametrize("stop", ["restart", "crash"])
def test_after_a_restart_what_was_not_acknowledged_comes_again(durable: SimulatedBroker, stop: str) -> None:
    talk_to(durable)
    made = MqttClient(durable)
    made.connect("c", receive_maximum=4, **HOUR)
    said: Any = {"user_properties": [("x-stream-offset", "2")]}
    answers = made.send(Subscribe(made.next_id(), (Subscription("$stream/s", 1),), said))
    got = [each for each in answers if isinstance(each, Publish)]
    made.send(PubAck(got[0].packet_id))
    durable.advance(NOTED_AGAIN_MS)
    getattr(durable, stop)()
    assert come_back(durable) == numbers(3, 10)


def test_what_comes_next_is_remembered_by_a_crash(durable: SimulatedBroker) -> None:
    talk = talk_to(durable)
    made = MqttClient(durable)
    made.connect("c", **HOUR)
    made.subscribe("$stream/s", qos=1)
    durable.advance(1)
    talk.publish(b"new", delivery_mode=2)
    durable.crash()
    assert come_back(durable) == [b"new"]


def test_subscribing_again_begins_again(ten: Talk, client: Connected) -> None:
    made = client()
    said: Any = {"user_properties": [("x-stream-offset", "first")]}
    for _ in range(2):
        answers = made.send(Subscribe(made.next_id(), (Subscription("$stream/s", 0),), said))
        got = [each.payload for each in answers if isinstance(each, Publish)]
        assert got + made.take() == numbers(0, 10)
    assert len(ten.queue.consumers) == 1
    made.unsubscribe("$stream/s")
    assert not ten.queue.consumers


def test_a_stream_that_is_deleted_ends_the_connection(ten: Talk, client: Connected, simulated: SimulatedBroker) -> None:
    made = client()
    made.subscribe("$stream/s", qos=1)
    remove_queue(simulated.vhost, ten.queue)
    simulated.settle()
    assert only(Disconnect, made.packets()).reason_code == reason_codes.ADMINISTRATIVE_ACTION
