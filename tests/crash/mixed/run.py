"""A mixed crash test: all protocols at once, SIGKILL in the middle of it, and again on the same data.

Each message of a publisher goes by the topic exchange to three queues, the sessions of two MQTT clients and a stream:

    AMQP 0-9-1 -+                          +-> queue, AMQP 0-9-1
    AMQP 1.0   -+                          +-> queue, AMQP 1.0
    STOMP      -+-> amq.topic, mixed.#   --+-> queue, STOMP
    MQTT QoS 1 -+                          +-> session, MQTT QoS 1
    MQTT QoS 2 -+ (over WebSocket)         +-> session, MQTT QoS 2 (over WebSocket)
    stream protocol -----------------------+-> stream, stream protocol

One loop drives all of them, so that what the history is told is in the order in which it happened.  Whom it has to do
with after a kill are the same clients: those that have a memory of their own (MQTT, the stream's publisher) go on with
what wasn't finished, and the others begin anew.

The seed decides what is published and acknowledged, and when the broker is killed: after a number of confirms or a
time, and now and then while it starts.  In the end everything is taken out and acknowledged, and the broker is killed
once more: what comes then must not have been acknowledged before, and the stream must be what it was.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.crash.mixed.amqp import Amqp10Consumer, Amqp10Publisher, AmqpConsumer, AmqpPublisher
from tests.crash.mixed.history import MixedHistory
from tests.crash.mixed.mqtt import MqttPublisher, MqttSubscriber
from tests.crash.mixed.peers import EXCHANGE, KEY, Consumer, Peer, Publisher
from tests.crash.mixed.stomp import StompConsumer, StompPublisher
from tests.crash.mixed.stream import StreamPublisher, StreamReader
from tests.support import amqp_bytes as wire
from tests.support import child
from tests.support import crash_link as link
from tests.support.amqp_wire import Address
from tests.support.crash_link import CHANNEL, CrashLink
from tests.support.crash_serve import DISK_S, DISK_TAKES
from tests.support.warren_process import PYTHON_PATH, READY_TIMEOUT_S, REPOSITORY, STOP_GRACE_S
from warren.adapters.mqtt.codec import versions

LISTENERS: Final = ("amqp", "stomp", "mqtt", "ws", "stream")

QUEUES: Final = ("amqp", "amqp10", "stomp")
STREAM: Final = "log"
PLACES: Final = (*QUEUES, "mqtt1", "mqtt2", STREAM)

SEGMENT_BYTES: Final = (1 << 20, 4 << 20, 64 << 20)
"""Sizes of segments of the message log, one of which each start draws; the last is the broker's own."""

LOAD_S_MAX: Final = 1.5
"""Length of a load that is ended by time."""

CONFIRMING_S_MAX: Final = 8.0
"""And of one that is ended by confirms, as far as the machine gets that far."""

CONFIRMS_MAX: Final = 3_000

KILLED_START_SHARE: Final = 0.2
KILLED_START_S_MAX: Final = 0.6
"""From before Python has started to after connections are accepted."""

CONFIRMED_LEAST: Final = 100
"""Messages of each publisher behind the last of the kills: however slow the machine is, each of them takes part."""

GIVE_UP_S: Final = 180.0
"""For everything to come; a loaded machine must not fail a test."""


class MixedError(AssertionError):
    """A promise was broken; the text says how, and how to repeat it."""


@dataclass
class Counts:
    """What a run went through."""

    kills: int = 0
    killed_starts: int = 0


