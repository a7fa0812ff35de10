"""MQTT sessions of clients that don't come back."""

from __future__ import annotations

from tests.gateway.doctor.examined import Examined
from tests.mqtt.paho_client import paho, paho_client


def test_sessions_that_pile_up(examined: Examined) -> None:
    port = examined.broker.addresses["mqtt"][1]
    for number in range(100):
        with paho_client(port, f"device-{number}", paho.MQTTv311, clean=False, login=examined.mqtt_login):
            pass
    assert examined.places("absent-mqtt-sessions") == [("mqtt sessions", "")]
    assert "100 sessions" in examined.details("absent-mqtt-sessions")
    assert "'device-0'" in examined.details("absent-mqtt-sessions")
    assert examined.places("absent-mqtt-sessions", patience=600) == []


def test_sessions_that_end_with_their_connections(examined: Examined) -> None:
    port = examined.broker.addresses["mqtt"][1]
    for number in range(100):
        with paho_client(port, f"device-{number}", paho.MQTTv311, clean=True, login=examined.mqtt_login):
            pass
    assert examined.places("absent-mqtt-sessions") == []


def test_a_session_that_collects(examined: Examined) -> None:
    port = examined.broker.addresses["mqtt"][1]
    with paho_client(port, "archive", paho.MQTTv311, clean=False, login=examined.mqtt_login) as archive:
        archive.subscribe("heat", 1)
    with paho_client(port, "sensor", login=examined.mqtt_login) as sensor:
        for number in range(999):
            sensor.publish("heat", b"%d" % number, qos=1)
        assert examined.places("backlogged-mqtt-session") == []
        sensor.publish("heat", b"one too many", qos=1)
        assert examined.places("backlogged-mqtt-session") == [("mqtt session", "archive")]
        assert examined.places("backlogged-mqtt-session", patience=600) == []
