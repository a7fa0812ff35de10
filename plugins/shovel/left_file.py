"""What shovels have at other brokers that outlives their connections, noted over restarts (`left_behind`).

A shovel of the configuration may be changed or removed while the broker doesn't run.  What the one before had at a
broker would stay there, and collect messages for nobody: an MQTT session with topics that aren't wanted any more, a
STOMP subscription.  So what is there is noted before it is made.  The note has no password; so what nobody wants any
more is ended by way of a shovel that reaches the same broker now, and is told of in the log where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from warren.plugins.bridging.kept_file import KeptFile
from warren.plugins.shovel.left_behind import end_kept
from warren.plugins.shovel.mqtt_sessions import session_from
from warren.plugins.shovel.stomp_subscriptions import subscription_from

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from pathlib import Path

    from warren.core.storage.definitions.store import JSON
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.left_behind import Kept, Key

PLUGIN: Final = "shovel"
FILE: Final = "left.json"

_BUILDERS: Final = {"mqtt": session_from, "stomp": subscription_from}
"""By the first part of a key: what it names, if one of the definitions says how to get there."""


class LeftFile:
    """See the head of this file.  data_directory: None for a broker in memory, whose notes are its own alone."""

    def __init__(self, data_directory: Path | None, log: logging.Logger) -> None:
        self._log = log
        self._noted: dict[Key, Mapping[str, JSON]] = {}
        self._file = KeptFile(
            data_directory, PLUGIN, FILE, log, self._rows, lost="what shovels have left at other brokers stays there"
        )

    async def load(self) -> None:
        """Read what the last run has left."""
        await self._file.load(self._read)

    def get(self, key: Key) -> Mapping[str, JSON]:
        """What is noted under a key; nothing for none."""
        return self._noted.get(key, {})

    async def note(self, *kept: Kept) -> None:
        """These are there, or are about to be."""
        changed = {each.key: each.note(self.get(each.key)) for each in kept}
        if any(self._noted.get(key) != more for key, more in changed.items()):
            self._noted.update(changed)
            await self._file.write()

    async def replace(self, key: Key, more: Mapping[str, JSON]) -> None:
        """This is all that is there now."""
        if self._noted.get(key) != more:
            self._noted[key] = more
            await self._file.write()

    async def discard(self, key: Key) -> None:
        """It is there no more."""
        if self._noted.pop(key, None) is not None:
            await self._file.write()

    async def end(self, kept: Kept) -> None:
        """End something at a broker, or log why that can't be done; it isn't noted any more."""
        await end_kept(kept, self._log)
        await self.discard(kept.key)

    async def end_unwanted(self, definitions: Iterable[ShovelDefinition], wanted: Iterable[Key]) -> None:
        """End what a former run has left that none of these shovels comes back to."""
        known, keys = list(definitions), set(wanted)
        for key in [each for each in self._noted if each not in keys]:
            kept = _BUILDERS[str(key[0])](key, self._noted[key], known)
            if kept is not None:
                await self.end(kept)
                continue
            self._log.warning(
                "a shovel that is declared no more has left '%s' at %s:%s: nobody here can log in there to end it",
                key[1],
                key[2],
                key[3],
            )
            await self.discard(key)

    def _read(self, row: Any) -> None:
        key, more = row
        if key[0] not in _BUILDERS or not isinstance(more, dict) or not _is_key(key):
            raise ValueError(f"{row!r} is nothing that a shovel leaves")
        self._noted[tuple(key)] = more

    def _rows(self) -> Sequence[Any]:
        return [[list(key), more] for key, more in self._noted.items()]


def _is_key(key: Any) -> bool:
    return len(key) >= 4 and all(each is None or isinstance(each, str | int) for each in key)
