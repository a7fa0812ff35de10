"""Limits of MQTT that refuse or drop something: who can be told is, and the log and a counter say it in any case."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import PubAck, Publish, PubRec, Will
from warren.adapters.mqtt.sessions.settings import QueueLimits


@pytest.fixture
def small() -> Iterator[SimulatedBroker]:
    """Two topics may have a retained message, of 100 bytes together."""
    broker = SimulatedBroker(mqtt_limits=QueueLimits(retained_messages=2, retained_bytes=100))
    yield broker
    broker.close()


def connected(broker: SimulatedBroker, client_id: str, level: int = versions.V5) -> MqttClient:
    made = MqttClient(broker, level)
    made.connect(client_id)
    return made


def lines(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    return [each.getMessage() for each in caplog.records if part in each.getMessage()]


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize(
    ("limit", "topic", "payload"),
    [("mqtt_max_retained_messages", "t/3", b"x"), ("mqtt_max_retained_bytes", "t/1", b"x" * 101)],
)
def test_what_is_not_retained(
    small: SimulatedBroker,
    level: int,
    qos: int,
    limit: str,
    topic: str,
    payload: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publisher, subscriber = connected(small, "p", level), connected(small, "s")
    subscriber.subscribe("t/#")
    publisher.publish_fully("t/1", b"1", 1, retain=True)
    publisher.publish_fully("t/2", b"2", 1, retain=True)
    assert not lines(caplog, "is not retained")
    subscriber.take()
    for _ in range(3):
        answers = publisher.publish(topic, payload, qos, retain=True)
        kinds: dict[int, type[PubAck] | type[PubRec]] = {1: PubAck, 2: PubRec}
        if qos and level == versions.V5:
            assert only(kinds[qos], answers).reason_code == reason_codes.QUOTA_EXCEEDED
        elif qos:
            only(kinds[qos], answers)
        else:
            assert answers == []
    assert not publisher.closed
    assert subscriber.take() == [payload] * 3, "it is delivered all the same"
    assert small.broker.limit_hits.of(limit) == 3
    (line,) = lines(caplog, "is not retained")
    assert topic in line
    assert limit in line
    later = connected(small, "later")
    assert sorted(each.payload for each in later.subscribe("t/#") if isinstance(each, Publish)) == [b"1", b"2"]


def test_a_will_that_is_not_retained(small: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    publisher = connected(small, "p")
    for number in range(2):
        publisher.publish(f"t/{number}", b"x", 1, retain=True)
    leaving = MqttClient(small)
    leaving.connect("w", will=Will("t/will", b"gone", 1, True))
    leaving.lose()
    assert small.broker.limit_hits.of("mqtt_max_retained_messages") == 1
    assert lines(caplog, "t/will")


def test_no_limit_can_be_configured() -> None:
    broker = SimulatedBroker(mqtt_limits=QueueLimits(retained_messages=0, retained_bytes=0))
    try:
        publisher = connected(broker, "p")
        for number in range(5):
            assert only(PubAck, publisher.publish(f"t/{number}", b"x" * 100, 1, retain=True)).reason_code in (0, 16)
        assert len(publisher.session.registry.retained) == 5
    finally:
        broker.close()


def test_what_a_slow_client_is_not_given(
    client: Connected, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    simulated.mqtt.limits = QueueLimits(qos_0_messages=10)
    subscriber, publisher = client("slow"), client("p")
    subscriber.subscribe("t")
    subscriber.transport.socket_room = 0
    for _ in range(500):
        publisher.send_bytes(encode(Publish("t", b"x" * 5000), versions.V5))
    dropped = simulated.mqtt.dropped
    assert dropped > 100
    assert simulated.broker.limit_hits.of("mqtt_max_queued_qos_0_messages") == dropped
    (line,) = lines(caplog, "further ones of QoS 0 are dropped")
    assert "mqtt-subscription-slow" in line


def test_what_is_too_large_for_a_client(
    client: Connected, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    subscriber, publisher = client("s", maximum_packet_size=100), client("p")
    subscriber.subscribe("t", qos=1)
    for qos in (0, 1, 1):
        publisher.publish("t", b"x" * 100, qos)
    assert simulated.broker.limit_hits.of("maximum packet size") == 3
    (line,) = lines(caplog, "packets of up to 100 bytes")
    assert "'s'" in line


def test_user_properties_that_do_not_fit_into_headers(
    client: Connected, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = client("p")
    publisher.publish("t", b"x", 1, user_properties=[(f"name-{number}", "v" * 1000) for number in range(40)])
    assert not simulated.broker.limit_hits.by_limit
    publisher.publish("t", b"x", 1, user_properties=[(f"name-{number}", "v" * 1000) for number in range(60)])
    assert simulated.broker.limit_hits.of("bytes of user properties") == 1
    assert lines(caplog, "AMQP and STOMP clients get the first 49152")


def test_packets_that_are_too_large(client: Connected, simulated: SimulatedBroker) -> None:
    made = client("c")
    made.send_bytes(b"\x30\xff\xff\xff\x7f")
    assert made.closed
    assert simulated.broker.limit_hits.of("mqtt_max_packet_bytes") == 1
    early = MqttClient(simulated)
    early.send_bytes(b"\x10\xff\xff\xff\x7f\x00\x04MQTT\x05")
    assert early.closed
    assert simulated.broker.limit_hits.of("bytes before login") == 1
