"""What is done with many messages in one call is what is done with each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from warren.adapters.mqtt.sessions.session_queue import MqttQueue
from warren.core.queues.base import Queue
from warren.core.queues.consumer import Consumer
from warren.core.queues.deduplicating import DeduplicatingQueue, DeduplicatingQuorumQueue
from warren.core.queues.priority import PriorityQueue
from warren.core.queues.quorum import QuorumQueue
from warren.core.queues.unavailable import Unavailable
from warren.core.storage.engine import StorageEngine

KNOWN = (MqttQueue, DeduplicatingQueue, DeduplicatingQuorumQueue, PriorityQueue, QuorumQueue, Unavailable)

PAIRS = (
    (Queue, "acknowledge", "acknowledge_all"),
    (Consumer, "acknowledged", "all_acknowledged"),
    (StorageEngine, "append", "append_all"),
)


def below(kind: type) -> Iterator[type]:
    each: type
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


@pytest.mark.parametrize(("base", "one", "many"), PAIRS, ids=[many for _, _, many in PAIRS])
def test_who_says_what_becomes_of_one_says_it_of_many(base: type, one: str, many: str) -> None:
    """Or has it done one by one, as the base class does it."""
    kinds = [kind for kind in below(base) if kind.__module__.startswith("warren.")]
    assert kinds
    for kind in kinds:
        if one in vars(kind):
            inherited = next(each for each in kind.__mro__ if many in vars(each))
            assert inherited in (kind, base), kind


def test_all_types_of_queues_are_looked_at() -> None:
    assert set(KNOWN) <= set(below(Queue))
