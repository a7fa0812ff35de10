"""What a flood has: a broker that measures itself, another client beside it, and means to ask for a lot.

`Stage.measured` is the part of a flood that is measured; what it needs for that it does before.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar
from urllib.request import Request, urlopen

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import WireClient
from tests.support.ctl import ctl
from tests.support.process_usage import usage_of_tree
from tests.support.warren_process import REPOSITORY, start_warren

PATIENCE_S: Final = 600.0
"""For one answer at full size on a busy machine."""

IDLE_S: Final = 2.0
"""How long the other client is listened to before a flood."""

PART: Final = 2000
"""Frames that are sent at once."""

PERSISTENT: Final = b"\x10\x00\x02"
TRANSIENT: Final = b"\x10\x00\x01"

CHANNEL: Final = 1

FILL_WINDOW: Final = 20_000
"""Messages that aren't confirmed yet."""

FRAMES_PER_DELIVERY: Final = 3


Client = TypeVar("Client", bound=AbstractContextManager[Any])


def in_parts(many: Iterable[bytes]) -> Iterator[bytes]:
    """Frames, many at once."""
    rest = iter(many)
    while part := b"".join(islice(rest, PART)):
        yield part


@dataclass
class Measured:
    """Of one flood.

    longest: milliseconds of a step, or its calls.  took_s: until the broker had nothing more to do.  idle, busy: the
    other client's round trips.
    """

    name: str
    size: int
    longest: float = 0.0
    took_s: float = 0.0
    task: str = ""
    long_steps: int = 0
    collection_ms: float = 0.0
    stacks: dict[str, str] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0
    objects_before: int = 0
    objects_after: int = 0


class Stage:
    """See the head of this file.  size: how much is asked for.  how: see watched.py."""

    def __init__(self, name: str, size: int, how: str, stack: ExitStack) -> None:
        self.size = size
        self.found = Measured(name, size)
        self._how = how
        self._stack = stack
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flood-")))
        self._probe: subprocess.Popen[str] | None = None

    # The broker

    def start(self) -> None:
        """Start the broker, with every protocol."""
        path = str(self._directory / "measure")
        listen = [f"{each}=127.0.0.1:0" for each in ("amqp", "mqtt", "stomp", "stream", "http")]
        self.broker = start_warren(
            self._directory,
            data_directory=self._directory / "data",
            listen=listen,
            options=("--set", "plugins=management", "--set", "refused_login_delay_s=0"),
            launcher=("-m", "tests.floods.watched", path, self._how),
        )
        self._stack.callback(self.broker.kill)
        self._asking = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        self._asking.connect(path)
        self._lines = self._stack.enter_context(self._asking.makefile("rw"))

    def ask(self, word: str) -> dict[str, Any]:
        """What the broker says of itself (watched.py)."""
        self._lines.write(word + "\n")
        self._lines.flush()
        found: dict[str, Any] = json.loads(self._lines.readline())
        return found

    @contextmanager
    def measured(self) -> Iterator[None]:
        """What happens in here is what is measured."""
        found = self.found
        self.settle()
        found.objects_before = found.objects_before or self.ask("count")["objects"]
        if self._how != "calls":
            self._begin_probe()
            self._told()
            while (idle := self._told(after_s=IDLE_S))["count"] == 0:
                pass
            found.idle = idle
        self.ask("begin")
        began_s = perf_counter()
        try:
            yield
            self.settle()
            found.took_s += perf_counter() - began_s
        finally:
            told = self.ask("end")
        if self._how != "calls":
            found.busy = self._told()
        per_unit = 1 if self._how == "calls" else 1000
        if told["longest"] * per_unit > found.longest:
            found.longest, found.task = told["longest"] * per_unit, told["task"].rsplit(".", 1)[-1]
        found.long_steps += told["long"]
        found.collection_ms = max(found.collection_ms, told["collection"] * 1000)
        found.stacks |= told["stacks"]
        found.peak_bytes = usage_of_tree(self.broker.process.pid).peak_bytes

    def finish(self) -> Measured:
        """Behind the flood: what is left of it."""
        if self._probe is not None:
            assert self._probe.stdin is not None
            self._probe.stdin.close()
            self._probe.wait(PATIENCE_S)
        self.settle()
        self.found.objects_after = self.ask("count")["objects"]
        return self.found

    def settle(self) -> None:
        """The broker has taken everything that was sent before, and its long work has come to an end."""
        self.ask("calm")

    # Others

    def _begin_probe(self) -> None:
        if self._probe is None:
            host, port = self.broker.addresses["amqp"]
            self._probe = self._stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.floods.probe", host, str(port)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=REPOSITORY,
                )
            )
            self._told()

    def _told(self, after_s: float = 0.0) -> dict[str, float]:
        """The other client's round trips since the last time.  after_s: listen for so long first."""
        probe = self._probe
        assert probe is not None
        assert probe.stdin is not None
        assert probe.stdout is not None
        select.select([probe.stdout], [], [], after_s)
        probe.stdin.write("\n")
        probe.stdin.flush()
        told: dict[str, float] = json.loads(probe.stdout.readline())
        return told

    # What floods do

    def enter(self, client: Client) -> Client:
        """A client that is closed when the flood is over."""
        self._stack.enter_context(client)
        return client

    def amqp(self, vhost: str = "/", *, channels: int = 1, user: str = "guest") -> Amqp:
        """A client of AMQP 0-9-1."""
        client = self.enter(Amqp(self.broker.addresses["amqp"]))
        client.handshake(virtual_host=vhost, response=f"\0{user}\0{user}".encode())
        for channel in range(1, channels + 1):
            client.open_channel(channel)
        return client

    def ctl(self, *words: str) -> str:
        """What a word of `warren ctl` prints."""
        return ctl(self.broker.data_directory, *words)

    def http(self, method: str, path: str, body: object = None) -> bytes:
        """The answer of the management API."""
        host, port = self.broker.addresses["http"]
        head = {"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q=", "Content-Type": "application/json"}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        with urlopen(
            Request(f"http://{host}:{port}/api{path}", data, head, method=method), timeout=PATIENCE_S
        ) as answer:
            found: bytes = answer.read()
        return found


