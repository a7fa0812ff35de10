"""The alarms of memory and disk: raised within the turn, before a limit is passed, and cleared when there is room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.core.broker import Broker
from warren.core.configuration.values import Watermark
from warren.core.declaring.quarantine import SetAside
from warren.gateway import memory
from warren.gateway.network.hub import Hub
from warren.gateway.process.limits import ResourceLimits
from warren.gateway.process.resources import (
    MEMORY_PER_READ_BYTE,
    STEP_BYTES_MAX,
    STEP_BYTES_MIN,
    WRITTEN_PER_READ_BYTE,
    DamageWatch,
    ResourceWatch,
)
from warren.gateway.process.settings import ResourceSettings

MEBIBYTE = 1 << 20
LIMIT = 200 * MEBIBYTE


class WatchedHub:
    """What the watch knows of a hub: its broker, what may be read, and that its turn is ended."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.input_left_bytes = 0
        self.settled = 0

    def settle(self) -> None:
        self.settled += 1


class DamagedBroker:
    """What the watch of damage knows of a broker: what was found damaged, what is set aside, and the alarms."""

    def __init__(self, broker: Broker) -> None:
        self.alarms = broker.alarms
        self.quarantine = broker.quarantine
        self.found = ["message log: a record at the start"]

    def found_damage(self) -> list[str]:
        return list(self.found)

    def watch(self) -> DamageWatch:
        return DamageWatch(cast("Broker", self))


class Machine:
    """A watch on a machine of made-up numbers.  in_use: None where the allocator doesn't tell."""

    def __init__(self, broker: Broker) -> None:
        self.resident = 50 * MEBIBYTE
        self.in_use: int | None = None
        self.free = 10_000 * MEBIBYTE
        self.broker = broker
        self.hub = WatchedHub(broker)
        settings = ResourceSettings(disk_free_limit_bytes=LIMIT)
        self.limits = ResourceLimits(settings)
        self.limits.memory_high_watermark = Watermark(absolute_bytes=LIMIT)
        self.watch = ResourceWatch(
            cast("Hub", self.hub),
            self.limits,
            lambda: self.free,
            resident_bytes=lambda: self.resident,
            in_use_bytes=lambda: self.in_use,
        )
        self.watch.poll()

    @property
    def alarms(self) -> list[str]:
        return self.broker.alarms.raised()

    def read(self, count: int) -> int:
        """Read so much in the largest reads that there are; how often the watch was asked."""
        asked = 0
        while count > 0:
            size = min(count, STEP_BYTES_MIN)
            count -= size
            self.hub.input_left_bytes -= size
            if self.hub.input_left_bytes < 0:
                asked += 1
                self.watch.input_read()
        return asked


@pytest.fixture
def machine() -> Iterator[Machine]:
    broker = SimulatedBroker()
    yield Machine(broker.broker)
    broker.close()


def test_far_from_all_limits_little_is_asked(machine: Machine) -> None:
    machine.resident = 0
    machine.limits.memory_high_watermark = Watermark(absolute_bytes=LIMIT * 100)
    machine.watch.poll()
    assert machine.read(10 * STEP_BYTES_MAX) <= 10
    assert machine.alarms == []


def test_memory_that_grows_between_two_polls_is_noticed_by_what_is_read(machine: Machine) -> None:
    """However much of it messages take: the alarm comes before what was read can have passed the limit by far."""
    for _ in range(10_000):
        machine.read(STEP_BYTES_MIN)
        machine.resident += STEP_BYTES_MIN * MEMORY_PER_READ_BYTE
        if machine.alarms:
            break
    assert machine.alarms == ["memory"]
    assert machine.resident <= LIMIT + 3 * STEP_BYTES_MIN * MEMORY_PER_READ_BYTE


def test_an_alarm_is_cleared_by_the_poll_alone(machine: Machine) -> None:
    machine.resident = LIMIT + 1
    machine.read(STEP_BYTES_MAX)
    assert machine.alarms == ["memory"]
    machine.resident = LIMIT
    machine.read(STEP_BYTES_MAX)
    assert machine.alarms == ["memory"]
    machine.watch.poll()
    assert machine.alarms == []
    assert machine.hub.settled == 1, "held publishes go on at once"


def test_memory_that_the_allocator_keeps_is_not_in_use(machine: Machine) -> None:
    machine.resident, machine.in_use = LIMIT * 2, LIMIT + 1
    machine.watch.poll()
    assert machine.alarms == ["memory"]
    assert machine.watch.is_over_memory
    machine.in_use = LIMIT
    machine.watch.poll()
    assert machine.alarms == []
    machine.read(STEP_BYTES_MAX)
    assert machine.alarms == []
    machine.in_use = LIMIT + 1
    machine.read(STEP_BYTES_MAX)
    assert machine.alarms == ["memory"]


