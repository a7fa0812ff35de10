"""What a node knows of the cluster: who is there, and whose the shards are, as the buckets say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from warren.core.cluster.hook import Node
from warren.gateway.cluster.names import shard_number
from warren.gateway.nats.leases import holder_of, said_by
from warren.gateway.nats.watching import WatchMark, watch

if TYPE_CHECKING:
    from warren.gateway.nats.key_value import Bucket, Entry
    from warren.gateway.nats.trio_client import TrioClient

T = TypeVar("T")


class Table(Generic[T]):
    """The rows of a bucket, kept up to date.

    read: what an entry says; None for nothing.  changed: called with the key when its row is another one, and with an
    empty one when all have come.  is_complete: all have.
    """

    def __init__(self, read: Callable[[Entry], T | None], changed: Callable[[str], None]) -> None:
        self.rows: dict[str, T] = {}
        self.is_complete = False
        self._read = read
        self._changed = changed
        self._seen: set[str] | None = None

    async def watch(self, client: TrioClient, bucket: Bucket) -> None:
        """Until cancelled.  Raises NatsError for what won't mend by itself."""
        async with watch(client, bucket) as watching:
            while True:
                word = await watching.receive()
                if word is WatchMark.BEGINS_ANEW:
                    self._seen = set()
                elif isinstance(word, WatchMark):
                    self._all_came()
                else:
                    self._came(word)

    def _came(self, entry: Entry) -> None:
        if self._seen is not None:
            self._seen.add(entry.key)
        self._set(entry.key, self._read(entry))

    def _set(self, key: str, row: T | None) -> None:
        if self.rows.get(key) == row:
            return
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row
        self._changed(key)

    def _all_came(self) -> None:
        seen, self._seen = self._seen, None
        if seen is not None:
            for key in [key for key in self.rows if key not in seen]:
                self._set(key, None)
        self.is_complete = True
        self._changed("")


def node_of(entry: Entry) -> Node | None:
    """A node, by its lease."""
    said = said_by(entry)
    name = said.get("node")
    if not isinstance(name, str):
        return None
    started = said.get("started_at_ms")
    return Node(
        name,
        str(said.get("link", "")),
        str(said.get("version", "")),
        started if isinstance(started, int) else 0,
        said.get("draining") is True,
    )


def owner_of(entry: Entry) -> str | None:
    """The node that has a shard, by its lease."""
    return holder_of(entry) or None if shard_number(entry.key) >= 0 else None
