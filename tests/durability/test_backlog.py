"""What a backlog costs: a queued persistent message of 1 KiB takes at most 250 bytes of memory once written.

`pytest tests/durability/test_backlog.py --backlog-messages 1000000` runs it with the default budget and as many
messages as the promise names; fewer messages need a smaller budget, or they would all fit into it.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.durability.backlog_size import BODY_BYTES, backlog_messages
from tests.durability.broker import Starter
from tests.support import amqp_bytes as wire
from tests.support import crash_link as link
from tests.support.crash_link import CrashLink, Event
from tests.support.process_usage import usage_of_tree
from tests.support.warren_process import WarrenProcess

BYTES_PER_MESSAGE_MAX = 250

SMALL_BUDGET = ("--set", "backlog_bytes_max=4MiB")
LARGE = 500_000
"""From so many messages on the default budget is used."""

WARM_UP = 3000
"""Every code path and buffer is in use before the first figure is taken."""

WINDOW = 2000
STEP = 1000
PREFETCH = 1000


class Filler:
    """Publishes numbered messages to `backlog` with confirms, or takes them and checks that they come in order."""

    def __init__(self, broker: WarrenProcess) -> None:
        self._link = CrashLink(broker.addresses["amqp"], "filler")
        self._published = self._confirmed = self._taken = self._first = 0
        self.wrong: list[str] = []
        self._link.method("confirm.select", wire.bits(False))
        self._link.method("basic.qos", wire.long(0), wire.short(PREFETCH), wire.bits(False))
        self._link.send(link.declare_queue("backlog"))

    def fill(self, count: int) -> None:
        """Publish; all are confirmed when this returns."""
        self._published = self._confirmed = 0
        published_before = self._first
        while self._published < count:
            step = min(STEP, count - self._published)
            for _ in range(step):
                number = published_before + self._published
                self._link.send(link.publish_frames("", "backlog", f"m~{number}~{BODY_BYTES}"))
                self._published += 1
            self._link.wait(self._handle, self._has_room, "confirming")
        self._link.wait(self._handle, lambda: self._confirmed == count, "confirming")

    def empty(self, count: int) -> None:
        """Take and acknowledge that many."""
        self._taken = 0
        self._link.send(link.consume("backlog"))
        while self._taken < count:
            stop = min(count, self._taken + STEP)
            self._link.wait(self._handle, partial(self._has_taken, stop), "delivering")
        self._link.method("basic.cancel", wire.shortstr("backlog"), wire.bits(False))
        cancelled: list[str] = []
        self._link.wait(
            lambda event: cancelled.append(event.name), lambda: "basic.cancel-ok" in cancelled, "cancelling"
        )
        self._first += count

    def close(self) -> None:
        """Close the socket."""
        self._link.close()

    def _has_room(self) -> bool:
        return self._published - self._confirmed < WINDOW

    def _has_taken(self, count: int) -> bool:
        return self._taken >= count

    def _handle(self, event: Event) -> None:
        if event.name == "basic.ack":
            tag, _ = event.arguments.longlong(), event.arguments.octet()
            self._confirmed = tag - self._first
        elif event.name == "basic.deliver":
            event.arguments.shortstr()
            tag = event.arguments.longlong()
            expected = f"m~{self._first + self._taken}~{BODY_BYTES}"
            if event.message_id != expected or not event.intact:
                self.wrong.append(f"{event.message_id} in place of {expected}")
            self._taken += 1
            self._link.send(link.acknowledge(tag))


def test_a_backlog_costs_little_memory(
    starter: Starter, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    count = backlog_messages(pytestconfig)
    broker = starter.start(*(SMALL_BUDGET if count < LARGE else ()))
    filler = Filler(broker)
    try:
        filler.fill(WARM_UP)
        filler.empty(WARM_UP)
        before = usage_of_tree(broker.process.pid).resident_bytes
        filler.fill(count)
        after = usage_of_tree(broker.process.pid).resident_bytes
        filler.empty(count)
    finally:
        filler.close()
    each = (after - before) / count
    with capsys.disabled():
        peak_mib = usage_of_tree(broker.process.pid).peak_bytes / (1 << 20)
        print(f"\nbacklog of {count} messages: {each:.0f} bytes of memory each; peak {peak_mib:.0f} MiB")
    assert filler.wrong == []
    assert each <= BYTES_PER_MESSAGE_MAX
