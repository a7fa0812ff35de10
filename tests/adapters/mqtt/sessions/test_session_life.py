"""Sessions over random lives, against a model: connecting, leaving, expiring, takeover, restarts and crashes.

A few clients come and go; each step is compared with what the specification says: whether a session was present, which
messages it kept, and which wills were published by now, each once and when due (MQTT 5 3.1.2.4, 3.1.2.5, 3.1.2.11.2,
3.1.3.2.2, 4.1).  Time passes only where a step says so.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec.packets import Publish, Will

CLIENTS = ("one", "two", "three")
EXPIRIES_S = (0, 5, 30, 0xFFFF_FFFF)
DELAYS_S = (0, 3, 20, 1000)
LONGEST_S = 86_400
"""The broker's own limit (spec C.2)."""


@dataclass
class ModelSession:
    """What a session is: when it ends unless its client comes back, and what it keeps."""

    expiry_s: int
    subscribed: bool = False
    detached_at_ms: int | None = None
    kept: list[bytes] = field(default_factory=list)


@dataclass
class ModelWill:
    """A will that waits for its time."""

    payload: bytes
    due_ms: int


class Life:
    """One run: a broker on disk, its clients, and the model of both."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.chance = random.Random(seed)
        self.simulated = SimulatedBroker(directory)
        self.now_ms = 0
        self.number = 0
        self.connections: dict[str, MqttClient] = {}
        self.wills: dict[str, tuple[bytes, int]] = {}
        self.sessions: dict[str, ModelSession] = {}
        self.waiting: dict[str, ModelWill] = {}
        self.published_wills: list[bytes] = []
        self.history: list[str] = []
        self.watcher = self._watch()
        self.steps: list[tuple[int, Callable[[], None]]] = [
            (30, self.connect),
            (10, self.lose),
            (6, self.leave),
            (3, self.ask_for_the_will),
            (30, self.publish),
            (25, self.let_time_pass),
            (3, self.restart),
            (3, self.crash),
        ]

    def step(self) -> None:
        """One random doing, then the comparison."""
        (doing,) = self.chance.choices([each for _, each in self.steps], [weight for weight, _ in self.steps])
        doing()
        self._check()

    # Doings

    def connect(self) -> None:
        name = self.chance.choice(CLIENTS)
        clean = self.chance.random() < 0.3
        expiry_s = self.chance.choice(EXPIRIES_S)
        delay_s = self.chance.choice([None, *DELAYS_S])
        will = None if delay_s is None else self._will(delay_s)
        self._note(f"connect {name} clean={clean} expiry={expiry_s} will={delay_s}")
        self._taken_over(name)
        if clean:
            self._session_ends(name)
        self.waiting.pop(name, None)
        present = name in self.sessions
        session = self.sessions.setdefault(name, ModelSession(expiry_s))
        session.expiry_s = min(expiry_s, LONGEST_S)
        session.detached_at_ms = None
        client = MqttClient(self.simulated)
        more: dict[str, Any] = {"session_expiry_interval": expiry_s} if expiry_s else {}
        answer = client.connect(name, clean_start=clean, will=will, **more)
        assert (answer.reason_code, answer.session_present) == (0, present)
        self._take_kept(client, session)
        if will is not None:
            assert delay_s is not None
            self.wills[name] = (will.payload, delay_s)
        self.connections[name] = client
        if not session.subscribed:
            client.subscribe(f"to/{name}", qos=1)
            session.subscribed = True

    def _take_kept(self, client: MqttClient, session: ModelSession) -> None:
        """Take what waited; sometimes without acknowledging, so that it stays the session's."""
        messages = [each for each in client.after_connack if isinstance(each, Publish)]
        assert [each.payload for each in messages] == session.kept
        if self.chance.random() < 0.6:
            client.send_bytes(b"".join(b"\x40\x02" + each.packet_id.to_bytes(2, "big") for each in messages))
            session.kept.clear()

    def lose(self) -> None:
        self._end("lose", MqttClient.lose, publish_will=True)

    def leave(self) -> None:
        self._end("leave", MqttClient.disconnect, publish_will=False)

    def ask_for_the_will(self) -> None:
        self._end("leave with will", lambda client: client.disconnect(0x04), publish_will=True)

    def _end(self, what: str, end: Callable[[MqttClient], None], *, publish_will: bool) -> None:
        if not self.connections:
            return
        name = self.chance.choice(sorted(self.connections))
        self._note(f"{what} {name}")
        end(self.connections.pop(name))
        self._detached(name, publish_will=publish_will)

    def publish(self) -> None:
        name = self.chance.choice(CLIENTS)
        self.number += 1
        payload = b"%d" % self.number
        self._note(f"publish {self.number} to {name}")
        self.watcher.publish(f"to/{name}", payload, 1)
        session = self.sessions.get(name)
        if session is None:
            return
        client = self.connections.get(name)
        if client is None:
            session.kept.append(payload)
        else:
            assert [each.payload for each in client.messages()] == [payload]
            session.kept.append(payload)
            if self.chance.random() < 0.7:
                self._acknowledge_all(client, session)

    def _acknowledge_all(self, client: MqttClient, session: ModelSession) -> None:
        for packet_id in list(client.session.outgoing):
            client.send_bytes(b"\x40\x02" + packet_id.to_bytes(2, "big"))
        session.kept.clear()

    def let_time_pass(self) -> None:
        milliseconds = self.chance.choice([1, 999, 1000, 2_000, 3_000, 4_999, 5_000, 20_000, 30_000])
        self._note(f"{milliseconds} ms pass")
        self._advance(milliseconds)

    def restart(self) -> None:
        self._note("restart")
        for name in sorted(self.connections):
            self._detached(name, publish_will=True)
        self.connections.clear()
        self.simulated.restart()
        self._come_back()

    def crash(self) -> None:
        self._note("crash")
        for name in sorted(self.connections):
            self.wills.pop(name, None)
            self._detached(name, publish_will=False)
        self.connections.clear()
        self.simulated.crash()
        self._come_back()

    # The model

    def _detached(self, name: str, *, publish_will: bool) -> None:
        session = self.sessions[name]
        will = self.wills.pop(name, None)
        session.detached_at_ms = self.now_ms
        ends = session.expiry_s == 0
        if will is not None and publish_will:
            delay_s = min(will[1], session.expiry_s)
            if delay_s:
                self.waiting[name] = ModelWill(will[0], self.now_ms + delay_s * 1000)
            else:
                self.published_wills.append(will[0])
        if ends:
            del self.sessions[name]

    def _taken_over(self, name: str) -> None:
        if self.connections.pop(name, None) is not None:
            self._detached(name, publish_will=True)

    def _session_ends(self, name: str) -> None:
        self.sessions.pop(name, None)
        will = self.waiting.pop(name, None)
        if will is not None:
            self.published_wills.append(will.payload)

    def _pass_to(self, now_ms: int) -> None:
        self.now_ms = now_ms
        for name in CLIENTS:
            will = self.waiting.get(name)
            if will is not None and will.due_ms <= now_ms:
                self.published_wills.append(self.waiting.pop(name).payload)
            session = self.sessions.get(name)
            if session is None or session.detached_at_ms is None:
                continue
            if session.detached_at_ms + session.expiry_s * 1000 <= now_ms:
                self._session_ends(name)

    # Below

    def _will(self, delay_s: int) -> Will:
        self.number += 1
        properties: Any = {"will_delay_interval": delay_s} if delay_s else {}
        return Will("wills", b"will %d" % self.number, 1, properties=properties)

    def _watch(self) -> MqttClient:
        watcher = MqttClient(self.simulated)
        watcher.connect("watcher", clean_start=False, session_expiry_interval=LONGEST_S)
        self._wills_seen = [each.payload for each in watcher.after_connack if isinstance(each, Publish)]
        watcher.subscribe("wills", qos=1)
        for packet_id in list(watcher.session.outgoing):
            watcher.send_bytes(b"\x40\x02" + packet_id.to_bytes(2, "big"))
        return watcher

    def _come_back(self) -> None:
        self.watcher = self._watch()
        assert sorted(self._wills_seen) == sorted(self.published_wills), self.history
        self.published_wills.clear()

    def _advance(self, milliseconds: int) -> None:
        self.simulated.advance(milliseconds)
        self._pass_to(self.now_ms + milliseconds)

    def _check(self) -> None:
        seen = self.watcher.take()
        assert sorted(seen) == sorted(self.published_wills), self.history
        self.published_wills.clear()
        world = self.simulated.mqtt.of(self.simulated.vhost)
        assert set(world.sessions) - {"watcher"} == set(self.sessions), self.history
        assert len(world.wills) == len(self.waiting), self.history
        names = {name for name in self.simulated.vhost.queues if name.startswith("mqtt-subscription-")}
        subscribed = {name for name, session in self.sessions.items() if session.subscribed}
        assert names == {f"mqtt-subscription-{name}" for name in (*subscribed, "watcher")}, self.history

    def _note(self, what: str) -> None:
        self.history.append(f"{self.now_ms}: {what}")


@pytest.mark.parametrize("seed", range(12))
def test_random_lives(seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    life = Life(seed, tmp_path)
    for _ in range(150):
        life.step()
    life.simulated.close()
    assert not [record for record in caplog.records if record.exc_info]


def test_restarts_do_not_prolong_a_session(tmp_path: Path) -> None:
    simulated = SimulatedBroker(tmp_path)
    made = MqttClient(simulated)
    made.connect("c", session_expiry_interval=10)
    made.subscribe("t", qos=1)
    simulated.crash()
    for _ in range(3):
        simulated.advance(3_000)
        simulated.crash()
    world = simulated.mqtt.of(simulated.vhost)
    assert "c" in world.sessions
    simulated.advance(1_000)
    assert "c" not in world.sessions
    simulated.close()
