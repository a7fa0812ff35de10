"""What publishers were told and consumers were given, and whether that is a history that may be.

confirmed messages come once or more, never not at all
nothing comes that nobody has published
of the deliveries of a message, one at most isn't marked as redelivered: no two owners give it out as new
what was confirmed comes, unmarked, before what the same publisher published to the queue later

A publisher waits for each confirm, so what was confirmed is in the queue before the next one is sent.  One that was
refused, or never answered, may get there all the same, and late: it may be under way on another connection, or held by
a node that waits for the queue's next owner.  So its place isn't looked at.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import NamedTuple


class Published(NamedTuple):
    """A message: who, where, and the how manieth of these."""

    publisher: str
    queue: str
    number: int

    @property
    def body(self) -> str:
        return f"{self.publisher} {self.queue} {self.number}"


def read(body: str) -> Published:
    """A message by its body."""
    publisher, queue, number = body.split(" ")
    return Published(publisher, queue, int(number))


class Ledger:
    """Written by many threads; checked when they have ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[tuple[str, str], int] = defaultdict(int)
        self.tried: set[Published] = set()
        self.confirmed: set[Published] = set()
        self.acknowledged: set[Published] = set()
        self.deliveries: list[tuple[str, Published, bool]] = []
        self._seen: set[Published] = set()
        self._missing: set[Published] = set()

    def publishes(self, publisher: str, queue: str) -> Published:
        """The next message; it may get there from now on."""
        with self._lock:
            self._numbers[publisher, queue] += 1
            message = Published(publisher, queue, self._numbers[publisher, queue])
            self.tried.add(message)
            return message

    def confirms(self, message: Published) -> None:
        """The broker has it."""
        with self._lock:
            self.confirmed.add(message)
            if message not in self._seen:
                self._missing.add(message)

    def delivers(self, queue: str, body: str, *, redelivered: bool) -> Published:
        """It came from this queue."""
        message = read(body)
        with self._lock:
            self.deliveries.append((queue, message, redelivered))
            self._seen.add(message)
            self._missing.discard(message)
            return message

    def acknowledges(self, message: Published) -> None:
        """It was acknowledged, as far as who did it knows."""
        with self._lock:
            self.acknowledged.add(message)

    @property
    def missing_count(self) -> int:
        """Confirmed messages that haven't come yet."""
        with self._lock:
            return len(self._missing)

    def faults(self) -> list[str]:
        """What may not be, in words; empty for a good history."""
        found = [f"confirmed, and never delivered: {each.body}" for each in sorted(self._missing)]
        fresh: set[Published] = set()
        last: dict[tuple[str, str], int] = {}
        for queue, message, redelivered in self.deliveries:
            if message not in self.tried:
                found.append(f"delivered, and never published: {message.body}")
            if message.queue != queue:
                found.append(f"delivered from {queue}: {message.body}")
            if redelivered:
                continue
            if message in fresh:
                found.append(f"delivered as new twice: {message.body}")
            fresh.add(message)
            before = last.get((queue, message.publisher), 0)
            if message.number < before and message in self.confirmed:
                found.append(f"delivered as new behind number {before}: {message.body}")
            last[queue, message.publisher] = max(message.number, before)
        return found
