"""What exchanges that drop duplicates say of messages that are prepared to be published together (staging.py).

What is a duplicate of one that was published before, or comes before it among these, is known when it is prepared;
nobody else hears of these messages until they are published.  Then everything is looked at once more, as others may
have published the same meanwhile, and it is remembered.

Where more than a window holds is to come into it, nobody can say beforehand what it has forgotten until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.messages.deduplication import DeduplicationWindow

if TYPE_CHECKING:
    from warren.core.exchanges.duplicates import DuplicateFilter
    from warren.core.messages.message import Message


class _Coming:
    """What is to come into the window of one exchange, in order."""

    __slots__ = ("count", "window")

    def __init__(self, window: DeduplicationWindow) -> None:
        self.window = window
        self.count = 0


class StagedDuplicates:
    """Of one transaction."""

    __slots__ = ("_coming", "_fresh", "_known", "_now_ms")

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._coming: dict[DuplicateFilter, _Coming] = {}
        self._fresh: list[tuple[DuplicateFilter, str]] = []
        self._known: list[tuple[DuplicateFilter, str]] = []

    def ask(self, duplicates: DuplicateFilter, message: Message) -> bool | None:
        """As `DuplicateFilter.is_duplicate`; None when that can't be said yet."""
        value = duplicates.value_of(message)
        if value is None:
            return False
        coming = self._coming.get(duplicates)
        if coming is None:
            # All are published at one time, so that none of them is forgotten for its age.
            coming = self._coming[duplicates] = _Coming(DeduplicationWindow(duplicates.size, None))
        if coming.window.knows(value, self._now_ms):
            return True
        if duplicates.knows_value(value, self._now_ms):
            if duplicates.pushes_out(coming.count):
                return None
            self._known.append((duplicates, value))
            return True
        coming.window.seen(value, self._now_ms)
        coming.count += 1
        self._fresh.append((duplicates, value))
        return False

    def forget(self, duplicates: DuplicateFilter, message: Message) -> None:
        """The message, which was none of the duplicates, is not taken after all."""
        value = duplicates.value_of(message)
        if value is not None:
            coming = self._coming[duplicates]
            coming.window.forget(value)
            coming.count -= 1
            # It is among those that came last.
            at = len(self._fresh) - 1
            while self._fresh[at] != (duplicates, value):
                at -= 1
            del self._fresh[at]

    def hold(self, now_ms: int) -> bool:
        """Whether all that was said is so still."""
        return all(duplicates.knows_value(value, now_ms) for duplicates, value in self._known) and not any(
            duplicates.knows_value(value, now_ms) for duplicates, value in self._fresh
        )

    def remember(self, now_ms: int) -> None:
        """Now they are published."""
        for duplicates, value in self._fresh:
            duplicates.remember(value, now_ms)
