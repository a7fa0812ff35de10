"""Random histories of the disk engine against a model of a few lines, with crashes anywhere.

Segments are tiny, so that rotation, deletion and compaction happen all the time.  A crash is a copy of the
files at that moment, opened by a new engine; it may come while a flush or a maintenance job is under way,
before or after its files are written, and may cut the last write short.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.storage.support import (
    crash_copy,
    flush,
    maintain,
    make_message,
    open_disk,
    record_ranges,
    segment_files,
)
from warren.core.messages.message import UNSTORED, Message
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.records import KEYED_START_SIZE
from warren.core.storage.engine import Flush

pytestmark = pytest.mark.limits(seconds=600)  # four seconds, which a very busy machine may take minutes for

Entry = tuple[int, int]
"""(queue id, message number): message numbers grow in the order of appending."""

QUEUE_IDS = st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True).map(tuple)
SIZES = st.sampled_from([0, 5, 30, 300])


@dataclass
class Work:
    """What a flush makes durable: entries that appear and entries that go; groups of them do so together."""

    appended: set[Entry] = field(default_factory=set)
    settled: set[Entry] = field(default_factory=set)
    groups: list[tuple[set[Entry], set[Entry]]] = field(default_factory=list)


class DiskEngineMachine(RuleBasedStateMachine):
    """`live`: entries as the broker sees them; `durable`: what a crash must leave.

    `pending` and `flying` (the flush under way): what lies between the two.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="warren-model-"))
        self.directory_number = 0
        self.live: dict[Entry, Message | int] = {}
        self.durable: set[Entry] = set()
        self.pending = Work()
        self.flying = Work()
        self.group: tuple[set[Entry], set[Entry]] | None = None
        self.flush_job: Flush | None = None
        self.flush_written = False
        self.size_before_write: tuple[int, int] | None = None
        self.maintenance_job: Flush | None = None
        self.maintenance_written = False
        self.next_number = 0

    @initialize(segment_bytes_max=st.sampled_from([64, 256, 1024]))
    def start(self, segment_bytes_max: int) -> None:
        self.segment_bytes_max = segment_bytes_max
        self.engine = self._open()
        assert list(self.engine.recover()) == []

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close()
        shutil.rmtree(self.root)

    @rule(queue_ids=QUEUE_IDS, size=SIZES, count=st.integers(1, 6))
    def append(self, queue_ids: tuple[int, ...], size: int, count: int) -> None:
        for _ in range(count):
            self._append_one(queue_ids, size)

    @rule(queue_ids=QUEUE_IDS, size=SIZES, count=st.integers(1, 12))
    @precondition(lambda self: self.group is None and self.flush_job is None)
    def append_and_flush_each(self, queue_ids: tuple[int, ...], size: int, count: int) -> None:
        for _ in range(count):
            self._append_one(queue_ids, size)
            self.flush_at_once()

    @rule(size=SIZES, count=st.integers(4, 12), settle_others=st.integers(0, 3))
    @precondition(lambda self: self.group is None and self.flush_job is None)
    def messages_pass_through(self, size: int, count: int, settle_others: int) -> None:
        """A consumer that keeps up; beside it a few older messages are settled, leaving most of them stuck."""
        for _ in range(count):
            self._append_one((4,), size)
            self.flush_at_once()
            if settle_others:
                for entry in sorted(self.live, key=lambda entry: entry[1])[1 : 1 + settle_others]:
                    self._settle_one(entry, by_position=False)
                settle_others = 0
            for entry in [entry for entry in self.live if entry[0] == 4]:
                self._settle_one(entry, by_position=False)
        self.flush_at_once()
        if self.maintenance_job is None:
            maintain(self.engine)

    @rule(choice=st.integers(0, 1 << 30), by_position=st.booleans())
    @precondition(lambda self: self.live)
    def settle(self, choice: int, by_position: bool) -> None:
        self._settle_one(sorted(self.live)[choice % len(self.live)], by_position)

    @rule(tenths=st.integers(1, 10), by_position=st.booleans())
    @precondition(lambda self: self.live)
    def settle_oldest(self, tenths: int, by_position: bool) -> None:
        oldest = sorted(self.live, key=lambda entry: entry[1])
        for entry in oldest[: -(-len(oldest) * tenths // 10)]:
            self._settle_one(entry, by_position)

    @rule(step=st.integers(2, 9), by_position=st.booleans())
    @precondition(lambda self: self.live)
    def settle_all_but_each_nth(self, step: int, by_position: bool) -> None:
        for index, entry in enumerate(sorted(self.live, key=lambda entry: entry[1])):
            if index % step:
                self._settle_one(entry, by_position)

    @rule()
    @precondition(lambda self: self.group is None)
    def begin_group(self) -> None:
        self.engine.begin_group()
        self.group = (set(), set())

    @rule()
    @precondition(lambda self: self.group is not None)
    def end_group(self) -> None:
        assert self.group is not None
        self.engine.end_group()
        self.pending.groups.append(self.group)
        self.group = None

    @rule()
    @precondition(lambda self: self.group is None and self.flush_job is None)
    def begin_flush(self) -> None:
        self.flush_job = self.engine.begin_flush()
        assert not self.engine.pending
        if self.flush_job is not None:
            self.flying, self.pending = self.pending, Work()
            self.flush_written = False
        else:
            self.pending = Work()

    @rule()
    @precondition(lambda self: self.flush_job is not None and not self.flush_written)
    def write_flush(self) -> None:
        assert self.flush_job is not None
        self.size_before_write = self._last_used()
        self.flush_job.write()
        self.flush_written = True

    @rule()
    @precondition(lambda self: self.flush_job is not None and self.flush_written)
    def finish_flush(self) -> None:
        assert self.flush_job is not None
        self.engine.finish_flush(self.flush_job)
        self.flush_job = None
        self._apply(self.durable, self.flying)
        self.flying = Work()

    @rule()
    @precondition(lambda self: self.group is None and self.flush_job is None)
    def flush_at_once(self) -> None:
        flush(self.engine)
        self._apply(self.durable, self.pending)
        self.pending = Work()

    @rule()
    @precondition(lambda self: self.maintenance_job is None)
    def begin_maintenance(self) -> None:
        self.maintenance_job = self.engine.begin_maintenance()
        self.maintenance_written = False

    @rule()
    @precondition(lambda self: self.maintenance_job is not None and not self.maintenance_written)
    def write_maintenance(self) -> None:
        assert self.maintenance_job is not None
        self.maintenance_job.write()
        self.maintenance_written = True

    @rule()
    @precondition(lambda self: self.maintenance_job is not None and self.maintenance_written)
    def finish_maintenance(self) -> None:
        assert self.maintenance_job is not None
        self.engine.finish_maintenance(self.maintenance_job)
        self.maintenance_job = None

    @rule()
    @precondition(lambda self: self.maintenance_job is None)
    def maintain_to_the_end(self) -> None:
        maintain(self.engine)

    @rule(cut=st.integers(0, 16), with_leftover=st.booleans())
    def crash(self, cut: int, with_leftover: bool) -> None:
        old_directory = self._directory()
        self.directory_number += 1
        directory = crash_copy(old_directory, self._directory())
        self.engine.close()
        shutil.rmtree(old_directory)
        if with_leftover:
            (directory / "messages" / "0000000000000000.log.tmp").write_bytes(b"left over")
        torn = self.flush_job is not None and self.flush_written
        if torn:
            self._cut_last_write(directory, cut)
        self.engine = self._open()
        found = self._recover()
        assert self.engine.damage() == [], self.engine.damage()
        self._check_recovered(set(found), self.flying if torn else Work())
        self.live = dict(found)
        self.durable = set(found)
        self.pending, self.flying = Work(), Work()
        self.group = self.flush_job = self.maintenance_job = None

    @rule()
    @precondition(lambda self: self.live)
    def read_everything(self) -> None:
        readable = [entry for entry in sorted(self.durable) if entry in self.live]
        positions = [self._position(entry) for entry in readable]
        for (_, number), message in zip(readable, self.engine.read(positions), strict=True):
            assert message is not None
            assert message.body.startswith(b"%08d" % number)

    @invariant()
    def entries_are_counted(self) -> None:
        if hasattr(self, "engine") and self.flush_job is None:
            assert self.engine.statistics()["entries"] == len(self.durable)

    @invariant()
    def nothing_is_damaged(self) -> None:
        if hasattr(self, "engine"):
            assert self.engine.damage() == []

    def _directory(self) -> Path:
        return self.root / f"run-{self.directory_number}"

    def _open(self) -> DiskEngine:
        return open_disk(self._directory(), self.segment_bytes_max)

    def _position(self, entry: Entry) -> int:
        holder = self.live[entry]
        return holder.position if isinstance(holder, Message) else holder

    def _append_one(self, queue_ids: tuple[int, ...], size: int) -> None:
        number, self.next_number = self.next_number, self.next_number + 1
        message = make_message(b"%08d" % number + bytes(size))
        self.engine.append(message, queue_ids)
        for queue_id in queue_ids:
            self.live[queue_id, number] = message
            (self.group[0] if self.group is not None else self.pending.appended).add((queue_id, number))

    def _settle_one(self, entry: Entry, by_position: bool) -> None:
        position = self._position(entry)
        holder = self.live.pop(entry)
        if isinstance(holder, Message) and not (by_position and position != UNSTORED):
            self.engine.settle(entry[0], holder)
        else:
            self.engine.settle_positions(entry[0], [position])
        (self.group[1] if self.group is not None else self.pending.settled).add(entry)

    def _apply(self, entries: set[Entry], work: Work) -> None:
        """What a completed flush does."""
        entries |= work.appended
        for appended, _ in work.groups:
            entries |= appended
        entries -= work.settled
        for _, settled in work.groups:
            entries -= settled

    def _last_used(self) -> tuple[int, int]:
        """(number of segment files, bytes used in the last)."""
        files = segment_files(self._directory())
        return len(files), _used(files[-1]) if files else 0

    def _cut_last_write(self, directory: Path, cut: int) -> None:
        """Keep `cut` sixteenths of what the last flush wrote."""
        assert self.size_before_write is not None
        path = segment_files(directory)[-1]
        used = _used(path)
        count_before, used_before = self.size_before_write
        start = used_before if len(segment_files(directory)) == count_before else 0
        if start < used:
            os.truncate(path, start + (used - start) * cut // 16)

    def _recover(self) -> dict[Entry, int]:
        """Recovered entries and their positions, checked to be in order."""
        found: dict[Entry, int] = {}
        for queue_id, positions, sizes in self.engine.recover():
            numbers = []
            for position, size, message in zip(positions, sizes, self.engine.read(positions), strict=True):
                assert message is not None
                assert message.body_size == size
                numbers.append(int(message.body[:8]))
                found[queue_id, numbers[-1]] = position
            assert numbers == sorted(set(numbers))
        return found

    def _check_recovered(self, found: set[Entry], torn: Work) -> None:
        """Exactly what is durable, give or take what a torn flush was about to change; groups as a whole."""
        group_appended = set().union(*(appended for appended, _ in torn.groups))
        group_settled = set().union(*(settled for _, settled in torn.groups))
        may_appear = torn.appended | group_appended
        may_go = torn.settled | group_settled
        assert self.durable - may_go <= found <= self.durable | may_appear
        for appended, settled in torn.groups:
            written = {entry for entry in appended if entry not in may_go}
            here = bool(written & found)
            if written:
                assert not here or written <= found
                old_settled = (settled - may_appear) & self.durable
                assert not old_settled & found if here else True
            if settled & self.durable and written and not here:
                assert settled & self.durable <= found


def _used(path: Path) -> int:
    """Where the last record of a segment file ends."""
    ranges = record_ranges(path)
    return ranges[-1][1] if ranges else KEYED_START_SIZE


TestDiskEngine = DiskEngineMachine.TestCase
TestDiskEngine.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
