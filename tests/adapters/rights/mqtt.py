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


def mqtt_will(level: int, broker: SimulatedBroker, *, retain: bool = False) -> str:
    _, code = mqtt_client(broker, level, Will("a/b", b"gone", 0, retain, {}))
    return "allowed" if not code else f"CONNACK {code:#x}"


def mqtt_publish(level: int, broker: SimulatedBroker, *, retain: bool = False, qos: int = 1) -> str:
    client, code = mqtt_client(broker, level)
    assert not code
    answers = client.send(Publish("a/b", b"body", qos, 7, retain, False, {}))
    if not answers:
        assert client.closed
        return "closed"
    (answer,) = answers
    code = getattr(answer, "reason_code", 0)
    return "allowed" if code < 0x80 else f"{'PUBACK' if qos == 1 else 'PUBREC'} {code:#x}"


def mqtt_subscribe(level: int, broker: SimulatedBroker, filter: str = "a/b") -> str:
    client, code = mqtt_client(broker, level)
    assert not code
    (answer,) = client.send(Subscribe(7, (Subscription(filter, 1),), {}))
    assert isinstance(answer, SubAck)
    (code,) = answer.reason_codes
    return "allowed" if code < 0x80 else f"SUBACK {code:#x}"


def mqtt_operations(level: int, connack: str, will: str, puback: str, suback: str) -> tuple[Operation, ...]:
    writes = (write("exchange", "amq.topic"), ("write", "topic", "amq.topic", "a.b"))
    own = "mqtt-subscription-c"
    shared = "mqtt-shared-g/a/b"
    pubrec = puback.replace("PUBACK", "PUBREC")
    return (
        Operation("enter", partial(mqtt_enter, level), (), connack),
        Operation("CONNECT with a will", partial(mqtt_will, level), writes, will),
        Operation("CONNECT with a retained will", partial(mqtt_will, level, retain=True), writes, will),
        Operation("PUBLISH", partial(mqtt_publish, level), writes, puback),
        Operation("PUBLISH, retained", partial(mqtt_publish, level, retain=True), writes, puback),
        Operation("PUBLISH of QoS 2", partial(mqtt_publish, level, qos=2), writes, pubrec),
        Operation(
            "SUBSCRIBE to a queue", partial(mqtt_subscribe, level, filter="$queue/q"), (read("queue", "q"),), suback
        ),
        Operation(
            "SUBSCRIBE to a shared filter",
            partial(mqtt_subscribe, level, filter="$share/g/a/b"),
            (
                configure("queue", shared),
                write("queue", shared),
                read("queue", shared),
                read("exchange", "amq.topic"),
                ("read", "topic", "amq.topic", "a.b"),
            ),
            suback,
        ),
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
