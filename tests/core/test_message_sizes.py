"""How large messages are, counted exactly whatever the way they take: loops, handlers, transactions, every protocol."""

from __future__ import annotations

import random

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import NO_PROPERTIES, PERSISTENT, publish_frames
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.simulated_stomp import frame as stomp_frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import PingReq, Publish
from warren.core.message_sizes import BOUNDS_BYTES, MessageSizes
from warren.core.messages.properties import encode_properties


@pytest.mark.parametrize(
    ("size", "bucket"),
    [(0, 0), (1, 0), (100, 0), (101, 1), (1_000, 1), (1_001, 2), (100_000_000, 7), (100_000_001, 8)],
)
def test_which_bucket_a_size_is_in(size: int, bucket: int) -> None:
    sizes = MessageSizes()
    sizes.add(size, 3)
    assert sizes.buckets == [3 if each == bucket else 0 for each in range(len(BOUNDS_BYTES) + 1)]
    assert sizes.total_bytes == 3 * size


COPIED = encode_properties(headers={"CC": ["other"]}).raw
HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"


def expected(sizes: list[int]) -> MessageSizes:
    found = MessageSizes()
    for each in sizes:
        found.add(each)
    return found


def check(broker: SimulatedBroker, protocol: str, sizes: list[int]) -> None:
    found, wanted = broker.broker.message_sizes.of(protocol), expected(sizes)
    assert (found.buckets, found.total_bytes) == (wanted.buckets, wanted.total_bytes)


SIZES = [16, 16, 16, 150, 16, 0, 0, 2_000, 16, 101, 100, 16, 16]


def shuffled(seed: int) -> list[int]:
    """Sizes in runs and out of them."""
    chance = random.Random(seed)
    return [size for size in chance.choices(SIZES, k=40) for _ in range(chance.choice((1, 1, 3)))]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("at_once", [True, False])
def test_amqp(seed: int, at_once: bool) -> None:
    """Among them publishes that lead nowhere, headers that have to be looked at, other frames, and a transaction."""
    chance, broker = random.Random(seed), SimulatedBroker()
    client = broker.connect()
    client.declare("q")
    client.declare("other")
    client.open(2)
    client.send(2, methods.TxSelect())
    sizes = shuffled(seed)
    data = []
    for size in sizes:
        key = chance.choice(("q", "q", "other", "nothing"))
        properties = chance.choice((NO_PROPERTIES, NO_PROPERTIES, PERSISTENT, COPIED))
        channel = chance.choice((1, 1, 1, 1, 2))
        data.append(publish_frames(key, b"x" * size, properties=properties, channel=channel))
        if chance.random() < 0.1:
            data.append(HEARTBEAT)
    data.append(methods.encode_frame(2, methods.TxCommit()))
    for piece in [b"".join(data)] if at_once else data:
        client.send_bytes(piece)
    client.settle()
    check(broker, "AMQP 0-9-1", sizes)


@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
@pytest.mark.parametrize("seed", range(4))
def test_mqtt(seed: int, level: int) -> None:
    chance, broker = random.Random(seed), SimulatedBroker()
    client = MqttClient(broker, level)
    client.connect("c")
    client.subscribe("a/#", qos=1)
    sizes = shuffled(seed)
    data = b""
    for number, size in enumerate(sizes, 1):
        topic = chance.choice(("a/1", "a/1", "a/2", "nobody"))
        qos = chance.choice((0, 0, 1))
        data += encode(Publish(topic, b"x" * size, qos, number if qos else 0), level)
        if chance.random() < 0.1:
            data += encode(PingReq(), level)
    client.send_bytes(data)
    check(broker, "MQTT 5-0" if level == versions.V5 else "MQTT 3-1-1", sizes)


@pytest.mark.parametrize("seed", range(4))
def test_stomp(seed: int) -> None:
    chance, broker = random.Random(seed), SimulatedBroker()
    client = StompClient(broker).connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/q")
    client.send("BEGIN", transaction="t")
    sizes = shuffled(seed)
    data = b""
    for number, size in enumerate(sizes):
        choices: tuple[dict[str, str], ...] = (
            *({}, {}, {"receipt": str(number)}, {"transaction": "t"}, {"content_length": str(size)}),
        )
        more = chance.choice(choices)
        destination = chance.choice(("/queue/q", "/queue/q", "/queue/other"))
        data += stomp_frame("SEND", b"x" * size, destination=destination, **more)
    client.send_bytes(data)
    client.send("COMMIT", transaction="t")
    broker.settle()
    check(broker, "STOMP 1.2", sizes)
