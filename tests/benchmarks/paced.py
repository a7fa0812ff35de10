"""Messages at a given rate, and how long each takes to arrive.

A message's time runs from the moment at which it was due, whether or not the generator was able to send it then: who
can't keep the pace doesn't look quick by sending less.  How late the generator itself was is a figure, too ("generator
late"): where that is large, the figures say more about this process than about the broker.
"""

from __future__ import annotations

import select
import socket
import time
from typing import Protocol

from tests.benchmarks import wire
from tests.benchmarks.client import LoadError
from tests.benchmarks.numbers import write_numbers
from tests.benchmarks.percentiles import percentiles

BLOCK_MESSAGES_MAX = 1024
"""Most that is sent at once; more than that is due only after a long stall."""

LATE_SHARE = "p99 ms"


class Deliveries(Protocol):
    """The consuming end, which is only read from."""

    socket: socket.socket
    delivered: int

    @property
    def done(self) -> bool:
        """Whether everything was delivered."""

    def read(self) -> None:
        """Take what the readable socket has."""


class PacedLoad:
    """One publisher and one consumer; `run` returns how long it took and the figures."""

    def __init__(
        self, publisher: socket.socket, consumer: Deliveries, frames: wire.NumberedFrames, messages: int, rate: float
    ) -> None:
        self._publisher = publisher
        self._consumer = consumer
        self._frames = frames
        self._size = len(frames.data)
        self._messages = messages
        self._rate = rate
        self._block = bytearray(frames.data * BLOCK_MESSAGES_MAX)
        self._unsent = memoryview(b"")

    def run(self, stall_timeout_s: float) -> tuple[float, dict[str, float]]:
        """Raises LoadError when nothing comes for so long."""
        for connection in (self._publisher, self._consumer.socket):
            connection.setblocking(False)
        taken: list[float] = []
        late: list[float] = []
        sent = 0
        rate, consumer, messages = self._rate, self._consumer, self._messages
        started_at = moved_at = time.perf_counter()
        while not consumer.done:
            now = time.perf_counter()
            due = min(messages, int((now - started_at) * rate) + 1)
            if due > sent or self._unsent:
                if not self._unsent:
                    late.append(now - started_at - sent / rate)
                    sent = self._encode(sent, due)
                self._send()
            # What is due next is worth waking up for, and what waits for room in the socket.
            pause_s = max(0.0, started_at + sent / rate - time.perf_counter()) if sent < messages else 1.0
            sending = [self._publisher] if self._unsent else []
            readable, _, _ = select.select([consumer.socket], sending, [], pause_s)
            if readable:
                before = consumer.delivered
                consumer.read()
                moved_at = time.perf_counter()
                elapsed = moved_at - started_at
                taken += [elapsed - number / rate for number in range(before, consumer.delivered)]
            elif now - moved_at > stall_timeout_s:
                raise LoadError(f"nothing came for {stall_timeout_s:g} s: {consumer}")
        for connection in (self._publisher, consumer.socket):
            connection.setblocking(True)
        return moved_at - started_at, {**percentiles(taken), "generator late p99 ms": percentiles(late)[LATE_SHARE]}

    def _encode(self, first: int, stop: int) -> int:
        count = min(stop - first, BLOCK_MESSAGES_MAX)
        write_numbers(self._block, self._frames.number_at, self._size, count, first)
        self._unsent = memoryview(self._block)[: count * self._size]
        return first + count

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._publisher.send(self._unsent) :]
        except BlockingIOError:
            pass
