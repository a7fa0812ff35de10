"""Which links have made something at an upstream, over restarts: nothing is to stay there of those that are gone.

An exchange that doesn't outlive a restart has no link afterwards, and a link may be removed while its upstream can't be
reached: then its queue would fill up at the upstream for ever.  So the names of links are in a small file beside the
broker's data, before they make anything, until it is cleaned up.  Nothing secret is in it; where the upstream is, its
parameter says.  A file that can't be read or written is logged, and federation works without.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio

if TYPE_CHECKING:
    from warren.core.exchanges.binding import DestinationKind

FILE: Final = Path("plugins", "federation", "links.json")
"""Below the data directory."""

ID_BYTES: Final = 8
"""Links that one broker has are told apart by 64 bits: no collisions by chance, and short to type."""


class TargetKey(NamedTuple):
    """Names what is federated."""

    vhost: str
    kind: DestinationKind
    name: str


class LinkKey(NamedTuple):
    """Names a link.  there: what is federated, as it is called at the upstream."""

    target: TargetKey
    upstream: str
    there: str

    @property
    def id(self) -> str:
        """The same at each start, for `restart_federation_link`."""
        return blake2b("\0".join((*self.target, *self[1:])).encode(), digest_size=ID_BYTES).hexdigest()


class Kept:
    """The file, and whose each key is; None's, if a former run has left it.

    data_directory: None for a broker in memory, which keeps nothing.
    """

    def __init__(self, data_directory: Path | None, log: logging.Logger) -> None:
        self._path = None if data_directory is None else data_directory / FILE
        self._log = log
        self._keys: dict[LinkKey, object | None] = {}
        self._writing = trio.Lock()
        self._changes = 0
        self._changes_written = 0

    def __iter__(self) -> Iterator[LinkKey]:
        return iter(list(self._keys))

    async def load(self) -> None:
        """Read what the last run has left."""
        if self._path is None:
            return
        try:
            found = json.loads(await trio.Path(self._path).read_text())
            self._keys = dict.fromkeys(_key_from(each) for each in found)
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, LookupError) as error:
            self._log.warning("%s can't be read; what links have left at upstreams stays there: %s", self._path, error)

    def claim(self, key: LinkKey, owner: object) -> bool:
        """Whether a former run has left something under this key, which is the owner's from now on."""
        if self._keys.get(key, self) is not None:
            return False
        self._keys[key] = owner
        return True

    async def add(self, key: LinkKey, owner: object) -> None:
        """A link is about to make something; what is there under this key is its own."""
        new = key not in self._keys
        self._keys[key] = owner
        if new:
            await self._write()

    async def discard(self, key: LinkKey, owner: object | None) -> None:
        """Nothing of it is there any more, or what is may stay; unless it is somebody else's by now."""
        if self._keys.get(key, self) is owner:
            del self._keys[key]
            await self._write()

    async def _write(self) -> None:
        """What many links change at a time is written once for all of them."""
        path = self._path
        if path is None:
            return
        self._changes += 1
        change = self._changes
        async with self._writing:
            if self._changes_written >= change:
                return
            self._changes_written = self._changes
            try:
                await trio.to_thread.run_sync(_replace, path, list(self._keys))
            except OSError as error:
                self._log.warning("%s can't be written: %s", path, error)


def _replace(path: Path, keys: Sequence[LinkKey]) -> None:
    """Write a file as a whole, or leave the one that is there; in a thread, as thousands of keys take a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    lines = (json.dumps([list(key.target), key.upstream, key.there]) for key in keys)
    new.write_text("[" + ",\n".join(lines) + "]")
    new.replace(path)


def _key_from(value: Any) -> LinkKey:
    (vhost, kind, name), upstream, there = value
    if not all(isinstance(each, str) for each in (vhost, name, upstream, there)) or kind not in ("exchange", "queue"):
        raise ValueError(f"{value!r} is no link")
    return LinkKey(TargetKey(vhost, kind, name), upstream, there)
