"""Headers that the broker reads back (docs/headers.md), set by somebody who isn't meant to: a test for each row.

`row` notes which headers a test is about; tests/docs/test_headers_page.py holds the page's table against that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.adapters.amqp091.streams.talk import Talk, offset_of
from tests.support import core_clients
from tests.support.core_clients import advance, bind, exchange, headers_of, queue, take_messages
from tests.support.direct_clients import session_of
from tests.support.simulated_amqp10 import Amqp10Client, annotations_of, body_of
from tests.support.simulated_amqp10 import messages as amqp10_messages
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from tests.support.simulated_stomp import StompClient
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp10.codec.encoding import described, encode, map_of
from warren.adapters.amqp10.codec.sections import MESSAGE_ANNOTATIONS
from warren.adapters.amqp10.codec.values import Symbol
from warren.adapters.amqp10.reading import data_head
from warren.adapters.amqp10.records import RecordForm
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish, PubRec, PubRel, Subscription
from warren.core.messages.field_table import Encodable, Typed
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties, encode_properties
from warren.core.queues.base import Queue

ROWS: Final[set[str]] = set()
"""The headers that the tests below are about."""

Test = Callable[..., None]

TAKEN_OFF: Final[dict[str, Encodable]] = {
    "x-hidden-deaths": 9,
    "x-hidden-copies": ["elsewhere"],
    "x-hidden-queue": "elsewhere",
    "x-hidden-context": f"00-{'1' * 32}-{'2' * 16}-01",
    "x-delivery-count": 5,
    "x-acquired-count": 5,
    "x-mqtt-publish-qos": 2,
    "x-mqtt-retain": True,
    "x-mqtt-retained-for": 7,
    "x-mqtt-properties": b"\xff\xff\xff",
    "x-mqtt-publisher": "s",
    "x-mqtt-packet-id": 1,
    "x-mqtt-source": "elsewhere",
    "x-mqtt-released": True,
    "x-amqp10-bare": b"\xff",
    "x-amqp10-body": b"\xff",
    "x-amqp10-footer": b"\xff",
    "x-amqp10-annotations": b"\xff",
}
"""What is the broker's word alone, as somebody might forge it."""


def row(*names: str) -> Callable[[Test], Test]:
    ROWS.update(names)
    return lambda test: test


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.close()
    assert tracebacks(caplog) == []


def by_amqp(broker: SimulatedBroker, key: str, headers: dict[str, Encodable], exchange: str = "", **more: Any) -> None:
    client = broker.connect()
    client.publish(key, b"m", exchange=exchange, properties=encode_properties(headers=headers, **more).raw)
    client.settle()
    client.close()


def by_stomp(broker: SimulatedBroker, key: str, headers: dict[str, Encodable]) -> None:
    client = StompClient(broker).connect()
    texts = {name: str(value).replace("\\", "") for name, value in headers.items()}
    assert client.send("SEND", b"m", destination=f"/amq/queue/{key}", **texts) == []


def by_direct(broker: SimulatedBroker, key: str, headers: dict[str, Encodable]) -> None:
    session = session_of(broker)
    session.publish("", key, encode_properties(headers=headers), b"m")
    broker.settle()
    session.close()


def by_mqtt(broker: SimulatedBroker, key: str, headers: dict[str, Encodable]) -> None:
    client = MqttClient(broker)
    client.connect("stranger")
    client.publish_fully(f"$queue/{key}", b"m", 1, user_properties=[(name, str(headers[name])) for name in headers])
    client.disconnect()


WAYS: Final = {"amqp": by_amqp, "stomp": by_stomp, "direct": by_direct, "mqtt": by_mqtt}


def one(waiting: Queue) -> Message:
    (message,) = take_messages(waiting)
    return message


@row(*TAKEN_OFF)
@pytest.mark.parametrize("way", list(WAYS))
def test_what_is_the_brokers_own_is_taken_off(broker: SimulatedBroker, way: str) -> None:
    """Whatever the protocol; what the broker notes itself (MQTT's properties as they came) is another value."""
    waiting = queue(broker, "q")
    WAYS[way](broker, "q", {**TAKEN_OFF, "own": "1"})
    headers = one(waiting).properties.headers or {}
    assert headers["own"] == "1"
    assert {name for name in TAKEN_OFF if name in headers} <= {"x-mqtt-properties"}
    assert headers.get("x-mqtt-properties") != TAKEN_OFF["x-mqtt-properties"]
    assert way == "mqtt" or "x-mqtt-properties" not in headers


