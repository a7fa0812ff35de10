"""An edge node is drained, stopped and started while devices publish and a shovel brings it all to an upstream.

In good order (docs/how_to/rolling_restart.md) nothing is lost, and the shovel brings nothing twice: what a device has
published at QoS 2 arrives once; of QoS 1 only what the device itself sent again may be there twice.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pika
import pytest

from tests.mqtt.test_kill import Wire
from tests.support.ctl import ctl
from tests.support.mqtt_peers import PublishingPeer
from tests.support.until import until
from tests.support.warren_process import WarrenProcess, start_warren
from warren.adapters.mqtt.codec import versions

pytestmark = pytest.mark.limits(seconds=300)

ROUNDS = 3
AT_ONCE = 20
MESSAGES = 300
"""Of each device."""

QUEUES = {1: "at least once", 2: "exactly once"}
TOPICS = {1: "t/1", 2: "t/2"}


class Device:
    """Publishes numbers by the rules of MQTT, over one connection after the other.

    sent_again: numbers whose PUBLISH went out more than once.
    """

    def __init__(self, qos: int) -> None:
        self.peer = PublishingPeer(qos, MESSAGES, AT_ONCE, TOPICS[qos])
        self.sent_again: set[int] = set()
        self._qos = qos
        self._wire: Wire | None = None

    def connect(self, port: int) -> None:
        """Connect, and send again what isn't finished."""
        self.close()
        self._wire = Wire(port, f"device {self._qos}", versions.V5)
        self.sent_again.update(number for number, released in self.peer.unfinished.values() if not released)
        self._wire.send(self.peer.again())

    def publish(self, count: int) -> None:
        """Go on until so many are published in all, of which some may not be answered."""
        while self.peer.next < count and self.step():
            pass

    def step(self) -> bool:
        """Send what there is room for, and take one answer; False when the connection is gone."""
        assert self._wire is not None
        self._wire.send(self.peer.more())
        packet = self._wire.receive()
        if packet is None:
            return False
        self._wire.send(self.peer.take(packet))
        return True

    def close(self) -> None:
        """Cut the connection."""
        if self._wire is not None:
            self._wire.cut()


class Edge:
    """The edge node, on a directory of its own; each start of it is another process."""

    def __init__(self, directory: Path, upstream: WarrenProcess) -> None:
        self._directory = directory
        directory.mkdir()
        shovels = {
            f"s{qos}": {
                "src-uri": "amqp://",
                "src-queue": queue,
                "dest-uri": f"amqp://127.0.0.1:{upstream.amqp_port}",
                "dest-queue": queue,
                "reconnect-delay": 0.05,
            }
            for qos, queue in QUEUES.items()
        }
        self._options = ("--set", "plugins=shovel", "--set", f"shovel_static={json.dumps(shovels)}")
        self.broker = self._start()

    def restart(self, devices: list[Device]) -> None:
        """As the page says: drain, wait until all of it is upstream, stop, start."""
        ctl(self.data, "drain")
        for device in devices:
            # What was answered before the end is taken; the device knows of the rest that it isn't finished.
            while device.step():
                pass
        until(self.is_empty, time.sleep)
        assert self.broker.stop() == 0
        self.broker = self._start()

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self._directory / "data"

    def is_empty(self) -> bool:
        """Nothing waits here, and nothing is on its way."""
        queues = json.loads(ctl(self.data, "list_queues", "name", "messages", "--formatter", "json"))
        shovels = json.loads(ctl(self.data, "shovel_status", "name", "state", "pending", "--formatter", "json"))
        assert {row["name"] for row in shovels} == {"s1", "s2"}
        waiting = sum(row["messages"] for row in queues if row["name"] in QUEUES.values())
        return not waiting and all(row["state"] == "running" and row["pending"] == 0 for row in shovels)

    def _start(self) -> WarrenProcess:
        listen = ("mqtt=127.0.0.1:0", "amqp=127.0.0.1:0")
        return start_warren(self._directory, data_directory=self.data, listen=listen, options=self._options)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[WarrenProcess]:
    directory = tmp_path / "upstream"
    directory.mkdir()
    broker = start_warren(directory, data_directory=directory / "data")
    yield broker
    broker.kill()


@pytest.fixture
def edge(tmp_path: Path, upstream: WarrenProcess) -> Iterator[Edge]:
    node = Edge(tmp_path / "edge", upstream)
    yield node
    node.broker.kill()


def arrived(upstream: WarrenProcess, queue: str) -> list[int]:
    """All numbers that are upstream, in order."""
    found = []
    with closing(pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", upstream.amqp_port))) as line:
        channel = line.channel()
        while (body := channel.basic_get(queue, auto_ack=True)[2]) is not None:
            found.append(int(body))
    return found


def test_nothing_is_lost_and_the_shovel_doubles_nothing(edge: Edge, upstream: WarrenProcess) -> None:
    with closing(pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", edge.broker.amqp_port))) as line:
        channel = line.channel()
        for qos, queue in QUEUES.items():
            channel.queue_declare(queue, durable=True)
            channel.queue_bind(queue, "amq.topic", TOPICS[qos].replace("/", "."))
    devices = [Device(qos) for qos in QUEUES]
    try:
        for number in range(ROUNDS + 1):
            for device in devices:
                device.connect(edge.broker.addresses["mqtt"][1])
                device.publish((number + 1) * MESSAGES // (ROUNDS + 1))
            if number < ROUNDS:
                edge.restart(devices)
        for device in devices:
            while not device.peer.done:
                assert device.step()
        until(edge.is_empty, time.sleep)
    finally:
        for device in devices:
            device.close()
    everything = list(range(MESSAGES))
    assert arrived(upstream, QUEUES[2]) == everything
    once = Counter(arrived(upstream, QUEUES[1]))
    assert sorted(once) == everything
    assert {number for number, count in once.items() if count > 1} <= devices[0].sent_again
