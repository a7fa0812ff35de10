"""Floods over MQTT 3.1.1."""

from __future__ import annotations

import socket
from typing import Final, Self

from tests.floods.stage import PATIENCE_S, Stage, in_parts
from tests.floods.table import flood
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import PINGREQ, encode
from warren.adapters.mqtt.codec.packets import Connect, Disconnect, Publish, Subscribe, Subscription, Unsubscribe

LEVEL: Final = versions.V3_1_1


class Mqtt:
    """A client that sends much at once, and is patient."""

    def __init__(self, address: tuple[str, int], client_id: str, *, clean: bool = True) -> None:
        self.socket = socket.create_connection(address, PATIENCE_S)
        self._input = self.socket.makefile("rb", 1 << 18)
        self.socket.sendall(encode(Connect(client_id, LEVEL, clean_start=clean), LEVEL))
        self.said(versions.CONNACK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._input.close()
        self.socket.close()

    def read(self) -> int:
        """The type of the next packet."""
        kind = self._byte() >> 4
        length = shift = 0
        while (byte := self._byte()) >= 0x80:
            length |= (byte & 0x7F) << shift
            shift += 7
        length |= byte << shift
        assert len(self._input.read(length)) == length, "the broker has closed the connection"
        return kind

    def said(self, kind: int) -> None:
        """What comes next, however late, is this packet."""
        found = self.read()
        assert found == kind, found

    def turn(self) -> None:
        """Everything sent before is done."""
        self.socket.sendall(PINGREQ)
        while self.read() != versions.PINGRESP:
            pass

    def _byte(self) -> int:
        found: bytes = self._input.read(1)
        assert found, "the broker has closed the connection"
        return found[0]


def client(stage: Stage, client_id: str = "flood", *, clean: bool = True) -> Mqtt:
    """A client that is there until the flood is over."""
    return stage.enter(Mqtt(stage.broker.addresses["mqtt"], client_id, clean=clean))


@flood(8_000, small=4_000, calls=100_000)
def mqtt_subscribe(stage: Stage) -> None:
    """One SUBSCRIBE with very many filters of a session that is kept, one UNSUBSCRIBE, and the session's end."""
    filters = [f"floor/{number}/+" for number in range(stage.size)]
    subscribe = encode(Subscribe(1, tuple(Subscription(each, 1) for each in filters)), LEVEL)
    unsubscribe = encode(Unsubscribe(2, tuple(filters)), LEVEL)
    kept = client(stage, clean=False)
    with stage.measured():
        for packet, answer in (
            (subscribe, versions.SUBACK),
            (unsubscribe, versions.UNSUBACK),
            (subscribe, versions.SUBACK),
        ):
            kept.socket.sendall(packet)
            kept.said(answer)
        # It takes over from the one that is there, and ends its session.
        client(stage).turn()


@flood(100_000, small=5_000, calls=60_000)
def mqtt_retained(stage: Stage) -> None:
    """Very many topics have a retained message, and somebody wants them all."""
    publisher, subscriber = client(stage), client(stage, "reader")
    packets = (encode(Publish(f"floor/{number}", b"0123456789", retain=True), LEVEL) for number in range(stage.size))
    with stage.measured():
        for part in in_parts(packets):
            publisher.socket.sendall(part)
        publisher.turn()
        subscriber.socket.sendall(encode(Subscribe(1, (Subscription("#", 0),)), LEVEL))
        subscriber.said(versions.SUBACK)
        for _ in range(stage.size):
            subscriber.said(versions.PUBLISH)


@flood(200_000, small=10_000, calls=40_000)
def mqtt_pings(stage: Stage) -> None:
    """Very many packets of two bytes."""
    client_ = client(stage)
    with stage.measured():
        for part in in_parts(PINGREQ for _ in range(stage.size)):
            client_.socket.sendall(part)
            for _ in range(len(part) // len(PINGREQ)):
                client_.said(versions.PINGRESP)


@flood(10_000, small=100, calls=20_000)
def mqtt_connection_storm(stage: Stage) -> None:
    """Connections come and go as fast as they can."""
    address = stage.broker.addresses["mqtt"]
    with stage.measured():
        for number in range(stage.size):
            with Mqtt(address, f"client-{number}") as coming:
                coming.socket.sendall(encode(Disconnect(), LEVEL))
