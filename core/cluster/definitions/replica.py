"""This node's copy of what the cluster shares: what the bucket holds, as rows, and as queues, exchanges, users.

Theory of operation
-------------------
The gateway watches the bucket and tells of each value that a key has, and of each key that is gone, in the order of
revisions; after a gap it begins anew with all keys, and says when it is through.

    entry, gone       a key has a value, or none any more
    begins_anew       all keys follow; what doesn't come before `caught_up` is gone
    caught_up         all has come

What counts follows from the table alone (table.py).  `settle` compares it with what was done here, and does the
difference: first what goes, then what comes, in the order in which one belongs to the other.  What can't be done at
present stays in `blocked` with the reason, and is tried again when what was in the way may have gone.

All values are kept in the definition store, too, in the same transaction as what they bring about, so a start without
the bucket knows everything.  What was deleted meanwhile is what doesn't come any more once it is read anew.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.cluster.definitions.applying import Applier
from warren.core.cluster.definitions.items import CLUSTER_KEY, QUEUE, Item, decode, key_of
from warren.core.cluster.definitions.proposals import Proposals
from warren.core.cluster.definitions.rows import NODE, is_same, local_rows
from warren.core.cluster.definitions.table import Table
from warren.core.component import Component

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.cluster.agreements import Agreements, Change
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.cluster")

KIND: Final = "x-cluster"
"""Of the rows in the definition store."""

AT_ONCE: Final = 100
"""Values that are looked at in one slice: some ten microseconds each, if something has to be made."""


class Done(NamedTuple):
    """What was done here for a key, and at which revision."""

    item: Item
    revision: int


class Replica(Component):
    """See the head of this file; a component of its broker.

    cluster: what the bucket says of itself, None where it doesn't, with the revision of that.  saved: what it said when
    it was last seen.  applies: whether what comes is done; not before this node has joined (joining.py).  blocked: why
    something can't be done here at present, by key.  unreadable: what can't be read of the bucket, by key.  revision:
    the last one that was heard of.  bucket_revision: the last one that the bucket has given to anything, 0 where nobody
    has looked.
    """

    __slots__ = (
        "_broker",
        "_done",
        "_fresh",
        "_is_retrying",
        "_unkept",
        "agreements",
        "applier",
        "applies",
        "blocked",
        "bucket_revision",
        "cluster",
        "proposals",
        "revision",
        "saved",
        "table",
        "unreadable",
    )

    def __init__(self, broker: Broker, agreements: Agreements) -> None:
        self._broker = broker
        self.agreements = agreements
        self.table = Table()
        self.proposals = Proposals(agreements.node, self.table)
        self.applier = Applier(broker, agreements, self.retry_soon)
        self.applies = False
        self.blocked: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self.cluster: tuple[Mapping[str, JSON] | None, int] = None, 0
        self.saved: Mapping[str, JSON] = {}
        self.revision = 0
        self.bucket_revision = 0
        self._done: dict[str, Done] = {}
        self._fresh: dict[str, tuple[Item | None, int]] | None = {}
        self._is_retrying = False
        self._unkept: dict[str, None] = {}

    # A component of the broker

    def restore(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> bool:
        if kind != KIND:
            return False
        if name == CLUSTER_KEY:
            self.saved = value
            self.revision = int(str(value["revision"]))
        else:
            revision = int(str(value["revision"]))
            self.table.put(name, decode(str(value["value"]).encode(), revision), revision)
        return True

    def restored(self) -> None:
        """Take what is declared here for done, where it is what the rows say."""
        self.adopt()
        self._broker.watchers.add(self)

    def adopt(self) -> None:
        """What is declared here and is what the cluster has need not be done."""
        for change in local_rows(self._broker, self.agreements.node):
            key = key_of(*change[:3])
            item = self.table.item(key)
            if key in self._done or item is None or change.value is None or not self.table.counts(key):
                continue
            if is_same(item.kind, item.row, change.value):
                self._done[key] = Done(item, self.table.revision(key))

    def foreign(self) -> tuple[list[Change], list[Change]]:
        """What is declared here, and not in the cluster; and what the cluster has otherwise."""
        missing, different = [], []
        for change in local_rows(self._broker, self.agreements.node):
            key = key_of(*change[:3])
            item = self.table.item(key)
            if key in self._done:
                continue
            if item is None or not self.table.counts(key):
                missing.append(change)
            elif not is_same(item.kind, item.row, change.value or {}):
                different.append(change)
        return missing, different

    def before_stop(self) -> None:
        if self.saved:
            self.save(self.saved)

    # What the watch tells

    @property
    def is_catching_up(self) -> bool:
        """Whether it is waiting for `caught_up`."""
        return self._fresh is not None

    def begins_anew(self) -> None:
        """All keys follow once more."""
        self._fresh = {}
        self.cluster = None, 0

    def entry(self, key: str, value: bytes | None, revision: int) -> None:
        """A key has this value now, or none.  A value that can't be read is left out, and logged."""
        if key == CLUSTER_KEY:
            self._take_cluster(value, revision)
            return
        item = None
        if value is not None:
            item = self._read(key, value, revision)
            if item is None:
                return
        if self._fresh is not None:
            self._fresh[key] = item, revision
            return
        self._take(key, item, revision)
        self.settle([key])
        self.proposals.look_at(key)

    def caught_up(self) -> None:
        """All has come since it began anew, and what hasn't is gone: know it; `settle_in_slices` does it."""
        fresh, self._fresh = self._fresh or {}, None
        for key in self.table:
            if key not in fresh:
                self._take(key, None, 0)
        for key, (item, revision) in fresh.items():
            if self.table.revision(key) != revision or (item is None) != (self.table.item(key) is None):
                self._take(key, item, revision)

    def _take_cluster(self, value: bytes | None, revision: int) -> None:
        try:
            self.cluster = (None if value is None else json.loads(value)), revision
        except ValueError:
            _log.error("the key '%s' of the cluster's definitions can't be read", CLUSTER_KEY)

    def _read(self, key: str, value: bytes, revision: int) -> Item | None:
        try:
            item = decode(value, revision)
            if item.key != key:
                raise ValueError(f"what belongs to the key {item.key}")
        except ValueError as error:
            self.unreadable[key] = str(error)
            _log.error("the key %s of the cluster's definitions holds %s; left out on this node", key, error)
            return None
        self.unreadable.pop(key, None)
        return item

    def _take(self, key: str, item: Item | None, revision: int) -> None:
        self.revision = max(self.revision, revision)
        if item is None:
            self.table.remove(key, revision, self._broker.now_ms)
        else:
            self.table.put(key, item, revision)
        self._unkept[key] = None

    def _keep(self, keys: Iterable[str]) -> None:
        """Have the definition store know what is known of these."""
        store = self._broker.definitions
        for key in keys:
            self._unkept.pop(key, None)
            item = self.table.item(key)
            if item is None:
                store.delete(KIND, "", key)
            else:
                row: dict[str, JSON] = {"revision": self.table.revision(key), "value": item.encoded().decode()}
                store.put(KIND, "", key, row)

    def save(self, said: Mapping[str, JSON]) -> None:
        """Keep what is to be known of the cluster at the next start; it is committed with all that is done now."""
        self.saved = {**said, "revision": self.revision}
        self._broker.definitions.put(KIND, "", CLUSTER_KEY, self.saved)

    def queue_numbers(self) -> set[int]:
        """Of all replicated queues that there are, also of those that can't be here at present: those in their logs."""
        items = (self.table.item(key) for key in self.table if self.table.counts(key))
        return {item.made for item in items if item is not None and item.kind == QUEUE and not item.row.get(NODE)}

    # Doing the difference

    def settle(self, keys: Iterable[str]) -> None:
        """Do what has changed with these, and with what belongs to them; very much of it bit by bit."""
        if self.applies:
            slices = self.settle_in_slices(list(keys))
            if next(slices, _ENDED) is None:
                self._broker.chores.add(lambda: next(slices, _ENDED) is None)

    def settle_all(self) -> Iterator[None]:
        """The same for all that has become known, in slices; from now on things are done as they come."""
        self.applies = True
        changed = dict.fromkeys(self._unkept)
        changed.update((key, None) for key in self.table if key not in self._done)
        changed.update((key, None) for key in self._done if not self.table.counts(key))
        yield from self.settle_in_slices(list(changed))
        self.proposals.look_at_all()

    def settle_in_slices(self, keys: Sequence[str]) -> Iterator[None]:
        """See `settle`."""
        going = self._in_order((key for key in keys if self._goes(key)), is_of_done=True)
        gone = set(going)
        for number, key in enumerate(going, 1):
            self._undo(key, gone)
            if number % AT_ONCE == 0:
                yield
        for number, key in enumerate(self._in_order(key for key in keys if self._comes(key)), 1):
            self._do(key)
            if number % AT_ONCE == 0:
                yield
        for number in range(0, len(keys), AT_ONCE):
            self._keep(keys[number : number + AT_ONCE])
            yield
        coming: list[str] = []
        work = 0
        for key in keys:
            for other in self.table.belonging_to(key):
                work += 1
                if work % AT_ONCE == 0:
                    yield
                if self._goes(other):
                    self._done.pop(other)
                if self._comes(other):
                    coming.append(other)
        for number, key in enumerate(self._in_order(coming), 1):
            self._do(key)
            if number % AT_ONCE == 0:
                yield

    def retry_soon(self) -> None:
        """Something that was in the way may be so no longer."""
        if self.blocked and not self._is_retrying:
            self._is_retrying = True
            self._broker.chores.add(self._retry)

    def _retry(self) -> bool:
        self._is_retrying = False
        self.settle(list(self.blocked))
        return False

    def _goes(self, key: str) -> bool:
        """Whether what was done for it is to be undone."""
        done = self._done.get(key)
        if done is None:
            self._unblock(key)
            return False
        item = self.table.item(key)
        return item is None or item.made != done.item.made or not self.table.counts(key)

    def _comes(self, key: str) -> bool:
        """Whether something is to be done for it."""
        done = self._done.get(key)
        return self.table.counts(key) and (done is None or done.revision != self.table.revision(key))

    def _unblock(self, key: str) -> None:
        if key in self.blocked and not self.table.counts(key):
            del self.blocked[key]

    def _in_order(self, keys: Iterable[str], *, is_of_done: bool = False) -> list[str]:
        """What others belong to first, and otherwise by key, so that all nodes do it in one order."""
        found = {}
        for key in keys:
            item = self._done[key].item if is_of_done else self.table.item(key)
            found[key] = 0 if item is None else item.rank
        return sorted(found, key=lambda key: (found[key], key))

    def _undo(self, key: str, gone: set[str]) -> None:
        if self._goes(key):
            item = self._done.pop(key).item
            # What belongs to something that goes, goes with it.
            if not any(other in gone for other in item.of):
                self.applier.remove(item)

    def _do(self, key: str) -> None:
        item = self.table.item(key)
        if item is None or not self._comes(key):
            return
        reason = self.applier.put(item)
        if not reason:
            self.blocked.pop(key, None)
            self._done[key] = Done(item, self.table.revision(key))
        elif self.blocked.get(key) != reason:
            self.blocked[key] = reason
            _log.warning("%s is the cluster's, but not to be had on this node for now: %s", item, reason)

    # Who watches the topology

    def policies_changed(self, target: Queue | Exchange) -> None:
        """Nothing of it matters here."""

    def gone(self, target: Queue | Exchange) -> None:
        """It may have been in the way."""
        self.retry_soon()

    def bound(self, exchange: Exchange, binding: Binding) -> None:
        """Nothing of it matters here."""

    def unbound(self, exchange: Exchange, bindings: Sequence[Binding]) -> None:
        """Nothing of it matters here."""


_ENDED: Final = object()
