"""One dialogue with every packet that a client may send, in each version: cut at any byte, the answers are the same."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    Auth,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.settings import MqttSettings

PAIRS: Properties = {"user_properties": [("a", "1"), ("a", "1"), ("b", "2")]}


def dialogue(level: int) -> list[Packet]:
    """All of them; packet identifiers of the broker's are 1, 2, ... in the order of delivery."""
    v5 = level == versions.V5
    pairs: Properties = PAIRS if v5 else {}
    return [
        Connect("c", level, True, 60, Will("gone", b"will", 1), "guest", b"guest", properties=pairs),
        Subscribe(1, (Subscription("a/#", 2), Subscription("$share/g/b", 1)), pairs),
        Publish("a/0", b"0" * 200),
        Publish("a/0", b"", properties=pairs),
        Publish("a/1", b"1", 1, 2),
        Publish("a/1", b"1 again", 1, 3),
        PubAck(1),
        PubAck(2, 0, pairs),
        Publish("a/2", b"2", 2, 4, retain=True, properties=pairs),
        PubRel(4, 0, pairs),
        PubRec(3, 0, pairs),
        PubComp(3, 0, pairs),
        Publish("b", b"shared", 2, 5),
        PubRel(5),
        PubAck(4),
        PingReq(),
        *([Publish("a/3", b"alias", properties={"topic_alias": 1})] if v5 else []),
        *([Publish("", b"alias", properties={"topic_alias": 1})] if v5 else []),
        Unsubscribe(6, ("a/#", "nothing"), pairs),
        Publish("a/1", b"unheard", 1, 7),
        Disconnect(0, {"reason_string": "enough"} if v5 else {}),
    ]


def answers(level: int, pieces: list[bytes]) -> bytes:
    """What a new broker answers to a dialogue in pieces."""
    simulated = SimulatedBroker()
    client = MqttClient(simulated, level, MqttSettings(topic_alias_max=4))
    for piece in pieces:
        client.transport.receive(piece)
        simulated.settle()
    simulated.settle()
    assert client.transport.closed
    assert not simulated.broker.sessions
    assert not simulated.vhost.queues
    simulated.close()
    return client.transport.take()


def split(level: int, stream: bytes) -> list[Packet]:
    """The packets in what a broker sent."""
    found: list[Packet] = []
    position = 0
    while (decoded := decode(stream, position, len(stream), level)) is not None:
        found.append(decoded[0])
        position = decoded[1]
    assert position == len(stream)
    return found


def test_the_dialogue_itself(level: int) -> None:
    found = split(level, answers(level, pieces_of(level, set())))
    kinds = [type(each).__name__ for each in found]
    expected = {"ConnAck": 1, "SubAck": 1, "Publish": 8 if level == versions.V5 else 6, "PubAck": 3, "PubRec": 2}
    expected |= {"PubRel": 1, "PubComp": 2, "PingResp": 1, "UnsubAck": 1}
    assert {name: kinds.count(name) for name in set(kinds)} == expected
    assert [each.reason_codes for each in found if isinstance(each, SubAck)] == [(2, 1)]
    assert [each.reason_codes for each in found if isinstance(each, UnsubAck)] == [
        (0, 0x11) if level == versions.V5 else ()
    ]


def test_every_packet_type_of_a_client_is_in_it() -> None:
    kinds = {type(packet) for packet in dialogue(versions.V5)}
    assert kinds == {
        Connect, Publish, PubAck, PubRec, PubRel, PubComp, Subscribe, Unsubscribe, PingReq, Disconnect
    }, "AUTH has its own test"  # fmt: skip


def pieces_of(level: int, cuts: set[int]) -> list[bytes]:
    """The dialogue, cut between its packets, since a client answers only what it has got, and at `cuts`."""
    packets = [encode(packet, level) for packet in dialogue(level)]
    ends = {sum(len(each) for each in packets[: count + 1]) for count in range(len(packets))}
    stream = b"".join(packets)
    edges = sorted({0, *ends, *(cut for cut in cuts if cut < len(stream))})
    return [stream[start:end] for start, end in pairwise(edges)]


def test_cut_once_anywhere(level: int) -> None:
    expected = answers(level, pieces_of(level, set()))
    for at in range(1, sum(len(each) for each in pieces_of(level, set()))):
        assert answers(level, pieces_of(level, {at})) == expected, f"cut at {at}"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_cut_in_pieces_of_a_size(level: int, size: int) -> None:
    expected = answers(level, pieces_of(level, set()))
    assert answers(level, pieces_of(level, set(range(0, 10_000, size)))) == expected


def test_auth_cut_anywhere() -> None:
    method: Properties = {"authentication_method": "SCRAM-SHA-256", "authentication_data": b"n,,n=guest,r=abc"}
    stream = encode(Connect("c", versions.V5, properties=method), versions.V5)
    stream += encode(Auth(0x18, {"authentication_method": "PLAIN"}), versions.V5)
    for at in range(len(stream) + 1):
        found = split(versions.V5, answers(versions.V5, [stream[:at], stream[at:]]))
        assert [type(each).__name__ for each in found] == ["Auth", "ConnAck"], f"cut at {at}"
