"""QoS 1 and 2 while connections and the broker are lost at any point: between two bytes, before and after a flush.

Exactly once and in order at QoS 2, at least once and in order at QoS 1 (MQTT 5 4.3, 4.4, 4.6), from a publisher to a
subscriber with sessions that outlive their connections; also by a shared subscription, with a peer that now and then
doesn't read, and with alarms that hold publishes back.  All that is random comes from a seed.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.support.mqtt_peers import PublishingPeer, SubscribingPeer
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Packet

MESSAGES = 60
STEPS_MAX = 6_000


class Link:
    """One peer's connections, one after the other; bytes wait in it both ways until a step moves some."""

    def __init__(self, run: Run, client_id: str, peer: PublishingPeer | SubscribingPeer, level: int) -> None:
        self._run = run
        self._client_id = client_id
        self._peer = peer
        self._level = level
        self._outgoing = b""
        self.client = self.connect()

    def connect(self) -> MqttClient:
        """A new connection to the same session; what isn't finished is sent again, new things after it."""
        simulated = self._run.simulated
        client = MqttClient(simulated, self._level)
        more: dict[str, Any] = {"receive_maximum": 7} if self._level == versions.V5 else {}
        if self._level == versions.V5:
            more["session_expiry_interval"] = 3600
        assert client.connect(self._client_id, clean_start=False, **more).reason_code == 0
        self._outgoing = b""
        self.client = client
        if isinstance(self._peer, PublishingPeer):
            self._send(self._peer.again())
        self._answer(client.after_connack)
        return client

    def lose(self) -> None:
        """The network goes away with everything that is in it."""
        self.client.lose()
        self.connect()

    def step(self, chance: random.Random) -> None:
        """Move some bytes either way."""
        if self.client.closed:
            raise AssertionError(f"the broker closed the connection of {self._client_id}: {self.client.packets()}")
        if isinstance(self._peer, PublishingPeer):
            self._send(self._peer.more())
        count = chance.choice([1, 3, 10, 1000])
        data, self._outgoing = self._outgoing[:count], self._outgoing[count:]
        self.client.transport.receive(data)
        self._run.simulated.settle()
        if chance.random() < 0.7:
            self._answer(self.client.packets())
        if chance.random() < 0.1:
            self._read_or_not(chance)

    def _read_or_not(self, chance: random.Random) -> None:
        """Let the peer's side of the network fill up, or be read again."""
        transport = self.client.transport
        if transport.socket_room is None:
            transport.socket_room = chance.choice([0, 5, 100])
        else:
            transport.read_by_peer(None)
            self._run.simulated.settle()

    def _answer(self, packets: list[Packet]) -> None:
        for packet in packets:
            self._send(self._peer.take(packet))

    def _send(self, packets: list[Packet]) -> None:
        self._outgoing += b"".join(encode(packet, self._level) for packet in packets)


class Run:
    """A broker and two links.  directory: None for one in memory, which never stops."""

    def __init__(self, seed: int, directory: Path | None, qos: int, level: int, filter: str = "t") -> None:
        self.chance = random.Random(f"{seed} {qos} {level}")
        self.simulated = SimulatedBroker(directory)
        self._durable = directory is not None
        self.publisher = PublishingPeer(qos, MESSAGES, self.chance.choice([1, 4, 12]))
        self.subscriber = SubscribingPeer()
        self.to_subscriber = Link(self, "subscriber", self.subscriber, level)
        self.to_subscriber.client.subscribe(filter, qos=qos)
        self.to_publisher = Link(self, "publisher", self.publisher, level)
        self.crashes = 0
        self._flushing = False

    @property
    def done(self) -> bool:
        return self.publisher.done and len(set(self.subscriber.taken)) == MESSAGES and not self._unfinished

    @property
    def _unfinished(self) -> bool:
        """Whether the broker still waits for the subscriber, or the other way round."""
        return bool(self.subscriber.held) or bool(self.to_subscriber.client.session.outgoing)

    def step(self) -> None:
        event = self.chance.random()
        if event < 0.06:
            self._alarm(False)  # nobody could connect
        if event < 0.01 and self._durable:
            self._stop(clean=self.chance.random() < 0.3)
        elif event < 0.03:
            self.to_publisher.lose()
        elif event < 0.05:
            self.to_subscriber.lose()
        elif event < 0.06:
            self._alarm(True)
        elif event < 0.15 and self._durable:
            self._hold_the_disk_up_or_not()
        self.chance.choice([self.to_publisher, self.to_subscriber]).step(self.chance)

    def _alarm(self, raised: bool) -> None:
        """Have the broker hold publishes back, or take them again."""
        self.simulated.broker.alarms.set("memory", raised)
        self.simulated.settle()

    def _hold_the_disk_up_or_not(self) -> None:
        simulated = self.simulated
        if self._flushing:
            simulated.finish_commit()
            self._flushing = False
            simulated.commits_by_itself = True
        elif simulated.commits_by_itself:
            simulated.commits_by_itself = False
        elif simulated.broker.commit_wanted:
            simulated.begin_commit()
            self._flushing = True
        else:
            simulated.commits_by_itself = True
        simulated.settle()

    def _stop(self, *, clean: bool) -> None:
        self.crashes += 1
        if clean:
            if self._flushing:
                self.simulated.finish_commit()
            self.simulated.commits_by_itself = True
            self.simulated.restart()
        else:
            self.simulated.crash()
        self._flushing = False
        self.simulated.commits_by_itself = True
        self.to_publisher.connect()
        self.to_subscriber.connect()


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_doubled_or_out_of_order(
    seed: int, qos: int, level: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    on_disk, shared = seed % 3 != 0, seed % 2 == 0
    run = Run(seed, tmp_path if on_disk else None, qos, level, "$share/group/t" if shared else "t")
    steps = 0
    while not run.done:
        run.step()
        steps += 1
        assert steps < STEPS_MAX, (run.publisher.unfinished, run.subscriber.taken, run.subscriber.held)
    taken = run.subscriber.taken
    if qos == 1:
        taken = list(dict.fromkeys(taken))
    assert taken == list(range(MESSAGES))
    run.simulated.commits_by_itself = True
    if run._flushing:
        run.simulated.finish_commit()
    run.simulated.settle()
    if on_disk:
        assert run.simulated.broker.store.statistics()["entries"] == 0
    run.simulated.close()
    assert not [record for record in caplog.records if record.exc_info]