@row("x-mqtt-properties", "x-mqtt-retain", "x-mqtt-retained-for")
def test_bytes_for_the_wire_of_mqtt_cant_be_smuggled_in(broker: SimulatedBroker) -> None:
    subscriber = MqttClient(broker)
    subscriber.connect("s")
    subscriber.subscribe("t")
    by_amqp(broker, "t", TAKEN_OFF, "amq.topic")
    (message,) = subscriber.messages()
    assert (message.topic, message.payload, message.retain) == ("t", b"m", False)
    assert "subscription_identifiers" not in message.properties


@row("x-mqtt-publisher")
def test_a_message_cant_claim_that_its_subscriber_published_it(broker: SimulatedBroker) -> None:
    """It would be kept from subscriptions that want none of their client's own."""
    subscriber = MqttClient(broker)
    subscriber.connect("s")
    subscriber.subscribe(Subscription("t", 1, no_local=True), identifier=1)
    subscriber.subscribe("+", identifier=2)
    by_amqp(broker, "t", TAKEN_OFF, "amq.topic", delivery_mode=2)
    (message,) = subscriber.messages()
    assert (message.qos, message.properties["subscription_identifiers"]) == (1, [1, 2])


@row("x-mqtt-publish-qos", "x-mqtt-packet-id", "x-mqtt-source", "x-mqtt-released")
def test_a_message_cant_claim_that_it_was_released(tmp_path: Path) -> None:
    """It would be taken for one that its subscriber has, and be gone after a restart."""
    broker = SimulatedBroker(tmp_path)
    subscriber = MqttClient(broker)
    subscriber.connect("s", clean_start=False, session_expiry_interval=3600)
    subscriber.subscribe("t", qos=2)
    by_amqp(broker, "t", {**TAKEN_OFF}, "amq.topic", delivery_mode=2)
    assert only(Publish, subscriber.packets()).qos == 1
    publisher = MqttClient(broker)
    publisher.connect("p")
    publisher.publish_fully("t", b"2", 2, user_properties=[("x-mqtt-released", "1"), ("x-mqtt-packet-id", "77")])
    sent = only(Publish, subscriber.packets())
    assert sent.qos == 2
    broker.crash()
    again = MqttClient(broker)
    again.connect("s", clean_start=False, session_expiry_interval=3600)
    back = {each.payload: each for each in again.after_connack if isinstance(each, Publish)}
    assert set(back) == {b"m", b"2"}
    assert back[b"2"].packet_id == sent.packet_id
    only(PubRel, again.send(PubRec(sent.packet_id)))
    broker.close()


@row("x-delivery-count", "x-acquired-count")
@pytest.mark.parametrize("type_name", ["classic", "quorum"])
def test_a_count_of_deliveries_is_the_brokers(broker: SimulatedBroker, type_name: str) -> None:
    queue(broker, "q", {"x-queue-type": type_name, "x-delivery-limit": 5}, durable=True)
    by_amqp(broker, "q", {"x-delivery-count": 4, "x-acquired-count": 4})
    client = broker.connect()
    seen = []
    for _ in range(2):
        found = client.get("q")
        assert found is not None
        assert isinstance(found.method, methods.BasicGetOk)
        seen.append((Properties.parse(found.properties).headers or {}).get("x-delivery-count"))
        client.send(1, methods.BasicReject(found.method.delivery_tag, requeue=True))
    assert seen == [None, 1]