class Amqp(WireClient):
    """A client that sends much at once, and is patient."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address)
        self.socket.settimeout(PATIENCE_S)

    def frames(self, many: Iterable[bytes]) -> None:
        """Send frames, many at once."""
        for part in in_parts(many):
            self.send(part)

    def said(self, name: str) -> None:
        """What comes next, however late, is this method."""
        frame = self.read_frame(PATIENCE_S)
        assert frame.name == name, frame

    def fill(self, queue: str, count: int, *, properties: bytes = PERSISTENT, body: bytes = b"0123456789") -> None:
        """So many messages in a queue, which is there already; confirmed when this returns."""
        self.send(wire.method(CHANNEL, "confirm.select", wire.bits(False)))
        self.said("confirm.select-ok")
        message = wire.publish(CHANNEL, "", queue, body, properties=properties)
        sent = confirmed = 0
        while confirmed < count:
            while sent < count and sent - confirmed < FILL_WINDOW:
                part = min(PART, count - sent)
                self.send(message * part)
                sent += part
            frame = self.read_frame(PATIENCE_S)
            assert frame.name == "basic.ack", frame
            confirmed = frame.arguments.longlong()

    def bind(self, exchange: str, queue: str, key: str) -> bytes:
        """A queue.bind that nobody answers."""
        names = wire.shortstr(queue), wire.shortstr(exchange), wire.shortstr(key)
        return wire.method(CHANNEL, "queue.bind", wire.short(0), *names, wire.bits(True), wire.table())

    def declaration(
        self, queue: str, arguments: Mapping[str, wire.Value] | None = None, *, durable: bool = True, asks: bool = False
    ) -> bytes:
        """A queue.declare, which nobody answers unless it asks."""
        flags = wire.bits(False, durable, False, False, not asks)
        names = wire.short(0), wire.shortstr(queue)
        return wire.method(CHANNEL, "queue.declare", *names, flags, wire.table(arguments or {}))

    def declare(self, queue: str, arguments: Mapping[str, wire.Value] | None = None, *, durable: bool = True) -> None:
        """A queue."""
        self.send(self.declaration(queue, arguments, durable=durable, asks=True))
        self.said("queue.declare-ok")

    def call(self, name: str, *arguments: bytes, answer: str = "") -> None:
        """A method, and its answer."""
        self.send(wire.method(CHANNEL, name, *arguments))
        self.said(answer or f"{name}-ok")

    def hold(self, queue: str, count: int) -> None:
        """Have so many deliveries of a queue, none of them acknowledged."""
        self.consume(CHANNEL, queue, no_ack=False)
        left = count * FRAMES_PER_DELIVERY
        while left:
            self.read_frame(PATIENCE_S)
            left -= 1

    def turn(self) -> None:
        """Everything sent before is done."""
        self.send(wire.method(CHANNEL, "channel.flow", wire.bits(True)))
        while self.read_frame(PATIENCE_S).name != "channel.flow-ok":
            pass