class MixedRun:
    """See the head of this file.  Everything is below `directory`."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.counts = Counts()
        self.history = history = MixedHistory()
        self._directory = directory
        self._log = directory / "warren.log"
        self._seed = seed
        self._chance = chance = random.Random(seed)
        self._starts = 0
        common = history, chance
        self._amqp = AmqpPublisher("amqp", *common, PLACES)
        self.publishers: list[Publisher] = [
            self._amqp,
            Amqp10Publisher("amqp10", *common, PLACES),
            StompPublisher("stomp", *common, PLACES),
            MqttPublisher("mqtt-1", *common, PLACES, doubled=PLACES, qos=1, listener="mqtt", level=versions.V5),
            MqttPublisher("mqtt-2", *common, PLACES, doubled=(STREAM,), qos=2, listener="ws", level=versions.V3_1_1),
            StreamPublisher("stream", *common, STREAM),
        ]
        self.consumers: list[Consumer] = [
            AmqpConsumer("amqp", *common),
            Amqp10Consumer("amqp10", *common),
            StompConsumer("stomp", *common),
            MqttSubscriber("mqtt1", *common, qos=1, listener="mqtt", level=versions.V3_1_1),
            MqttSubscriber("mqtt2", *common, qos=2, listener="ws", level=versions.V5),
        ]
        self._reader = StreamReader(STREAM, *common)
        self._peers: list[Peer] = [*self.consumers, self._reader, *self.publishers]

    def __str__(self) -> str:
        history = self.history
        told = [
            f"{self.counts.kills} kills under load, {self.counts.killed_starts} during a start",
            "confirmed: " + ", ".join(f"{each.name} {history.confirmed[each.name]}" for each in self.publishers),
            "came: " + ", ".join(f"{place} {history.came[place]}" for place in PLACES),
            "acknowledgements known to be on disk: "
            + ", ".join(f"{each.place} {history.proven[each.place]}" for each in self.consumers),
            f"sent again over MQTT: {history.sent_again}",
        ]
        return "; ".join(told)

    def run(self, kills: int) -> None:
        """Kill the broker that often under load, and look at everything.  Raises MixedError."""
        for _ in range(kills):
            with self._broker() as process:
                self._drive_until(self._is_over(), give_up_s=None)
                self._kill(process)
                self.counts.kills += 1
        with self._broker() as process:
            self._drive_until(self._have_taken_part(), "confirms of every publisher")
            self._drain()
            self._kill(process)
        self._reader.from_first = True
        with self._broker() as process:
            self._drain()
            for each in self._peers:
                each.link.close()
            code = child.stop(process, STOP_GRACE_S)
            if code:
                self.history.problem(f"the last stop ended with {code}")
        self._expect(self.history.finish())

    # The broker

    @contextmanager
    def _broker(self) -> Iterator[child.Child]:
        """A broker with all clients connected to it; what it has logged and what the clients have seen is in order."""
        if self._starts and self._chance.random() < KILLED_START_SHARE:
            self._kill_a_start()
        process = self._start()
        try:
            addresses = self._wait_until_ready(process)
            self._declare(addresses["amqp"])
            if self._starts:
                self.history.restarted()
            self._starts += 1
            for each in self._peers:
                each.connect(addresses)
            yield process
        except child.ChildError as error:
            raise MixedError(f"{error}\n{self._how_to_repeat()}") from error
        finally:
            child.stop(process, grace_s=0)
        self._check_log()
        self._expect(self.history.problems)

    def _start(self) -> child.Child:
        (self._directory / "ready.json").unlink(missing_ok=True)
        segment_bytes = str(self._chance.choice(SEGMENT_BYTES))
        disk_s = str(self._chance.choice(DISK_S))
        command = [sys.executable, "-m", "tests.support.crash_serve", DISK_TAKES, disk_s, segment_bytes, "serve"]
        command += ["--data-dir", str(self._directory / "data")]
        command += [part for each in LISTENERS for part in ("--listen-only", f"{each}=127.0.0.1:0")]
        command += ["--ready-file", str(self._directory / "ready.json"), "--set", "backlog_bytes_max=1MiB"]
        return child.start(command, self._log, {**os.environ, "PYTHONPATH": PYTHON_PATH}, REPOSITORY)

    def _wait_until_ready(self, process: child.Child) -> Mapping[str, Address]:
        ready_file = self._directory / "ready.json"
        child.wait_until(ready_file.exists, process, self._log, READY_TIMEOUT_S, "starting Warren")
        content = json.loads(ready_file.read_text())
        return {listener: (str(host), int(port)) for listener, (host, port) in content.items()}

    def _kill_a_start(self) -> None:
        process = self._start()
        try:
            process.wait(self._chance.uniform(0, KILLED_START_S_MAX))
        except subprocess.TimeoutExpired:
            self.counts.killed_starts += 1
        finally:
            child.stop(process, grace_s=0)

    def _declare(self, address: Address) -> None:
        """The queues, the stream, and their bindings."""
        connection = CrashLink(address, "topology")
        answers: list[str] = []
        stream = wire.table({"x-queue-type": "stream"})
        names = wire.short(0), wire.shortstr(STREAM), wire.bits(False, True, False, False, False)
        connection.send(wire.method(CHANNEL, "queue.declare", *names, stream))
        for queue in QUEUES:
            connection.send(link.declare_queue(queue))
        for queue in (*QUEUES, STREAM):
            connection.send(link.bind_queue(queue, EXCHANGE, f"{KEY}.#"))
        wanted = 2 * len((*QUEUES, STREAM))
        connection.wait(lambda event: answers.append(event.name), lambda: len(answers) == wanted, "declaring")
        connection.close()

    def _kill(self, process: child.Child) -> None:
        """Kill it, and read what it said before."""
        os.kill(process.pid, signal.SIGKILL)
        for each in self._peers:
            for event in each.link.drain():
                each.handle(event)
            each.link.close()
        process.wait(STOP_GRACE_S)

    # The load

    def _is_over(self) -> Callable[[], bool]:
        """When to kill the broker."""
        confirmed = self.history.confirmed
        by_confirms = self._chance.random() < 0.5
        confirms = confirmed.total() + self._chance.randint(1, CONFIRMS_MAX)
        ends_at = time.monotonic() + (CONFIRMING_S_MAX if by_confirms else self._chance.uniform(0, LOAD_S_MAX))
        return lambda: (by_confirms and confirmed.total() >= confirms) or time.monotonic() >= ends_at

    def _have_taken_part(self) -> Callable[[], bool]:
        """Whether each publisher has had something confirmed from now on."""
        confirmed = self.history.confirmed
        wanted = {each.name: confirmed[each.name] + CONFIRMED_LEAST for each in self.publishers}
        return lambda: all(confirmed[name] >= count for name, count in wanted.items())

    def _drive_until(
        self, condition: Callable[[], bool], what: str = "", *, give_up_s: float | None = GIVE_UP_S
    ) -> None:
        """Drive all clients; raise MixedError when the condition doesn't come true in this time."""
        give_up_at = time.monotonic() + give_up_s if give_up_s is not None else None
        by_socket = {each.link.socket: each for each in self._peers}
        while not condition():
            for each in self._peers:
                each.pump()
                each.link.write()
            writable = [each.link.socket for each in self._peers if each.link.has_unsent]
            for ready in select.select(list(by_socket), writable, [], 0.02)[0]:
                peer = by_socket[ready]
                for event in peer.link.read():
                    peer.handle(event)
                if peer.link.ended:
                    self.history.problem(f"{peer.name} lost its connection")
            self._expect(self.history.problems)
            if give_up_at is not None and time.monotonic() > give_up_at:
                self._expect([f"not within {give_up_s:g} s: {what}", *self.history.finish()])

    def _drain(self) -> None:
        """Take everything out, and acknowledge it so that this is known to be on disk."""
        for publisher in self.publishers:
            publisher.stopped = True
        for consumer in self.consumers:
            consumer.draining = True
        self._drive_until(lambda: all(each.is_idle for each in self.publishers), "the last confirms")
        self._pass_a_message()
        for consumer in self.consumers:
            consumer.ask()
        self._drive_until(lambda: all(each.is_idle for each in self.consumers), "answers to the last acknowledgements")
        # Its confirm proves them.
        self._pass_a_message()

    def _pass_a_message(self) -> None:
        """Whatever was published before comes before this one, everywhere."""
        key = self._amqp.publish()
        self._drive_until(
            lambda: (
                self._amqp.is_idle
                and all(self.history.has_come(place, key) for place in PLACES)
                and all(each.is_idle for each in self.consumers)
            ),
            f"{key} in every place",
        )

    # Judging

    def _check_log(self) -> None:
        """A crash is nothing that the broker should take for damage, or for a bug."""
        lines = self._log.read_text(errors="replace").splitlines()
        self._expect([line for line in lines if "Traceback" in line or "[error]" in line or "[critical]" in line])

    def _expect(self, problems: list[str]) -> None:
        if problems:
            shown = "\n".join(problems[:20])
            raise MixedError(f"{len(problems)} problems\n{shown}\n{self._how_to_repeat()}")

    def _how_to_repeat(self) -> str:
        return f"{self}\nseed {self._seed}; data and log are in {self._directory}"
