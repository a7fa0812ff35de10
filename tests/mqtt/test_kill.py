"""Exactly once and at least once while the broker is killed and clients are cut off, at random points.

One publisher and one subscriber speak MQTT over plain sockets and follow its rules for persistent sessions to the
letter: whatever isn't finished is sent again after reconnecting, with the same packet identifiers.  What each of them
has finished is remembered across reconnects, as a client with a disk of its own would.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from adapters.mqtt.codec import versions
from adapters.mqtt.codec.decode import decode
from adapters.mqtt.codec.encode import encode
from adapters.mqtt.codec.packets import (
    ConnAck,
    Connect,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
)
from tests.support.warren_process import WarrenProcess, start_warren

MESSAGES = 400
WINDOW = 20
TIME_LIMIT_S = 20.0
LEVEL = versions.V3_1_1


class _Wire:
    """A blocking connection; `closed` once the broker has gone."""

    def __init__(self, port: int, client_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIME_LIMIT_S)
        self._data = b""
        self.closed = False
        self.send(Connect(client_id, LEVEL, clean_start=False))
        packet = self.receive()
        while packet is not None and not isinstance(packet, ConnAck):
            packet = self.receive()

    def send(self, packet: Packet) -> None:
        try:
            self._socket.sendall(encode(packet, LEVEL))
        except OSError:
            self.closed = True

    def receive(self) -> Packet | None:
        """The next packet; None when the connection is gone."""
        while (found := decode(self._data, 0, len(self._data), LEVEL)) is None:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return None
            self._data += data
        self._data = self._data[found[1] :]
        return found[0]

    def cut(self) -> None:
        self._socket.close()
        self.closed = True


class _Publisher:
    """Publishes 0, 1, 2, ...; `unfinished` holds packet identifier -> (number, released)."""

    def __init__(self, qos: int) -> None:
        self.qos = qos
        self.next = 0
        self.unfinished: dict[int, tuple[int, bool]] = {}

    @property
    def done(self) -> bool:
        return self.next >= MESSAGES and not self.unfinished

    def begin(self, wire: _Wire) -> None:
        for packet_id, (number, released) in self.unfinished.items():
            wire.send(PubRel(packet_id) if released else self._publish(packet_id, number, duplicate=True))

    def step(self, wire: _Wire) -> None:
        while len(self.unfinished) < WINDOW and self.next < MESSAGES:
            packet_id = next(each for each in range(1, WINDOW + 1) if each not in self.unfinished)
            self.unfinished[packet_id] = (self.next, False)
            wire.send(self._publish(packet_id, self.next, duplicate=False))
            self.next += 1
        packet = wire.receive()
        if isinstance(packet, PubAck | PubComp):
            self.unfinished.pop(packet.packet_id, None)
        elif isinstance(packet, PubRec) and packet.packet_id in self.unfinished:
            number, _ = self.unfinished[packet.packet_id]
            self.unfinished[packet.packet_id] = (number, True)
            wire.send(PubRel(packet.packet_id))

    def _publish(self, packet_id: int, number: int, *, duplicate: bool) -> Publish:
        return Publish("t", b"%d" % number, self.qos, packet_id, duplicate=duplicate)


class _Subscriber:
    """Notes what comes; at QoS 2 `held` are the packet identifiers that it knows until they are released."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.held: set[int] = set()

    def step(self, wire: _Wire) -> None:
        packet = wire.receive()
        if isinstance(packet, Publish):
            if packet.qos == 1:
                self.taken.append(int(packet.payload))
                wire.send(PubAck(packet.packet_id))
            else:
                if packet.packet_id not in self.held:
                    self.held.add(packet.packet_id)
                    self.taken.append(int(packet.payload))
                wire.send(PubRec(packet.packet_id))
        elif isinstance(packet, PubRel):
            self.held.discard(packet.packet_id)
            wire.send(PubComp(packet.packet_id))


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random(tmp_path: Path, qos: int, seed: int) -> None:
    chance = random.Random(seed * 10 + qos)

    def start() -> WarrenProcess:
        return start_warren(tmp_path, data_directory=tmp_path / "data", listen=("mqtt=127.0.0.1:0",))

    broker = start()
    try:
        publisher, subscriber = _Publisher(qos), _Subscriber()
        port = broker.addresses["mqtt"][1]
        to_subscriber = _Wire(port, "subscriber")
        to_subscriber.send(Subscribe(1, (Subscription("t", qos),)))
        assert isinstance(to_subscriber.receive(), SubAck)
        to_publisher = _Wire(port, "publisher")
        kills = 0
        while not publisher.done or len(set(subscriber.taken)) < MESSAGES:
            event = chance.random()
            if kills < 6 and event < 0.01:
                kills += 1
                broker.kill()
                to_publisher.cut()
                to_subscriber.cut()
                broker = start()
                port = broker.addresses["mqtt"][1]
            elif event < 0.015:
                to_publisher.cut()
            elif event < 0.02:
                to_subscriber.cut()
            if to_publisher.closed:
                to_publisher = _Wire(port, "publisher")
                publisher.begin(to_publisher)
            if to_subscriber.closed:
                to_subscriber = _Wire(port, "subscriber")
            if not publisher.done:
                publisher.step(to_publisher)
            if len(set(subscriber.taken)) < publisher.next - len(publisher.unfinished):
                subscriber.step(to_subscriber)
        assert kills
        assert sorted(set(subscriber.taken)) == list(range(MESSAGES))
        if qos == 2:
            assert len(subscriber.taken) == MESSAGES
            firsts = subscriber.taken
        else:
            firsts = list(dict.fromkeys(subscriber.taken))
        if qos == 1:
            assert firsts == sorted(firsts)
        to_publisher.cut()
        to_subscriber.cut()
    finally:
        broker.kill()
