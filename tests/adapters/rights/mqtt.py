"""What is done by MQTT, by which rights, and what is said without one of them."""

from __future__ import annotations

from functools import partial

from tests.adapters.rights.operation import PASSWORD, USER, Operation, configure, read, write
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish, SubAck, Subscribe, Subscription, Will


def mqtt_client(broker: SimulatedBroker, level: int, will: Will | None = None) -> tuple[MqttClient, int]:
    client = MqttClient(broker, level)
    answer = client.connect("c", username=USER, password=PASSWORD.encode(), will=will)
    return client, answer.reason_code


def mqtt_enter(level: int, broker: SimulatedBroker) -> str:
    _, code = mqtt_client(broker, level)
    return "allowed" if not code else f"CONNACK {code:#x}"


def mqtt_will(level: int, broker: SimulatedBroker) -> str:
    _, code = mqtt_client(broker, level, Will("a/b", b"gone", 0, False, {}))
    return "allowed" if not code else f"CONNACK {code:#x}"


def mqtt_publish(level: int, broker: SimulatedBroker) -> str:
    client, code = mqtt_client(broker, level)
    assert not code
    answers = client.send(Publish("a/b", b"body", 1, 7, False, False, {}))
    if not answers:
        assert client.closed
        return "closed"
    (answer,) = answers
    code = getattr(answer, "reason_code", 0)
    return "allowed" if code < 0x80 else f"PUBACK {code:#x}"


def mqtt_subscribe(level: int, broker: SimulatedBroker) -> str:
    client, code = mqtt_client(broker, level)
    assert not code
    (answer,) = client.send(Subscribe(7, (Subscription("a/b", 1),), {}))
    assert isinstance(answer, SubAck)
    (code,) = answer.reason_codes
    return "allowed" if code < 0x80 else f"SUBACK {code:#x}"


def mqtt_operations(level: int, connack: str, will: str, puback: str, suback: str) -> tuple[Operation, ...]:
    writes = (write("exchange", "amq.topic"), ("write", "topic", "amq.topic", "a.b"))
    own = "mqtt-subscription-c"
    return (
        Operation("enter", partial(mqtt_enter, level), (), connack),
        Operation("CONNECT with a will", partial(mqtt_will, level), writes, will),
        Operation("PUBLISH", partial(mqtt_publish, level), writes, puback),
        Operation(
            "SUBSCRIBE",
            partial(mqtt_subscribe, level),
            (
                configure("queue", own),
                write("queue", own),
                read("queue", own),
                read("exchange", "amq.topic"),
                ("read", "topic", "amq.topic", "a.b"),
            ),
            suback,
        ),
    )


MQTT_3_1_1 = mqtt_operations(versions.V3_1_1, "CONNACK 0x5", "CONNACK 0x5", "closed", "SUBACK 0x80")
MQTT_5 = mqtt_operations(versions.V5, "CONNACK 0x87", "CONNACK 0x87", "PUBACK 0x87", "SUBACK 0x87")
