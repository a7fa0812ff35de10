"""Log lines about what may happen a thousand times a second: of each kind, one in a while.

Who drops or refuses something says so, but a log that grows by a line per message is a damage of its own.  So a line
is said under a key (what happened, to whom); for `EVERY_MS` the same key is silent, and the next line says how often it
was.  A counter beside it has the exact number.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from logging import Logger

EVERY_MS: Final = 60_000
"""A minute: often enough to be seen while it lasts, seldom enough for a log of days."""

KEYS_MAX: Final = 1000
"""Keys remembered; beyond that the one that spoke first is forgotten, and may speak again."""


class RationedLog:
    """Of one broker; see the head of this file.  every_ms: how long a key is silent after a line, in milliseconds."""

    __slots__ = ("_every_ms", "_keys_max", "_silent")

    def __init__(self, every_ms: int = EVERY_MS, keys_max: int = KEYS_MAX) -> None:
        self._every_ms = every_ms
        self._keys_max = keys_max
        self._silent: dict[Hashable, tuple[int, int]] = {}

    def warning(self, logger: Logger, key: Hashable, now_ms: int, text: str, *arguments: object) -> None:
        """Log a warning, unless one was logged under this key less than `every_ms` ago.

        now_ms: the broker's time in milliseconds.  text, arguments: as logging takes them.
        """
        silent = self._silent
        known = silent.get(key)
        if known is not None:
            until_ms, left_out = known
            if now_ms < until_ms:
                silent[key] = (until_ms, left_out + 1)
                return
            del silent[key]
            if left_out:
                text += " (%d more times since the last such line)"
                arguments = (*arguments, left_out)
        elif len(silent) >= self._keys_max:
            del silent[next(iter(silent))]
        silent[key] = (now_ms + self._every_ms, 0)
        logger.warning(text, *arguments)