def test_memory_that_the_allocator_keeps_does_not_make_for_more_looks(machine: Machine) -> None:
    """To ask the allocator takes milliseconds, and how soon to do so is up to what is in use."""
    machine.limits.memory_high_watermark = Watermark(absolute_bytes=LIMIT * 100)
    machine.resident, machine.in_use = LIMIT * 101, LIMIT
    machine.watch.poll()
    assert machine.read(10 * STEP_BYTES_MAX) <= 10
    machine.in_use = LIMIT * 100 - 10
    machine.watch.poll()
    assert machine.read(10 * STEP_BYTES_MIN) >= 5, "near the limit it is looked at often"


def test_what_is_swapped_out_or_shared_does_not_count_twice(machine: Machine) -> None:
    machine.resident, machine.in_use = LIMIT, LIMIT * 3
    machine.watch.poll()
    assert machine.alarms == []


def test_what_is_read_and_not_written_yet_counts_as_written(machine: Machine) -> None:
    """A disk that fills faster than once a second: the alarm comes while there is room for what was read already."""
    machine.free = LIMIT + 160 * MEBIBYTE
    machine.watch.poll()
    read = 0
    while not machine.alarms:
        machine.read(STEP_BYTES_MIN)
        read += STEP_BYTES_MIN
    assert machine.alarms == ["disk"]
    assert machine.free - WRITTEN_PER_READ_BYTE * read >= LIMIT - 2 * WRITTEN_PER_READ_BYTE * STEP_BYTES_MIN


def test_what_was_written_counts_once(machine: Machine) -> None:
    machine.free = LIMIT + 160 * MEBIBYTE
    machine.watch.poll()
    for _ in range(8):
        machine.read(10 * MEBIBYTE)
        machine.watch.before_write()
        machine.free -= 10 * MEBIBYTE
        machine.watch.after_write()
    assert machine.alarms == []
    assert machine.free == LIMIT + 80 * MEBIBYTE


def test_a_commit_near_the_limit_looks_at_the_disk_before_it_writes(machine: Machine) -> None:
    machine.free = LIMIT + 4 * STEP_BYTES_MIN
    machine.watch.poll()
    machine.free = LIMIT - 1
    machine.hub.input_left_bytes -= STEP_BYTES_MIN + 1
    machine.watch.before_write()
    assert machine.alarms == ["disk"]
    machine.free = LIMIT
    machine.watch.after_write()
    machine.watch.before_write()
    assert machine.alarms == ["disk"]
    machine.watch.after_write()
    machine.watch.poll()
    assert machine.alarms == []


def test_while_a_commit_is_written_it_still_counts(machine: Machine) -> None:
    machine.free = LIMIT + 50 * MEBIBYTE
    machine.watch.poll()
    machine.read(10 * MEBIBYTE)
    machine.watch.before_write()
    assert machine.alarms == []
    machine.read(3 * MEBIBYTE)
    assert machine.alarms == ["disk"]


def test_transient_messages_do_not_fill_the_disk(machine: Machine) -> None:
    """Nothing waits to be written, so what was read is not counted on and on."""
    machine.free = LIMIT + 160 * MEBIBYTE
    for _ in range(20):
        machine.watch.poll()
        machine.read(20 * MEBIBYTE)
    assert machine.alarms == []


@pytest.fixture
def damaged(machine: Machine) -> DamagedBroker:
    return DamagedBroker(machine.broker)


def test_damage_found_while_something_is_set_aside_is_logged_once(
    damaged: DamagedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    quarantine = damaged.quarantine
    for number in (7, 8):
        quarantine.hold(SetAside(number, ("queue", "/", str(number)), [1], [1]))
    watch = damaged.watch()
    watch.look()
    damaged.found.append("message log: another record")
    watch.look()
    quarantine.entries.pop(7)
    watch.look()
    damaged.found.append("message log: a third one")
    watch.look()
    assert [record.message for record in caplog.records] == ["message log: another record", "message log: a third one"]


def test_the_alarm_of_damage_stays_while_there_is_any(machine: Machine, damaged: DamagedBroker) -> None:
    watch = damaged.watch()
    watch.look()
    assert machine.alarms == ["damage"]
    damaged.found.clear()
    watch.look()
    assert machine.alarms == []
    machine.broker.quarantine.hold(SetAside(7, None, [1], [1]))
    watch.look()
    assert machine.alarms == ["damage"]
    machine.broker.quarantine.entries.clear()
    watch.look()
    assert machine.alarms == []


def test_memory_that_was_freed_can_be_given_back() -> None:
    """Where the C library has the means; the numbers are about what they say."""
    held = [bytes(3000) for _ in range(20_000)]
    with_it = memory.in_use_bytes()
    kept = held[::100]
    del held
    without_it = memory.in_use_bytes()
    memory.give_back()
    assert memory.resident_bytes() > 0
    assert len(kept) == 200
    if with_it is not None and without_it is not None:
        assert with_it - without_it > 50_000_000
