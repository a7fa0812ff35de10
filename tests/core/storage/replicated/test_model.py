"""Owners of a shard in any order, killed at any step of a flush: what the stream took is there, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.storage.replicated.nodes import Node
from tests.core.storage.replicated.streams import Servers
from warren.core.storage.replicated.errors import OwnershipLost
from warren.core.storage.replicated.flush import ReplicatedFlush

NODES: Final = 3
QUEUES: Final = (1, 2)

STEPS = st.lists(
    st.tuples(st.just("append"), st.sampled_from(QUEUES), st.integers(1, 8))
    | st.tuples(st.just("settle"), st.sampled_from(QUEUES), st.integers(1, 12))
    | st.tuples(st.just("flush"), st.sampled_from([0, 1, 2]), st.just(0))
    | st.tuples(st.just("maintain"), st.just(0), st.just(0))
    | st.tuples(st.just("kill"), st.sampled_from(["here", "there", "both"]), st.integers(0, NODES - 1))
    | st.tuples(st.just("move"), st.integers(0, NODES - 1), st.just(0)),
    max_size=40,
)


class Model:
    """The nodes, and what has to be in the queues.  pending: with what was appended and settled and not flushed yet."""

    def __init__(self, directory: Path) -> None:
        servers = Servers()
        self.nodes = [Node(directory / f"n{number}", servers, 600, 700) for number in range(NODES)]
        self.expected: dict[int, list[bytes]] = {queue_id: [] for queue_id in QUEUES}
        self.pending: dict[int, list[bytes]] = {queue_id: [] for queue_id in QUEUES}
        self.owner = self.nodes[0]
        self._number = 0
        self.owner.start()

    def append(self, queue_id: int, count: int) -> None:
        for _ in range(count):
            self._number += 1
            body = b"%d" % self._number
            self.owner.append(body, queue_id=queue_id)
            self.pending[queue_id].append(body)

    def settle(self, queue_id: int, count: int) -> None:
        count = min(count, len(self.pending[queue_id]))
        self.owner.settle(count, queue_id)
        del self.pending[queue_id][:count]

    def flush(self, losses: int) -> None:
        self.owner.stream.lose_answers = losses
        self.owner.flush()
        self.taken()

    def taken(self) -> None:
        self.expected = {queue_id: list(bodies) for queue_id, bodies in self.pending.items()}

    def kill(self, written: str, successor: int) -> None:
        """In a flush that is written here alone, there alone, or on both sides, and that nobody books."""
        flush = self.owner.running().begin_flush()
        if isinstance(flush, ReplicatedFlush):
            flush.encode_some()
            flush.local.encode()
            if written == "both":
                flush.write()
            elif written == "here":
                flush.local.write()
            elif flush.local.chunks:
                appender = self.owner.running()._appender
                assert appender is not None
                appender.begin(flush.local.segment.base, flush.local.offset, b"".join(flush.local.chunks))
                appender.end()
        if written != "here":
            self.taken()
        self.owner.stop()
        self._take_over(successor)

    def move(self, successor: int) -> None:
        """The owner doesn't know that it isn't any more, and tries to go on."""
        stale = self.owner
        if self.nodes[successor] is stale:
            return
        self._take_over(successor)
        stale.append(b"stale")
        with pytest.raises(OwnershipLost):
            stale.flush()
        stale.stop()

    def _take_over(self, successor: int) -> None:
        self.owner = self.nodes[successor]
        self.owner.start()
        assert self.owner.running().damage() == []
        self.pending = {queue_id: list(bodies) for queue_id, bodies in self.expected.items()}
        self.check()

    def check(self) -> None:
        assert {queue_id: self.owner.found.get(queue_id, []) for queue_id in QUEUES} == self.expected

    def close(self) -> None:
        for node in self.nodes:
            node.stop()


@given(STEPS)
def test_what_the_stream_has_taken_is_there_and_nothing_else_is(
    steps: list[tuple[str, int | str, int]],
) -> None:
    with TemporaryDirectory() as directory:
        model = Model(Path(directory))
        try:
            for name, first, second in steps:
                if name == "append":
                    model.append(int(first), second)
                elif name == "settle":
                    model.settle(int(first), second)
                elif name == "flush":
                    model.flush(int(first))
                elif name == "maintain":
                    model.owner.maintain()
                elif name == "kill":
                    model.kill(str(first), second)
                else:
                    model.move(int(first))
            for number in range(NODES):
                model.kill("here", number)
        finally:
            model.close()
