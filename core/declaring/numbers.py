"""Numbers in the message store: given to what stores messages, and noted when that is deleted.

A deletion is committed with the definitions, and what it settles goes with the message log; a crash may keep the one
and lose the other.  A start must then know that nobody is missing.  So a row says of a number that whose it was is
deleted, until the settlements are on disk.  Consumers may keep what they got of a deleted queue for as long as they
like; the row stays until they have settled that, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.core.queues.stream.arguments import STREAM

if TYPE_CHECKING:
    from warren.core.declaring.quarantine import Quarantine
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import DefinitionStore
    from warren.core.storage.engine import StorageEngine

COUNTER: Final = "queue"
"""The counter of the definition store that numbers come from, whosever they are."""

DELETED: Final = "deleted"
"""The kind of these rows."""


class Leaving(Protocol):
    """A queue, or what else has a number, that is deleted."""

    @property
    def has_entries_to_settle(self) -> bool:
        """True while the message log holds something of it that is still to be settled."""


class Numbers:
    """See the head of this file."""

    __slots__ = ("_definitions", "_deleted", "_leaving", "_quarantine", "_settled", "_store")

    def __init__(self, definitions: DefinitionStore, store: StorageEngine, quarantine: Quarantine) -> None:
        self._definitions = definitions
        self._store = store
        self._quarantine = quarantine
        self._deleted: list[int] = []
        self._leaving: dict[int, Leaving] = {}
        self._settled: list[int] = []

    def take(self, kind: str, vhost: str, name: str, queue_type: type[Queue] | None = None) -> int:
        """A number for what is to be stored of a queue, an exchange or a component's session: a new one, or for what
        is declared again after its definition was lost, the one that its messages are set aside under.

        queue_type: of a queue; a stream gets its files back.
        """
        owner = (kind, vhost, name)
        number = 0
        if queue_type is not None and queue_type.type_name == STREAM:
            number = self._quarantine.stream_number_of(owner)
        number = number or self._quarantine.number_of(owner)
        if not number:
            number = self._definitions.next_id(COUNTER)
            self._store.note_owner(number, owner)
        return number

    def deleted(self, number: int) -> None:
        """Whose number it is goes in this transaction of the definitions; its entries are settled, or are now."""
        if self._store.durable:
            self._definitions.put(DELETED, "", str(number), {})
            self._deleted.append(number)

    def deleted_for_now(self, number: int, whose: Leaving) -> None:
        """The same, of what some entries of may be settled later."""
        if self._store.durable:
            self._definitions.put(DELETED, "", str(number), {})
            self._leaving[number] = whose

    # Commits

    def begin_commit(self) -> list[int]:
        """The deleted ones whose settlements a flush that begins now covers."""
        taken, self._deleted = self._deleted, []
        if self._leaving:
            settled = [number for number, whose in self._leaving.items() if not whose.has_entries_to_settle]
            for number in settled:
                del self._leaving[number]
            taken += settled
        return taken

    def finish_commit(self, taken: list[int]) -> None:
        """That flush is on disk."""
        self._settled += taken

    def tidy(self) -> None:
        """Take the rows of what is settled out of the definitions, which are about to be committed anyway."""
        for number in self._settled:
            self._definitions.delete(DELETED, "", str(number))
        self._settled.clear()
