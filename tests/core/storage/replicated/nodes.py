"""Nodes that own a shard in turns, each with a directory of its own."""

from __future__ import annotations

from pathlib import Path

from tests.core.storage.replicated.streams import MemoryStream, Servers
from tests.core.storage.support import make_message
from warren.core.messages.message import Message
from warren.core.storage.replicated.engine import ReplicatedEngine


class Node:
    """One node: `start` takes the shard over, `stop` closes the files as they are, which is what a kill does, too."""

    def __init__(
        self, directory: Path, servers: Servers, segment_bytes_max: int = 64 << 20, frame: int = 1 << 20, least: int = 0
    ) -> None:
        self.directory = directory
        self.stream = MemoryStream(servers, frame)
        self.engine: ReplicatedEngine | None = None
        self.found: dict[int, list[bytes]] = {}
        self.messages: dict[int, list[Message]] = {}
        self._servers = servers
        self._segment_bytes_max = segment_bytes_max
        self._frame = frame
        self._least = least

    def start(self) -> dict[int, list[bytes]]:
        """Take the shard over; the bodies of what is unsettled, by queue."""
        self.stream = MemoryStream(self._servers, self._frame)
        upkeep = MemoryStream(self._servers, self._frame)
        engine = ReplicatedEngine(
            self.directory,
            self.stream,
            upkeep,
            owner=self.directory.name,
            least=self._least,
            segment_bytes_max=self._segment_bytes_max,
            allocation_step=4096,
        )
        self.engine = engine
        self.messages = {}
        for queue_id, positions, _ in engine.recover():
            messages = [message for message in engine.read(positions) if message is not None]
            assert len(messages) == len(positions)
            for message in messages:
                message.references = 1
            self.messages[queue_id] = messages
        self.found = {queue_id: [message.body for message in each] for queue_id, each in self.messages.items()}
        return self.found

    def running(self) -> ReplicatedEngine:
        assert self.engine is not None
        return self.engine

    def append(self, *bodies: bytes, queue_id: int = 1) -> None:
        for body in bodies:
            message = make_message(body)
            self.running().append(message, (queue_id,))
            self.messages.setdefault(queue_id, []).append(message)

    def settle(self, count: int, queue_id: int = 1) -> None:
        """The first ones of a queue."""
        for _ in range(count):
            self.running().settle(queue_id, self.messages[queue_id].pop(0))

    def flush(self) -> None:
        engine = self.running()
        job = engine.begin_flush()
        if job is not None:
            job.write()
            engine.finish_flush(job)

    def maintain(self) -> int:
        engine = self.running()
        count = 0
        while (job := engine.begin_maintenance()) is not None:
            job.write()
            engine.finish_maintenance(job)
            count += 1
            assert count < 10_000
        return count

    def stop(self) -> None:
        if self.engine is not None:
            engine, self.engine = self.engine, None
            engine.close()