@row("x-death", "x-first-death-reason", "x-first-death-queue", "x-first-death-exchange")
@row("x-last-death-reason", "x-last-death-queue", "x-last-death-exchange")
def test_a_history_goes_on_and_bars_nothing(broker: SimulatedBroker) -> None:
    """More of it in tests/core/queues/test_client_histories.py."""
    graves = queue(broker, "graves")
    queue(broker, "q", {"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
    claimed: dict[str, Encodable] = {f"x-{which}-death-queue": "mine" for which in ("first", "last")}
    claimed |= {"x-first-death-reason": "maxlen", "x-first-death-exchange": "e"}
    deaths: list[Encodable] = [{"queue": name, "reason": "expired", "count": 2} for name in ("graves", "q")]
    by_amqp(broker, "q", {**claimed, "x-death": deaths})
    advance(broker, 10)
    headers = headers_of(one(graves))
    assert [headers[f"x-{which}-death-queue"] for which in ("first", "last")] == ["mine", "q"]
    found = headers["x-death"]
    assert isinstance(found, list)
    assert isinstance(found[0], dict)
    assert (found[0]["queue"], found[0]["count"]) == ("q", 3)


@row("x-death", "x-first-death-queue")
@pytest.mark.parametrize("way", ["stomp", "mqtt"])
def test_a_text_is_no_history(broker: SimulatedBroker, way: str) -> None:
    graves = queue(broker, "graves")
    queue(broker, "q", {"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
    WAYS[way](broker, "q", {"x-death": "[{'queue': 'graves'}]", "x-first-death-queue": "mine"})
    advance(broker, 10)
    assert headers_of(one(graves))["x-first-death-queue"] == "q"


@row("CC", "BCC")
def test_what_is_no_string_among_copies_is_passed_over(broker: SimulatedBroker) -> None:
    waiting = {name: queue(broker, name) for name in ("q", "copy", "hidden")}
    by_amqp(broker, "q", {"CC": ["copy", 1, None, b"q"], "BCC": [True, "hidden"]})
    for each in waiting.values():
        message = one(each)
        assert "BCC" not in headers_of(message)
    assert core_clients.take(waiting["q"]) == []


@row("CC", "BCC")
@pytest.mark.parametrize("name", ["CC", "BCC"])
def test_copies_that_are_no_array_are_refused(broker: SimulatedBroker, name: str) -> None:
    queue(broker, "q")
    client = broker.connect()
    client.publish("q", b"m", properties=encode_properties(headers={name: "copy"}).raw)
    closed = client.expect(methods.ChannelClose)
    assert (closed.reply_code, closed.reply_text.startswith("PRECONDITION_FAILED - invalid message: ")) == (406, True)


@row("BCC")
def test_bcc_without_a_usable_key_is_still_hidden(broker: SimulatedBroker) -> None:
    waiting = queue(broker, "q")
    by_amqp(broker, "q", {"BCC": [1, 2], "own": 1})
    assert headers_of(one(waiting)) == {"own": 1}


@row("CC")
def test_an_mqtt_user_property_of_that_name_is_just_that(broker: SimulatedBroker) -> None:
    """Also where the message dies, where a delaying exchange holds it, and before the firehose."""
    graves = queue(broker, "graves")
    copy = queue(broker, "copy")
    queue(broker, "q", {"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
    broker.broker.set_tracing("/", True)
    by_mqtt(broker, "q", {"CC": "copy", "BCC": "copy"})
    advance(broker, 10)
    assert one(graves).body == b"m"
    assert copy.ready_count == 0


@row("x-hidden-copies")
def test_keys_for_dead_letters_cant_be_smuggled_in(broker: SimulatedBroker) -> None:
    exchange(broker, "out", "direct")
    queue(broker, "q", {"x-message-ttl": 10, "x-dead-letter-exchange": "out"})
    elsewhere = queue(broker, "elsewhere")
    bind(broker, "elsewhere", "out", "elsewhere")
    by_amqp(broker, "q", {"x-hidden-copies": ["elsewhere"]})
    advance(broker, 10)
    assert elsewhere.ready_count == 0


@row("x-delay", "x-deliver-at")
def test_a_delay_is_the_publishers(broker: SimulatedBroker) -> None:
    core_clients.delayed(broker)
    waiting = queue(broker, "q")
    bind(broker, "q", "x", "k")
    for odd in ("soon", -5, True, None, [1], 0):
        by_amqp(broker, "k", {"x-delay": odd, "x-deliver-at": odd}, "x")
        assert one(waiting).body == b"m"
    by_amqp(broker, "k", {"x-delay": 100}, "x")
    assert waiting.ready_count == 0
    advance(broker, 100)
    assert headers_of(one(waiting))["x-delay"] == -100


@row("x-hidden-queue")
def test_nobody_sends_a_deferred_message_past_the_bindings(broker: SimulatedBroker) -> None:
    core_clients.delayed(broker)
    waiting, elsewhere = queue(broker, "q"), queue(broker, "elsewhere")
    bind(broker, "q", "x", "k")
    by_amqp(broker, "k", {"x-hidden-queue": "elsewhere", "x-delay": 100}, "x")
    advance(broker, 100)
    assert (waiting.ready_count, elsewhere.ready_count) == (1, 0)


@row("x-deduplication-header")
def test_what_a_duplicate_is_told_by_is_the_publishers(broker: SimulatedBroker) -> None:
    waiting = queue(broker, "q", {"x-message-deduplication": True})
    for value in ("a", "a", ["a"], {"a": 1}, None, None, 7, "7"):
        by_amqp(broker, "q", {"x-deduplication-header": value})
    assert waiting.ready_count == 6


@row("x-recent-history-no-store")
def test_not_being_remembered_is_the_publishers_wish(broker: SimulatedBroker) -> None:
    exchange(broker, "recent", "x-recent-history")
    for value in (True, "true", 1, False):
        by_amqp(broker, "", {"x-recent-history-no-store": value}, "recent")
    assert core_clients.bound_queue(broker, "q", "recent").ready_count == 3


@row("x-mqtt-topic")
def test_another_topic_than_the_routing_keys_isnt_believed(broker: SimulatedBroker) -> None:
    subscriber = MqttClient(broker)
    subscriber.connect("s")
    subscriber.subscribe("#")
    by_amqp(broker, "t", {"x-mqtt-topic": "other"}, "amq.topic")
    long_key = "k" * 255
    by_amqp(broker, long_key, {"x-mqtt-topic": "other"}, "amq.topic")
    assert [each.topic for each in subscriber.messages()] == ["t", long_key]


@row("x-correlation-id", "x-reply-to-topic")
def test_translations_for_mqtt_mean_what_they_say(broker: SimulatedBroker) -> None:
    subscriber = MqttClient(broker, versions.V5)
    subscriber.connect("s")
    subscriber.subscribe("t")
    by_amqp(broker, "t", {"x-correlation-id": b"\xff\0", "x-reply-to-topic": "answers.here"}, "amq.topic")
    (message,) = subscriber.messages()
    assert message.properties["correlation_data"] == b"\xff\0"
    assert message.properties["response_topic"] == "answers/here"
    for odd in ("no.#", "no.*", "no.+", "", "\0", Typed("I", 5), None, b"\xff"):
        by_amqp(broker, "t", {"x-correlation-id": odd, "x-reply-to-topic": odd}, "amq.topic")
        assert len(subscriber.messages()) == 1


@row("x-amqp10-bare", "x-amqp10-body", "x-amqp10-footer", "x-amqp10-annotations", "x-message-id")
def test_bytes_for_the_wire_of_amqp_1_0_cant_be_smuggled_in(broker: SimulatedBroker) -> None:
    queue(broker, "q")
    by_amqp(broker, "q", {**TAKEN_OFF, "x-message-id": Typed("l", 5)})
    client = Amqp10Client(broker).open().begin()
    client.attach_receiver("/queues/q")
    (message,) = amqp10_messages(client.credit(1))
    assert (body_of(message), message.id) == (b"m", 5)
    assert set(annotations_of(message)) == {"x-exchange", "x-routing-key"}


@row("x-received-from")
def test_federations_header_is_an_ordinary_one(broker: SimulatedBroker) -> None:
    waiting = queue(broker, "q")
    received: list[Encodable] = [{"uri": "amqp://elsewhere", "exchange": "e"}]
    by_amqp(broker, "q", {"x-received-from": received})
    assert headers_of(one(waiting)) == {"x-received-from": received}


@row("x-stream-offset", "x-stream-filter-value")
@pytest.mark.parametrize("value", ["text", 7, None, {"table": True}])
def test_a_stream_says_where_a_message_is_whatever_its_publisher_said(
    broker: SimulatedBroker, value: Encodable
) -> None:
    talk = Talk(broker)
    talk.declare()
    talk.publish(b"m", headers={"x-stream-offset": value, "x-stream-filter-value": value})
    talk.consume(x_stream_offset="first")
    talk.began()
    (event,) = talk.deliveries()
    assert offset_of(event) == 0
    assert (Properties.parse(event.properties).headers or {})["x-stream-filter-value"] == value


@row("x-opt-warren-properties")
@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"\xff\xff\xff\xff", encode_properties(headers={"x-hidden-deaths": 9}).raw]
)
def test_properties_that_a_record_says_are_checked(raw: bytes) -> None:
    annotations = map_of([encode(Symbol("x-opt-warren-properties")), encode(raw)])
    found = RecordForm().decode(described(MESSAGE_ANNOTATIONS, annotations) + data_head(1) + b"m")
    assert found.body == b"m"
    assert not without_internal(found.properties).headers
    assert "x-hidden-deaths" not in (found.properties.headers or {})
