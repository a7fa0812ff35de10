"""How often each limit has refused, dropped or ended something, and the log line about it.

A limit that nobody is told of looks like a fault.  Whatever a limit does to somebody is counted here under the limit's
name, which is that of its configuration key where there is one; docs/limits.md lists them all.  `warn` also says it in
the log, once in a while for each limit and whom it concerns (core/rationed_log.py); where the one who asked is told,
and his connection has a line of its own, `count` is enough.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from logging import Logger

    from warren.core.broker import Broker


class Hits(NamedTuple):
    """What one limit did, so many times.  last_at_ms: when it did so last, in the broker's time."""

    times: int
    last_at_ms: int


class Limited(Protocol):
    """An error that may say which limit it comes from; an empty `limit` says that it comes from none."""

    limit: str


LimitedError = TypeVar("LimitedError", bound=Limited)


def limited(error: LimitedError, limit: str) -> LimitedError:
    """`error`, which comes from the limit of this name: who handles it counts that (`LimitHits.count_error`)."""
    error.limit = limit
    return error


class LimitHits:
    """Of one broker; see the head of this file.  by_limit: what each did since the start; none that did nothing."""

    __slots__ = ("_broker", "by_limit")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.by_limit: dict[str, Hits] = {}

    def of(self, limit: str) -> int:
        """How often a limit did something."""
        found = self.by_limit.get(limit)
        return found.times if found is not None else 0

    def count(self, limit: str, times: int = 1) -> None:
        """A limit has done something so often."""
        if times:
            self.by_limit[limit] = Hits(self.of(limit) + times, self._broker.now_ms)

    def count_error(self, error: Exception) -> None:
        """The same for an error that comes from a limit; others count for nothing."""
        limit = getattr(error, "limit", "")
        if limit:
            self.count(limit)

    def warn(self, limit: str, who: Hashable, logger: Logger, text: str, *arguments: object, times: int = 1) -> None:
        """Count it, and say it in the log, unless the same was said of `who` a short while ago."""
        if times:
            self.count(limit, times)
            broker = self._broker
            broker.rationed_log.warning(logger, (limit, who), broker.now_ms, text, *arguments)
