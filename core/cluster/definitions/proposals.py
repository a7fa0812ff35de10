"""Changes on their way into the bucket, until they have come back from there.

A change is written with the revision that its key has here, so that it is refused where somebody else was quicker.
Whether a write was done may stay unknown, when the connection ends before the answer: it is written once more as it
was, and if it is refused then, the number in the value (`Item.id`) tells whether that is because of itself.  So nothing
is done twice, and nobody is told the wrong outcome.

What was written is answered once the watch has brought it back and it is done here.  Of several changes, those of one
rank (items.RANKS) go together, and the next ones when these are done, as they belong to them.

Who has waited for too long is refused.  A write that is on its way then may still be done; the text says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from warren.core.cluster.agreements import PATIENCE_MS, Agreement, State
from warren.core.cluster.definitions.belonging import belongs_to
from warren.core.cluster.definitions.items import RANKS, Item, key_of, new_id
from warren.core.errors import ClusterAway

if TYPE_CHECKING:
    from warren.core.cluster.agreements import Change
    from warren.core.cluster.definitions.table import Table

AWAY: Final = (
    "the cluster's definitions can't be changed now: NATS can't be reached, or most of its servers are away "
    "(warren ctl cluster_status says more); try again"
)
UNKNOWN: Final = AWAY + ". This change was under way and may yet be made"


class Write:
    """One value on its way.

    item: None to have the key gone.  expected: the revision that the key has to be at, 0 for none.  raw: what is
    written, None for a deletion.  id: tells this writing from all others.
    """

    __slots__ = ("agreement", "awaits", "expected", "id", "is_overtaken", "is_sent", "item", "key", "raw")

    def __init__(
        self, key: str, item: Item | None, raw: bytes | None, expected: int, agreement: Agreement | None, id: str
    ) -> None:
        self.key = key
        self.item = item
        self.raw = raw
        self.expected = expected
        self.agreement = agreement
        self.id = id
        self.is_sent = False
        self.is_overtaken = False
        self.awaits = 0

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for it, or nobody ever did."""
        return self.agreement is None or self.agreement.state is State.WAITING


class Found:
    """What a key holds, as its leader says: for who was refused.  item: None where it is gone."""

    __slots__ = ("id", "is_gone", "revision")

    def __init__(self, revision: int, id: str, *, is_gone: bool) -> None:
        self.revision = revision
        self.id = id
        self.is_gone = is_gone


