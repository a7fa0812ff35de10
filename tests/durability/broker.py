"""Helpers of the durability tests: brokers that are started again and again on one directory, and their clients."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import WireClient
from tests.support.warren_process import PYTHON_PATH, REPOSITORY, WarrenProcess, start_warren

ATTEMPT_S_MAX = 60
"""For a start that is to be refused."""


CHANNEL = 1

PERSISTENT = b"\x10\x00\x02"
TRANSIENT = b"\x10\x00\x01"
"""Property lists with the delivery mode alone (A.1)."""


@dataclass(frozen=True, slots=True)
class Got:
    """A message from basic.get."""

    tag: int
    redelivered: bool
    body: bytes


class Starter:
    """Starts brokers below `directory`, on `directory`/data unless told otherwise."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data_directory = directory / "data"
        self._running: list[WarrenProcess] = []
        self._clients: list[Client] = []

    @property
    def log(self) -> str:
        """What all of them have logged."""
        path = self.directory / "warren.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(
        self,
        *options: str,
        in_memory: bool = False,
        data_directory: Path | None = None,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> WarrenProcess:
        """A running broker with these options of `warren serve`; `python` is what is run instead of the interpreter.

        environment: variables added to this process's own.
        """
        place = None if in_memory else data_directory or self.data_directory
        broker = start_warren(
            self.directory,
            data_directory=place,
            options=options,
            environment=environment,
            python=python,
        )
        self._running.append(broker)
        return broker

    def start_with_small_segments(self, segment_bytes: int, *limits: str) -> WarrenProcess:
        """A running broker that begins a new segment after so many bytes.  limits: shell commands to run before."""
        script = self.directory / "python"
        lines = ["#!/bin/sh", *(f"{each} || exit 1" for each in limits), "shift 2"]
        lines.append(f'exec "{sys.executable}" -m tests.support.crash_serve {segment_bytes} "$@"')
        script.write_text("\n".join(lines) + "\n")
        script.chmod(0o755)
        return self.start(python=str(script))

    def attempt(self, *options: str, data_directory: Path | None = None, before: Sequence[str] = ()) -> tuple[int, str]:
        """(exit code, standard error) of a start that is to fail.  before: a command that runs the broker."""
        command = [*before, sys.executable, "-m", "warren", "serve", "--listen-only", "amqp=127.0.0.1:0"]
        command += ["--data-dir", str(data_directory or self.data_directory), *options]
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": PYTHON_PATH},
            capture_output=True,
            text=True,
            timeout=ATTEMPT_S_MAX,
            check=False,
        )
        return done.returncode, done.stderr

    def connect(self, broker: WarrenProcess, *, confirms: bool = True) -> Client:
        """A client of a broker; it is closed at the end."""
        client = Client(broker, confirms=confirms)
        self._clients.append(client)
        return client

    def stop(self, broker: WarrenProcess) -> int:
        """Close all clients, and end a broker in good order; its exit code."""
        self._close_clients()
        return broker.stop()

    def restart_and_take(self, queue: str) -> list[bytes]:
        """Start, and take everything in a queue."""
        return self.connect(self.start()).take_all(queue)

    def stop_all(self) -> None:
        """Kill whatever still runs."""
        self._close_clients()
        for broker in self._running:
            broker.kill()

    def _close_clients(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()


class Client:
    """One connection with one channel, in confirm mode unless told otherwise: what these tests do, in one line each."""

    def __init__(self, broker: WarrenProcess, *, confirms: bool = True) -> None:
        self.wire = WireClient(broker.addresses["amqp"])
        self.wire.handshake()
        self.wire.open_channel(CHANNEL)
        self._confirms = confirms
        if confirms:
            self.wire.send(wire.method(CHANNEL, "confirm.select", wire.bits(False)))
            self.wire.expect("confirm.select-ok", CHANNEL)

    def declare(self, queue: str, *, durable: bool = True, passive: bool = False) -> int:
        """Declare a queue; how many messages are in it."""
        flags = wire.bits(passive, durable, False, False, False)
        names = wire.short(0), wire.shortstr(queue)
        self.wire.send(wire.method(CHANNEL, "queue.declare", *names, flags, wire.table()))
        answer = self.wire.expect("queue.declare-ok", CHANNEL)
        answer.shortstr()
        return answer.long()

    def publish(self, queue: str, bodies: Sequence[bytes], *, persistent: bool = True) -> None:
        """Publish to a queue, one after the other; on a confirm channel all are confirmed when this returns."""
        properties = PERSISTENT if persistent else TRANSIENT
        for body in bodies:
            self.wire.send(wire.publish(CHANNEL, "", queue, body, properties=properties))
            if self._confirms:
                self.wire.expect("basic.ack", CHANNEL)

    def get(self, queue: str, *, no_ack: bool = False) -> Got | None:
        """basic.get: the message, or None when there is none."""
        names = wire.short(0), wire.shortstr(queue)
        self.wire.send(wire.method(CHANNEL, "basic.get", *names, wire.bits(no_ack)))
        frame = self.wire.read_frame()
        if frame.name == "basic.get-empty":
            return None
        if frame.name != "basic.get-ok":
            raise AssertionError(f"basic.get was answered with {frame.name}")
        tag, redelivered = frame.arguments.longlong(), frame.payload[12] != 0
        return Got(tag, redelivered, self.wire.expect_content(CHANNEL).body)

    def acknowledge(self, got: Got) -> None:
        """basic.ack."""
        self.wire.send(wire.method(CHANNEL, "basic.ack", wire.longlong(got.tag), wire.bits(False)))

    def take_all(self, queue: str) -> list[bytes]:
        """Take and acknowledge everything in a queue; the bodies in order."""
        bodies = []
        while (got := self.get(queue, no_ack=True)) is not None:
            bodies.append(got.body)
        return bodies

    def close(self) -> None:
        """Close the socket."""
        self.wire.socket.close()


def numbered(count: int, size: int = 0) -> list[bytes]:
    """That many different bodies of at least `size` bytes."""
    return [b"%06d" % number + b"." * max(0, size - 6) for number in range(count)]
