"""The ledger of segments: which segment holds a position, what a settlement kills, and which segments may go.

The rule that everything serves: *a settlement must stay on disk exactly as long as a file holds its message.*
So

* a segment may be deleted when none of its own entries is live and none of its settlements concerns an entry
  that an older segment's file still holds (`Segment.targets` is empty);
* deleting or compacting a segment drops its dead entries from disk, and so frees the settlements of these
  entries elsewhere, which may make further segments deletable.

The last segment is the one being written: it is never deleted nor compacted.  Segments are looked at for
upkeep only when something about them has changed (`touched`), so that asking is cheap.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from warren.core.storage.disk.segment import Segment


class Ledger:
    """All segments in order of position; see the head of this file for the rules."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._bases: list[int] = []
        self._touched: set[Segment] = set()

    @property
    def last(self) -> Segment:
        """The segment being written."""
        return self.segments[-1]

    def add(self, segment: Segment) -> None:
        """Append `segment`, which becomes the last; the one before is open to upkeep from now on."""
        if self.segments:
            self._touched.add(self.segments[-1])
        self.segments.append(segment)
        self._bases.append(segment.base)

    def remove(self, segments: list[Segment]) -> None:
        """Forget segments whose files are gone, and free the settlements elsewhere that concerned them."""
        gone = {segment.base for segment in segments}
        self.segments = [segment for segment in self.segments if segment.base not in gone]
        self._bases = [segment.base for segment in self.segments]
        self._touched.difference_update(segments)
        for segment in self.segments:
            for base in gone & segment.targets.keys():
                del segment.targets[base]
                self._touched.add(segment)

    def find(self, position: int) -> Segment | None:
        """The segment that stands for `position`, if there still is one."""
        index = bisect_right(self._bases, position) - 1
        if index < 0 or position >= self.segments[index].end:
            return None
        return self.segments[index]

    def split(self, positions: array[int]) -> list[tuple[Segment, array[int]]]:
        """Ascending `positions` by the segment they are in; those of segments that are gone are left out."""
        parts = []
        start, count = 0, len(positions)
        while start < count:
            index = bisect_right(self._bases, positions[start]) - 1
            if index < 0:
                start = bisect_left(positions, self._bases[0], start)
                continue
            segment = self.segments[index]
            stop = bisect_left(positions, segment.end, start)
            if stop > start:
                parts.append((segment, positions[start:stop]))
            elif index + 1 < len(self._bases):
                stop = bisect_left(positions, self._bases[index + 1], start)
            else:
                stop = count
            start = stop
        return parts

    def book_settled(self, source: Segment, queue_id: int, positions: array[int]) -> None:
        """Entries of the queue at these ascending positions are settled by a record in `source`."""
        for target, part in self.split(positions):
            target.book_settled(queue_id, part)
            self._touched.add(target)
            if target is not source:
                source.targets[target.base] = source.targets.get(target.base, 0) + len(part)

    def settlements_of(self, target: Segment) -> dict[int, int]:
        """How many settlements of entries in `target` each segment holds, by base."""
        return {
            segment.base: segment.targets[target.base] for segment in self.segments if target.base in segment.targets
        }

    def settled_elsewhere(self, source: Segment) -> dict[int, list[array[int]]]:
        """Dead entries, by queue, of the segments that settlements in `source` concern (itself excepted)."""
        found: dict[int, list[array[int]]] = {}
        for segment in self.segments:
            if segment.base in source.targets:
                for queue_id, positions in segment.settled.items():
                    found.setdefault(queue_id, []).append(positions)
        return found

    def free_settlements(self, target: Segment, counts: dict[int, int]) -> None:
        """`target` was rewritten: so many settlements, by base of their segment, are needless."""
        for segment in self.segments:
            count = counts.get(segment.base)
            if count:
                left = segment.targets[target.base] - count
                if left:
                    segment.targets[target.base] = left
                else:
                    del segment.targets[target.base]
                self._touched.add(segment)

    def touch(self, segment: Segment) -> None:
        """Have `segment` looked at again for upkeep."""
        self._touched.add(segment)

    def take_deletable(self) -> list[Segment]:
        """Segments to delete now, in order."""
        last = self.last
        found = [
            segment
            for segment in self._touched
            if not segment.live_count and not segment.targets and segment is not last
        ]
        self._touched.difference_update(found)
        return sorted(found, key=lambda segment: segment.base)

    def take_compactable(self) -> Segment | None:
        """The first segment that would shrink to half or has damage to leave behind, or None."""
        last = self.last
        for segment in sorted(self._touched, key=lambda segment: segment.base):
            self._touched.discard(segment)
            if segment is last:
                continue
            if segment.damaged or segment.estimated_bytes() * 2 < segment.size:
                return segment
        return None