class Proposals:
    """Of one node; see the head of this file.

    written: called when there is something to take.
    """

    def __init__(self, node: str, table: Table, patience_ms: int = PATIENCE_MS) -> None:
        self.node = node
        self.patience_ms = patience_ms
        self.written: Callable[[], None] = _ignore
        self._table = table
        self._agreements: dict[Agreement, list[Write]] = {}
        self._to_write: deque[Write] = deque()
        self._by_key: dict[str, list[Write]] = {}
        self._cleaning: set[str] = set()

    @property
    def waiting_count(self) -> int:
        """How many agreements are on their way."""
        return len(self._agreements)

    @property
    def has_something(self) -> bool:
        """Whether there is something to take."""
        return bool(self._to_write)

    def submit(self, agreement: Agreement, *, patient: bool = False) -> None:
        """Have the changes of an agreement written.  patient: it waits for as long as it takes."""
        if patient:
            agreement.began_at_ms = -1
        agreement.left = list(agreement.changes)
        self._agreements[agreement] = []
        self._go_on(agreement, is_first=True)

    def write(self, key: str, raw: bytes, expected: int) -> None:
        """Write what is no item, and nobody waits for."""
        self._enqueue(Write(key, None, raw, expected, None, ""))

    def clean(self, keys: Iterable[str]) -> None:
        """Take values away that don't count any more; somebody else may be quicker."""
        for key in keys:
            if key not in self._cleaning and not self._table.counts(key):
                self._cleaning.add(key)
                self._enqueue(Write(key, None, None, self._table.revision(key), None, ""))

    def take(self) -> list[Write]:
        """What is to be written now; each is answered by `done` or `refused`, or put back."""
        taken = [write for write in self._to_write if write.is_wanted]
        self._to_write.clear()
        for write in taken:
            write.is_sent = True
        return taken

    def done(self, write: Write, revision: int) -> None:
        """It was written, and is at this revision."""
        write.awaits = revision
        self._cleaning.discard(write.key)
        if write.agreement is not None:
            self._by_key.setdefault(write.key, []).append(write)
            self.look_at(write.key)

    def refused(self, write: Write, found: Found | None) -> None:
        """The key was at another revision.  found: what it holds, None where it isn't known."""
        if found is not None and _is_its_own(write, found):
            self.done(write, found.revision)
            return
        self._cleaning.discard(write.key)
        if found is None and self._table.item(write.key) is None:
            self._table.remove(write.key, 0, 0)
        write.is_overtaken = True
        self.done(write, 0 if found is None else found.revision)

    def look_at(self, key: str) -> None:
        """What was known of a key may have changed: whose write has come back?"""
        waiting = self._by_key.get(key)
        if not waiting:
            return
        revision = self._table.revision(key)
        back = [write for write in waiting if write.awaits <= revision]
        if len(back) == len(waiting):
            del self._by_key[key]
        else:
            self._by_key[key] = [write for write in waiting if write.awaits > revision]
        for write in back:
            self._came_back(write)

    def look_at_all(self) -> None:
        """All that was known may have changed."""
        for key in list(self._by_key):
            self.look_at(key)

    def tick(self, now_ms: int) -> None:
        """Refuse whoever has waited for too long."""
        for agreement in [each for each in self._agreements if 0 <= each.began_at_ms <= now_ms - self.patience_ms]:
            sent = any(write.is_sent for write in self._agreements[agreement])
            self._end(agreement, State.FAILED, UNKNOWN if sent else AWAY)

    def refuse_all(self, why: str) -> None:
        """This node can't take part."""
        for agreement in list(self._agreements):
            self._end(agreement, State.FAILED, why)

    def _came_back(self, write: Write) -> None:
        agreement = write.agreement
        if agreement is None or agreement not in self._agreements:
            return
        if write.is_overtaken:
            self._end(agreement, State.OVERTAKEN)
            return
        agreement.revisions[write.key] = write.awaits
        writes = self._agreements[agreement]
        writes.remove(write)
        if write.item is None:
            self.clean([key for key in self._table.belonging_to(write.key) if not self._table.counts(key)])
        if not writes:
            self._go_on(agreement)

    def _go_on(self, agreement: Agreement, *, is_first: bool = False) -> None:
        """With the changes of the next rank."""
        writes = self._agreements[agreement]
        while agreement.left and not writes:
            rank = RANKS[agreement.left[0].kind]
            while agreement.left and RANKS[agreement.left[0].kind] == rank:
                change = agreement.left.pop(0)
                lacks = self._add(agreement, change)
                if lacks:
                    words = f"{change.kind} '{change.name}' belongs to something that isn't the cluster's"
                    self._end(agreement, State.FAILED if is_first else State.OVERTAKEN, words)
                    return
        if not writes:
            self._end(agreement, State.AGREED)

    def _add(self, agreement: Agreement, change: Change) -> bool:
        """Have a change written; whether it lacks what it belongs to."""
        table = self._table
        key = key_of(change.kind, change.vhost, change.name)
        expected = table.revision(key)
        if change.value is None:
            if table.item(key) is None:
                return False
            write = Write(key, None, None, expected, agreement, "")
        else:
            of: dict[str, int] = {}
            for other in belongs_to(change.kind, change.vhost, change.name, change.value):
                item = table.item(other)
                if item is None or not table.counts(other):
                    return True
                of[other] = item.made
            before = table.item(key) if table.counts(key) else None
            if before is None:
                agreement.made.add(change[:3])
            made = 0 if before is None else before.made
            number = new_id()
            at_ms = max(agreement.began_at_ms, 0)
            item = Item(change.kind, change.vhost, change.name, change.value, made, of, self.node, number, at_ms)
            write = Write(key, item, item.encoded(), expected, agreement, number)
        self._agreements[agreement].append(write)
        self._enqueue(write)
        return False

    def _enqueue(self, write: Write) -> None:
        self._to_write.append(write)
        self.written()

    def _end(self, agreement: Agreement, state: State, words: str = "") -> None:
        self._agreements.pop(agreement, None)
        agreement.end(state, ClusterAway(words) if state is State.FAILED else None)


def _is_its_own(write: Write, found: Found) -> bool:
    if write.raw is None:
        # Whoever has deleted it, it is gone, as was wanted.
        return found.is_gone and found.revision > write.expected
    return bool(write.id) and found.id == write.id


def _ignore() -> None:
    pass
