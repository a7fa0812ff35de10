"""Tickets in packs: whatever is done with a backlog, it holds what a plain row of the same entries would hold."""

from __future__ import annotations

import gc
import random
import tracemalloc
from array import array
from collections.abc import Sequence
from itertools import islice

import pytest

from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.queues.backlog import Backlog, Entry, position_of, sequence_of, size_of
from warren.core.queues.packed_tickets import PACKED_TICKETS, make_ticket, pack, unpack
from warren.core.storage.memory import MemoryEngine

ADDRESS = Address("", "q")
PERSISTENT = encode_properties(delivery_mode=2)


def message(sequence: int, position: int, size: int) -> Message:
    made = Message(sequence, ADDRESS, PERSISTENT, bytes(size), 0, size, 0, 0)
    made.position = position
    return made


class ReadingEngine(MemoryEngine):
    """Has every message that it is asked for; `lost` are damaged."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[int] = set()

    def read(self, positions: Sequence[int]) -> list[Message | None]:
        return [None if each in self.lost else message(0, each, each % 7) for each in positions]

    def is_written(self, message: Message) -> bool:
        return True


class Checked:
    """A backlog beside a list of (sequence, size, position): every other number is a sequence, the rest may return."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.store = ReadingEngine()
        self.lost: list[int] = []
        self.backlog = Backlog("a queue", self.store, 1, lambda sequence, size: self.lost.append(sequence))
        self.expected: list[tuple[int, int, int]] = []
        self.next = 2

    def put(self, count: int) -> list[tuple[int, int, int]]:
        made = [(each, (each + 8) % 7, each + 8) for each in range(self.next, self.next + 2 * count, 2)]
        self.next += 2 * count
        self.expected += made
        return made

    def recover(self) -> None:
        made = [(each + 8, size, each + 8) for each, size, _ in self.put(self.chance.randrange(1, 4000))]
        self.expected[-len(made) :] = made
        self.next += 8
        positions, sizes = array("Q", [each[2] for each in made]), array("I", [each[1] for each in made])
        self.backlog.add_stored(positions, sizes, sum(sizes))

    def publish(self) -> None:
        made = self.put(self.chance.randrange(1, 3000))
        self.backlog.entries.extend(message(sequence, position, size) for sequence, size, position in made)

    def page_out(self) -> None:
        self.backlog.page_out()

    def consume(self) -> None:
        for _ in range(min(self.chance.randrange(1500), len(self.expected))):
            head = self.backlog.head()
            assert head is not None
            sequence, size, position = self.expected.pop(0)
            assert (head.sequence, head.body_size, head.position) == (sequence, size, position)
            self.backlog.entries.popleft()

    def pop_first(self) -> None:
        for _ in range(min(self.chance.randrange(1200), len(self.expected))):
            entry = self.backlog.pop_first()
            assert sequence_of(entry) == self.expected.pop(0)[0]
            if isinstance(entry, int):
                self.backlog.paged_count -= 1
                self.backlog.paged_bytes -= size_of(entry)

    def give_back(self) -> None:
        if not self.expected:
            return
        first, last = self.expected[0][0], self.expected[-1][0]
        odd = range(first + 1, last + 2, 2)
        new = sorted(self.chance.sample(odd, min(len(odd), self.chance.randrange(1, 20))))
        known = {each[0] for each in self.expected}
        made = [(each, (each + 8) % 7, each + 8) for each in new if each not in known]
        if not made:
            return
        messages = [message(sequence, position, size) for sequence, size, position in made]
        if self.chance.random() < 0.5:
            assert self.backlog.merge(messages)
        else:
            self.backlog.merge_within(messages)
        self.expected = sorted(self.expected + made)

    def look(self) -> None:
        assert self.backlog.count == len(self.expected)
        start = self.chance.randrange(len(self.expected) + 1)
        found = [sequence_of(each) for each in islice(self.backlog.all(start), 50)]
        assert found == [each[0] for each in self.expected[start : start + 50]]
        browsed = [each.sequence for each in self.backlog.browse(start, 50)]
        assert browsed == found
        if self.expected:
            assert sequence_of(self.backlog.last()) == self.expected[-1][0]

    def check(self) -> None:
        entries: list[Entry] = list(self.backlog.all())
        assert [(sequence_of(each), size_of(each), position_of(each)) for each in entries] == self.expected
        tickets = [each for each in entries if isinstance(each, int)]
        assert self.backlog.paged_count == len(tickets)
        assert self.backlog.paged_bytes == sum(map(size_of, tickets))
        assert self.backlog.resident_count == len(entries) - len(tickets)


@pytest.mark.interpreted("gives in a store of its own, which the compiled form refuses")
@pytest.mark.parametrize("seed", range(12))
def test_a_backlog_with_packs_is_as_one_without(seed: int) -> None:
    checked = Checked(seed)
    steps = (
        checked.recover,
        checked.publish,
        checked.publish,
        checked.page_out,
        checked.consume,
        checked.pop_first,
        checked.give_back,
        checked.look,
    )
    for _ in range(40):
        checked.chance.choice(steps)()
        checked.check()
    taken = [sequence_of(each) for each in checked.backlog.clear()]
    assert taken == [each[0] for each in checked.expected]
    assert checked.backlog.count == checked.backlog.paged_count == checked.backlog.resident_count == 0
    assert checked.lost == []


@pytest.mark.interpreted("gives in a store of its own, which the compiled form refuses")
def test_what_is_damaged_in_a_pack_is_lost_alone() -> None:
    checked = Checked(1)
    checked.recover()
    checked.store.lost = {each[2] for each in checked.expected[10:20]}
    lost = [each[0] for each in checked.expected[10:20]]
    del checked.expected[10:20]
    while checked.expected:
        checked.consume()
    assert checked.backlog.head() is None
    assert sorted(checked.lost) == lost


@pytest.mark.parametrize("is_recovered", [False, True])
def test_a_pack_gives_back_what_was_put_in(*, is_recovered: bool) -> None:
    tickets = [make_ticket(each + 5 * (not is_recovered), each % 100, each) for each in range(1, 1000)]
    packed = pack(tickets)
    assert (packed[2] is None) == is_recovered
    assert unpack(packed) == tickets


def test_a_deep_backlog_takes_little_memory_and_no_time_of_a_collection() -> None:
    count = 200_000
    positions, sizes = array("Q", range(64, 64 + 1100 * count, 1100)), array("I", [1024] * count)
    backlog = Backlog("a queue", MemoryEngine(), 1, lambda *_: None)
    tracemalloc.start()
    try:
        backlog.add_stored(positions, sizes, 1024 * count)
        taken_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken_bytes / count < 14
    assert backlog.count == backlog.paged_count == count
    assert len(gc.get_referents(backlog.entries)) == -(-count // (PACKED_TICKETS + 1))
