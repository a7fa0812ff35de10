"""The storage engine of `--in-memory`: durable queues live as long as the process.

Nothing is ever written, so a message never gets a position and can't be paged out; what is left of the
contract is counting references and entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from warren.core.messages.message import Message
from warren.core.storage.engine import Flush, LongFlush, LongGroup, Owner, StorageEngine
from warren.core.storage.files import MemoryPlaces


class MemoryEngine(StorageEngine):
    """Keeps nothing; `durable` is False, so that the broker confirms at once."""

    def __init__(self) -> None:
        self.durable = False
        self.streams = MemoryPlaces()
        self._entry_count = 0

    def append(self, message: Message, queue_ids: tuple[int, ...]) -> None:
        """Count the references of `message`."""
        message.references = len(queue_ids)
        self._entry_count += message.references

    def settle(self, queue_id: int, message: Message) -> None:
        """Count one reference less."""
        message.references -= 1
        self._entry_count -= 1

    def settle_positions(self, queue_id: int, positions: Sequence[int]) -> None:
        """Nothing: no message ever has a position."""

    def count_failures(self, queue_id: int, message: Message, failures: int) -> None:
        """Nothing: the queue knows it, and nobody else will ask."""

    def note_ready_from(self, queue_id: int, entry: Message | int | None) -> None:
        """Nothing, as `count_failures`."""

    def failures(self, queue_id: int) -> Mapping[int, int]:
        """Nothing: no queue is ever recovered."""
        return {}

    def forget_queue(self, queue_id: int) -> None:
        """Nothing: nothing is kept by queue."""

    def note_owner(self, queue_id: int, owner: Owner) -> None:
        """Nothing, as `forget_queue`."""

    def owner(self, queue_id: int) -> Owner | None:
        """None: no entry is ever recovered."""
        return None

    def keep_owners(self, owners: Mapping[int, Owner]) -> None:
        """Nothing, as `forget_queue`."""

    def begin_group(self) -> None:
        """Nothing: what is never recovered is atomic."""

    def end_group(self) -> None:
        """Nothing, as `begin_group`."""

    def long_group(self) -> LongGroup:
        """Nothing, as `begin_group`."""
        return LongGroup()

    def collecting(self, group: LongGroup) -> AbstractContextManager[None]:
        """Nothing, as `begin_group`."""
        return nullcontext()

    def add_group(self, *groups: LongGroup) -> None:
        """Nothing, as `begin_group`."""

    @property
    def pending(self) -> bool:
        """False: there is never anything to flush."""
        return False

    def begin_flush(self) -> LongFlush | None:
        """None: there is never anything to flush."""
        return None

    def finish_flush(self, flush: Flush) -> None:
        """Nothing: no flush ever begins."""

    def is_written(self, message: Message) -> bool:
        """False: content may never leave memory."""
        return False

    def read(self, positions: Sequence[int]) -> list[Message | None]:
        """None for each: no message ever has a position."""
        return [None] * len(positions)

    def begin_maintenance(self) -> Flush | None:
        """None: there is nothing to compact."""
        return None

    def finish_maintenance(self, job: Flush) -> None:
        """Nothing: no job ever begins."""

    def recover(self) -> Iterator[tuple[int, Sequence[int], Sequence[int]]]:
        """Nothing: every start is the first one."""
        return iter(())

    def damage(self) -> list[str]:
        """Nothing: there is no disk to fail."""
        return []

    def statistics(self) -> dict[str, int]:
        """`entries`: unsettled entries; the figures of the log are 0."""
        return {"segments": 0, "bytes_on_disk": 0, "entries": self._entry_count, "pending_bytes": 0}

    def close(self) -> None:
        """Nothing: no files are open."""
