"""What the engine knows about one segment of the log while it runs.

An entry is one message in one queue.  A segment counts its unsettled entries (`live_count`) and keeps, per
queue, the positions settled since the file was (re)written in `settled`: these entries are in the file but
dead.  That is all a compaction needs, and the only cost that grows with messages, 8 bytes per dead entry;
live entries cost nothing.

Bytes are estimated, as nobody says the size of an entry when it is settled: small entries are taken to have
the average size, large ones are remembered one by one, so that ten stuck small messages can't hide that the
other 60 MB of a segment are dead.

`targets` counts, per base of an older segment, the settlements recorded here that concern dead entries still
in that segment's file.  As long as there are any, this segment must not go, or those entries would be back at
the next start.
"""

from __future__ import annotations

from array import array

from warren.core.storage.disk.records import start_size

LARGE_RECORD_SIZE = 65536
"""Records from this size on are accounted for one by one: at most 1,024 in a segment of 64 MiB."""


class Segment:
    """One segment: its range of positions, where its records are, and how much of it is alive.

    key: what the checksums of its records begin with (keys.py).
    base, end: the positions that it stands for, end exclusive (grows while it is the last one).
    size: bytes in use in the file; 0 when there is no file yet.
    positions, offsets: of every message in a sparse segment, ascending; None in a dense one.
    damaged: something in the file was set aside, so it should be rewritten without it.
    live_count: unsettled entries.
    small_count, small_live, small_bytes: entries of small records in the file, how many of them are live, and
    the bytes of these records, dead ones included.
    large: position of each large record in the file -> bytes per entry.
    large_bytes: the bytes of large entries that are live.
    settlement_count, settlement_bytes: settlements recorded in the file, needed or not, and the bytes they take.
    settled, targets: see the head of this file.
    """

    __slots__ = (
        "base",
        "damaged",
        "end",
        "key",
        "large",
        "large_bytes",
        "live_count",
        "offsets",
        "positions",
        "settled",
        "settlement_bytes",
        "settlement_count",
        "size",
        "small_bytes",
        "small_count",
        "small_live",
        "targets",
    )

    def __init__(self, base: int, key: int) -> None:
        self.base = base
        self.key = key
        self.end = base + start_size(key)
        self.size = 0
        self.positions: array[int] | None = None
        self.offsets: array[int] | None = None
        self.damaged = False
        self.live_count = 0
        self.small_count = 0
        self.small_live = 0
        self.small_bytes = 0
        self.large: dict[int, int] = {}
        self.large_bytes = 0
        self.settlement_count = 0
        self.settlement_bytes = 0
        self.settled: dict[int, array[int]] = {}
        self.targets: dict[int, int] = {}

    @property
    def sparse(self) -> bool:
        """True once compacted: file offsets no longer follow from positions."""
        return self.positions is not None

    def add_small(self, entry_count: int, record_bytes: int) -> None:
        """Small records of `record_bytes` in all, with so many entries in all, were written."""
        self.live_count += entry_count
        self.small_count += entry_count
        self.small_live += entry_count
        self.small_bytes += record_bytes

    def add_large(self, position: int, entry_count: int, record_bytes: int) -> None:
        """One large record with so many entries was written."""
        self.live_count += entry_count
        self.large[position] = record_bytes // entry_count
        self.large_bytes += self.large[position] * entry_count

    def add_settlements(self, count: int, record_bytes: int) -> None:
        """A record of `record_bytes` with so many settlements was written."""
        self.settlement_count += count
        self.settlement_bytes += record_bytes

    def book_settled(self, queue_id: int, positions: array[int]) -> None:
        """These entries of the queue, all in this segment, were settled."""
        settled = self.settled.get(queue_id)
        if settled is None:
            self.settled[queue_id] = positions[:]
        else:
            settled.extend(positions)
        large = self.large.keys() & positions if self.large else ()
        for position in large:
            self.large_bytes -= self.large[position]
        self.live_count -= len(positions)
        self.small_live -= len(positions) - len(large)

    def adopt(self, rewritten: Segment, live_count: int) -> None:
        """The file now is as `rewritten` says, which was made when `live_count` entries were live.

        Entries that the rewrite did not find, because of damage, still count until they are settled: their
        queues know of them.  What was settled since the rewrite began is in `settled` and is dead in the new
        file.
        """
        rewritten.add_small(live_count - rewritten.live_count, 0)
        self.size, self.positions, self.offsets = rewritten.size, rewritten.positions, rewritten.offsets
        self.live_count, self.small_live = rewritten.live_count, rewritten.small_live
        self.small_count, self.small_bytes = rewritten.small_count, rewritten.small_bytes
        self.large, self.large_bytes = rewritten.large, rewritten.large_bytes
        self.settlement_count, self.settlement_bytes = rewritten.settlement_count, rewritten.settlement_bytes
        self.damaged = False
        since, self.settled = self.settled, {}
        for queue_id, positions in since.items():
            self.book_settled(queue_id, positions)

    def note_dead(self, settled: dict[int, array[int]]) -> None:
        """Dead entries, already counted as such, that the file may still hold after a job that failed."""
        for queue_id, positions in settled.items():
            self.settled.setdefault(queue_id, array("Q")).extend(positions)

    def estimated_bytes(self) -> int:
        """About how many bytes the file would have after compaction; just after one, what it has."""
        small = _share(self.small_bytes, self.small_live, self.small_count)
        settlements = _share(self.settlement_bytes, sum(self.targets.values()), self.settlement_count)
        return start_size(self.key) + small + self.large_bytes + settlements


def _share(total_bytes: int, wanted: int, count: int) -> int:
    """The bytes of `wanted` out of `count` things that take `total_bytes`."""
    return total_bytes * wanted // count if count else 0
