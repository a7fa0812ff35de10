"""Definitions as SQLite keeps them, in memory: what a commit has is there or not after a power failure, as a whole and
in the order of commits, and what was synced is there."""

from __future__ import annotations

import random
from typing import ClassVar

from warren.core.storage.definitions.deletions import Deletion
from warren.core.storage.definitions.memory import MemoryDefinitionStore

_Rows = dict[str, dict[str, dict[str, tuple[int, str]]]]
_State = tuple[_Rows, int, list[Deletion]]


class SimulatedDefinitions(MemoryDefinitionStore):
    """See the head of this file.  Numbers of counters are never given twice, as if each were synced."""

    durable: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._states: list[_State] = [({}, 0, [])]

    def commit(self) -> None:
        if self._dirty:
            super().commit()
            rows = {vhost: {kind: dict(of) for kind, of in kinds.items()} for vhost, kinds in self._rows.items()}
            self._states.append((rows, self._last_position, list(self._deletions)))

    @property
    def unsynced(self) -> bool:
        return len(self._states) > 1

    def sync(self) -> None:
        del self._states[:-1]

    def lose_power(self, chance: random.Random) -> None:
        """Be what a start finds after one."""
        del self._states[chance.randrange(len(self._states)) + 1 :]
        self.reopen()
        self._states = self._states[-1:]

    def reopen(self) -> None:
        """Be what a start finds after the end of the process: what is committed."""
        rows, self._last_position, deletions = self._states[-1]
        self._rows = {vhost: {kind: dict(of) for kind, of in kinds.items()} for vhost, kinds in rows.items()}
        self._deletions = list(deletions)
        self._dirty = False
