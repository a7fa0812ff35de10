"""The contract of a definition store: everything declared that outlives the process, as rows of JSON.

A row is named by (kind, vhost, name) and holds one JSON object.  `kind` is a word such as "queue", "binding",
"user"; rows that belong to no vhost use the vhost "".  The store knows nothing of what the rows mean: each
part of the broker owns its kinds and builds itself from `load` when the broker starts.

Order: rows come back in the order in which they were first put.  Replacing a row keeps its place; deleting it
and putting it again moves it to the end.

Batches: changes join one open transaction and `commit` ends it.  The commit loop calls `commit` once per
batch, so the changes of a batch come back together or not at all, with two exceptions: `next_id` may commit
what is open, so a part that needs an id takes it before it puts the rows that belong together; and on a disk
that is full, very many rows that are deleted by one call go bit by bit, behind what is open.

Very many rows that go by one call take longer than a turn may.  They are gone for `load` at once, also for that of the
next start once the call is committed, and leave the store slice by slice (deletions.py).

Durability has two steps, as the two kinds of crash differ.  What is committed is with the operating system
and survives the process (kill -9).  What is committed and then synced survives the machine (power loss).  The
commit loop syncs definitions before it syncs messages, so no confirmed message can be in a queue that a crash
forgets.

Threads: all calls are made on the broker's thread, except `sync`, which waits for the disk and so is called
from a worker thread, beside any other call but `close`.  Implementations make that safe: `sync` uses nothing that the
other calls change, and none of them waits for it, unless there is no other room left on the disk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from warren.core.errors import LowOnDisk

if TYPE_CHECKING:
    from warren.core.chores import Slice

LOW_ON_DISK: Final = (
    "low on disk: nothing new can be kept now; free some space on the disk of the data directory, then ask again"
)
"""Why something isn't declared, in the words of the disk alarm."""

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
"""What a value may hold; it comes back as None, bool, int, float, str, list and dict."""

Row: TypeAlias = tuple[str, str, str, dict[str, JSON]]
"""(kind, vhost, name, value)."""


class DefinitionStore(ABC):
    """Keeps rows named by (kind, vhost, name); see the head of this file for order, batches and durability.

    Names may hold any characters, lone surrogates (bytes that weren't UTF-8 on the wire) included.  Every
    method may raise core.errors.StorageError when the disk fails; then nothing after the last commit that
    returned is kept, the store refuses all further work, and the broker has to stop.
    """

    __slots__ = ()

    durable: ClassVar[bool]
    """True when committed rows survive the process."""

    @abstractmethod
    def put(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        """Add the row, or replace its value where it is.

        Raises TypeError, leaving the store as it was, for a value that JSON can't hold.
        """

    @abstractmethod
    def delete(self, kind: str, vhost: str, name: str) -> None:
        """Remove the row; one that isn't there is no error."""

    @abstractmethod
    def delete_beginning(self, kind: str, vhost: str, beginning: str) -> Slice | None:
        """Remove every row of this kind and vhost whose name begins so, however many there are.

        None when that is done; else what does the next slice of it, for the caller to have done (`Chores.add`).
        """

    @abstractmethod
    def delete_vhost(self, vhost: str) -> Slice | None:
        """Remove every row of this vhost, as `delete_beginning` does.

        Raises ValueError for "", the rows that belong to no vhost.
        """

    @abstractmethod
    def clear(self) -> None:
        """Remove every row (`reset`). Counters of `next_id` go on, so old ids can't come back to life."""

    @abstractmethod
    def load(self) -> Iterator[Row]:
        """Every row, in order, with a value of its own that the caller may keep and change.

        The store may be changed meanwhile: rows added don't come, rows changed or deleted may come as they
        were.
        """

    @abstractmethod
    def next_id(self, counter: str) -> int:
        """The next number of this counter: from 1, growing, never given twice, not even across a power loss.

        Numbers may be skipped after a crash.  May commit the open transaction (and wait for the disk,
        rarely).
        """

    def reserve_ids(self, counter: str) -> None:
        """Numbers of this counter will be wanted: what `next_id` would have to wait for is done by the next commit."""

    @abstractmethod
    def skip_ids(self, counter: str, last: int) -> None:
        """Never give the numbers up to `last`: they were given, whatever the counter says.

        What is found in use at a start is told so, as the counter's own row may have been lost to damage.
        """

    @abstractmethod
    def has_room(self, value_bytes: int = 0) -> bool:
        """Whether a row with a value of this size can be kept, even if the disk takes no more.

        What is made by request asks first (`check_room`); what isn't refused (an end, an expiry) is put anyway.
        """

    def check_room(self, value_bytes: int = 0) -> None:
        """Raise LowOnDisk unless a row can be kept, before anything is made that it describes."""
        if not self.has_room(value_bytes):
            raise LowOnDisk(LOW_ON_DISK)

    @abstractmethod
    def damage(self) -> list[str]:
        """Descriptions of what was found damaged when the store was opened (for the log and alarms).

        What `load` gives is right nevertheless; rows may be missing.  The next start is told the same, unless
        `damage_seen_to` is committed before.
        """

    @abstractmethod
    def damage_seen_to(self) -> None:
        """What the damage means for messages and users is in the rows now; no error without damage."""

    @property
    @abstractmethod
    def dirty(self) -> bool:
        """True while there are changes that no commit has ended."""

    @abstractmethod
    def commit(self) -> None:
        """Hand all changes to the operating system as one; does nothing unless dirty."""

    @property
    @abstractmethod
    def unsynced(self) -> bool:
        """True while something committed might not survive a power loss."""

    @abstractmethod
    def sync(self) -> None:
        """Wait until all that was committed before this call survives a power loss. For a worker thread."""

    @abstractmethod
    def close(self) -> None:
        """Release the files; changes not committed are dropped. Closing twice is no error.

        No `sync` may be under way.
        """
