"""Messages that are put among those of a backlog: where their sequences say, and at what cost."""

from __future__ import annotations

import random
from typing import cast

import pytest

from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties
from warren.core.queues.backlog import Backlog, sequence_of
from warren.core.storage.memory import MemoryEngine


class CountedMessage:
    """A message as far as its place is concerned; counts how often it is looked at."""

    looked_at = 0

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence

    @property
    def sequence(self) -> int:
        CountedMessage.looked_at += 1
        return self._sequence


def backlog(*sequences: int) -> Backlog:
    found = Backlog("a queue", MemoryEngine(), 0, lambda *_: None)
    found.entries.extend(messages(*sequences))
    return found


def real_messages(*sequences: int) -> list[Message]:
    address = Address("", "q")
    return [Message(each, address, Properties.parse(b"\0\0"), b"", 0, 0, 0, 0) for each in sequences]


def messages(*sequences: int) -> list[Message]:
    return [cast("Message", CountedMessage(each)) for each in sequences]


@pytest.mark.parametrize("seed", range(20))
def test_they_are_where_their_sequences_say(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        every = list(range(chance.randrange(1, 12)))
        new = sorted(chance.sample(every, chance.randrange(1, len(every) + 1)))
        found = Backlog("a queue", MemoryEngine(), 0, lambda *_: None)
        found.entries.extend(real_messages(*[each for each in every if each not in new]))
        found.merge_within(real_messages(*new))
        assert [sequence_of(each) for each in found.all()] == every


@pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")
@pytest.mark.parametrize("place", [-1, 3, 9_997, 10_001])
def test_what_belongs_near_an_end_moves_little(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = backlog(*[each for each in range(10_000) if each != place])
    monkeypatch.setattr(CountedMessage, "looked_at", 0)
    found.merge_within(messages(place))
    assert CountedMessage.looked_at < 50
