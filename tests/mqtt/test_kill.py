"""Exactly once and at least once while the broker is killed and clients are cut off, at random points.

One publisher and one subscriber speak MQTT over plain sockets and follow its rules for persistent sessions to the
letter.  What each of them has finished is remembered across reconnects, as a client with a disk of its own would.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from tests.support.mqtt_peers import PublishingPeer, SubscribingPeer
from tests.support.warren_process import WarrenProcess, start_warren
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import ConnAck, Connect, Packet, SubAck, Subscribe, Subscription
from warren.adapters.mqtt.codec.properties import Properties

pytestmark = pytest.mark.limits(seconds=300)

MESSAGES = 400

STEPS_MAX = 50 * MESSAGES
"""Far more than packets, kills and cuts take."""

WINDOW = 20
KILLS = 6
TIME_LIMIT_S = 20.0


class Wire:
    """A blocking connection; `closed` once the broker has gone."""

    def __init__(self, port: int, client_id: str, level: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIME_LIMIT_S)
        self._data = b""
        self._level = level
        self.closed = False
        properties: Properties = {"session_expiry_interval": 3600} if level == versions.V5 else {}
        self.send([Connect(client_id, level, clean_start=False, properties=properties)])
        packet = self.receive()
        assert isinstance(packet, ConnAck), packet
        assert packet.reason_code == 0

    def send(self, packets: list[Packet]) -> None:
        try:
            self._socket.sendall(b"".join(encode(packet, self._level) for packet in packets))
        except OSError:
            self.closed = True

    def receive(self) -> Packet | None:
        """The next packet; None when the connection is gone."""
        while (found := decode(self._data, 0, len(self._data), self._level)) is None:
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


class Run:
    """A broker process, and two wires to it that are made anew when they are closed."""

    def __init__(self, directory: Path, seed: int, qos: int, level: int) -> None:
        self.chance = random.Random(f"{seed} {qos} {level}")
        self.publisher = PublishingPeer(qos, MESSAGES, WINDOW)
        self.subscriber = SubscribingPeer()
        self.kills = 0
        self.cuts = 0
        self._directory = directory
        self._level = level
        self.broker = self._start()
        self.to_subscriber = self._wire("subscriber")
        self.to_subscriber.send([Subscribe(1, (Subscription("t", qos),))])
        assert isinstance(self.to_subscriber.receive(), SubAck)
        self.to_publisher = self._wire("publisher")

    @property
    def done(self) -> bool:
        return self.publisher.done and len(set(self.subscriber.taken)) == MESSAGES

    def step(self) -> None:
        event = self.chance.random()
        if self.kills < KILLS and event < 0.01:
            self._kill()
        elif event < 0.02:
            self.cuts += 1
            self.chance.choice([self.to_publisher, self.to_subscriber]).cut()
        if self.to_publisher.closed:
            self.to_publisher = self._wire("publisher")
            self.to_publisher.send(self.publisher.again())
        if self.to_subscriber.closed:
            self.to_subscriber = self._wire("subscriber")
        if not self.publisher.done:
            self.to_publisher.send(self.publisher.more())
            self._take(self.to_publisher, self.publisher)
        if len(set(self.subscriber.taken)) < self.publisher.next - len(self.publisher.unfinished):
            self._take(self.to_subscriber, self.subscriber)

    def close(self) -> None:
        self.to_publisher.cut()
        self.to_subscriber.cut()
        self.broker.kill()

    def _take(self, wire: Wire, peer: PublishingPeer | SubscribingPeer) -> None:
        packet = wire.receive()
        if packet is not None:
            wire.send(peer.take(packet))

    def _kill(self) -> None:
        self.kills += 1
        self.broker.kill()
        self.to_publisher.cut()
        self.to_subscriber.cut()
        self.broker = self._start()

    def _start(self) -> WarrenProcess:
        return start_warren(self._directory, data_directory=self._directory / "data", listen=("mqtt=127.0.0.1:0",))

    def _wire(self, client_id: str) -> Wire:
        return Wire(self.broker.addresses["mqtt"][1], client_id, self._level)


@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5], ids=["3.1.1", "5"])
@pytest.mark.parametrize("qos", [1, 2])
def test_killed_at_random(tmp_path: Path, qos: int, level: int) -> None:
    run = Run(tmp_path, 1, qos, level)
    try:
        for _ in range(STEPS_MAX):
            if run.done:
                break
            run.step()
        assert run.done, "they make no progress"
        assert run.kills >= 3
        assert run.cuts >= 3
    finally:
        run.close()
    taken = run.subscriber.taken
    if qos == 1:
        taken = list(dict.fromkeys(taken))
    assert taken == list(range(MESSAGES)), "each message, in order; at QoS 2 once"
