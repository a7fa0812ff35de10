"""What the keys of MQTT do, seen by a client: from the value of a key to the bytes on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Disconnect, Packet, PubAck, Publish, SubAck, Subscribe, Subscription
from warren.adapters.mqtt.settings import MqttSettings
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import options_of

Configured = Callable[..., MqttClient]


@pytest.fixture
def simulated() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    users = broker.broker.users
    users.add_user("reader", "secret")
    users.set_permissions("reader", "/", ".*", "^$", ".*")
    users.add_user("nobody", "secret")
    users.set_permissions("nobody", "/", "^$", "^$", "^$")
    yield broker
    broker.close()


@pytest.fixture
def configured(simulated: SimulatedBroker) -> Configured:
    """A client of a listener with these values of keys."""

    def make(level: int = versions.V5, **keys: object) -> MqttClient:
        config = Config(in_memory=True).replace(**keys)
        return MqttClient(simulated, level, options_of(config).section(MqttSettings))

    return make


def test_keep_alive_and_expiry_are_capped(configured: Configured) -> None:
    answer = configured(mqtt_max_keep_alive_s=33, mqtt_max_session_expiry_s=44).connect(
        keep_alive_s=100, session_expiry_interval=100
    )
    assert (answer.properties["server_keep_alive"], answer.properties["session_expiry_interval"]) == (33, 44)
    answer = configured().connect(keep_alive_s=100, session_expiry_interval=100)
    assert "server_keep_alive" not in answer.properties
    assert answer.properties.get("session_expiry_interval", 100) == 100


def test_no_session_outlives_its_connection_when_none_may(configured: Configured, simulated: SimulatedBroker) -> None:
    client = configured(versions.V3_1_1, mqtt_max_session_expiry_s=0)
    client.connect("away", clean_start=False)
    client.lose()
    assert "away" not in simulated.mqtt.of(simulated.vhost).sessions
    client = configured(versions.V3_1_1)
    client.connect("away", clean_start=False)
    client.lose()
    assert "away" in simulated.mqtt.of(simulated.vhost).sessions


@pytest.mark.parametrize("most", [1, 3])
def test_the_receive_maximum_is_told_and_kept_to(configured: Configured, most: int) -> None:
    client = configured(mqtt_receive_maximum=most)
    assert client.connect("p").properties["receive_maximum"] == most
    for _ in range(most):
        client.publish("t", b"", 2)
        assert not client.closed
    assert only(Disconnect, client.publish("t", b"", 2)).reason_code == reason_codes.RECEIVE_MAXIMUM_EXCEEDED


@pytest.mark.parametrize("most", [2, 5])
def test_no_more_than_the_prefetch_is_under_way(configured: Configured, most: int) -> None:
    subscriber, publisher = configured(mqtt_prefetch=most), configured()
    subscriber.connect("s")
    subscriber.subscribe("t", qos=1)
    publisher.connect("p")
    for number in range(10):
        publisher.publish("t", b"%d" % number, 1)
    came = [each for each in subscriber.packets() if isinstance(each, Publish)]
    assert len(came) == most
    assert came[0].packet_id is not None
    more = [each for each in subscriber.send(PubAck(came[0].packet_id)) if isinstance(each, Publish)]
    assert len(more) == 1


def test_the_largest_packet_is_told_and_kept_to(configured: Configured) -> None:
    client = configured(mqtt_max_packet_bytes=5000)
    assert client.connect("p").properties["maximum_packet_size"] == 5000
    client.publish("t", b"x" * 4900)
    assert not client.closed
    assert only(Disconnect, client.publish("t", b"x" * 5000)).reason_code == reason_codes.PACKET_TOO_LARGE
    assert only(Disconnect, subscribing(configured, 5000)).reason_code == reason_codes.PACKET_TOO_LARGE
    assert subscribing(configured, 6000) == [SubAck(1, (0,) * 50)]
    larger = configured(mqtt_max_packet_bytes=6000)
    larger.connect("q")
    larger.publish("t", b"x" * 5000)
    assert not larger.closed


def subscribing(configured: Configured, most: int) -> list[Packet]:
    """What is answered to a SUBSCRIBE of some 5,200 bytes where `most` are taken, as the listing says, too."""
    client = configured(mqtt_max_packet_bytes=most)
    client.connect("s")
    assert client.connection.connection_row().frame_max == most
    filters = tuple(Subscription(f"{'x' * 100}{number:02}") for number in range(50))
    return client.send(Subscribe(1, filters, {}))


@pytest.mark.parametrize("disconnects", [True, False])
def test_who_publishes_without_permission_and_cannot_be_told(configured: Configured, disconnects: bool) -> None:
    client = configured(versions.V3_1_1, mqtt_disconnect_on_unauthorized=disconnects)
    client.connect("p", username="reader", password=b"secret")
    client.publish("t", b"")
    assert client.closed is disconnects


@pytest.mark.parametrize(
    ("hides", "code"), [(False, reason_codes.NOT_AUTHORIZED), (True, reason_codes.UNSPECIFIED_ERROR)]
)
def test_why_a_subscription_is_refused(configured: Configured, hides: bool, code: int) -> None:
    client = configured(mqtt_hide_refusals=hides)
    client.connect("s", username="nobody", password=b"secret")
    assert list(only(SubAck, client.subscribe("t")).reason_codes) == [code]


@pytest.mark.parametrize("most", [0, 7])
def test_topic_aliases(configured: Configured, most: int) -> None:
    answer = configured(mqtt_topic_alias_maximum=most).connect("p")
    assert answer.properties.get("topic_alias_maximum", 0) == most
