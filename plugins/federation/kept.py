"""Which links have made something at an upstream, over restarts: nothing is to stay there of those that are gone.

An exchange that doesn't outlive a restart has no link afterwards, and a link may be removed while its upstream can't be
reached: then its queue would fill up at the upstream for ever.  So the names of links are in a small file beside the
broker's data, before they make anything, until it is cleaned up.  Nothing secret is in it; where the upstream is, its
parameter says.  A file that can't be read or written is logged, and federation works without.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
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
    """The file.  data_directory: None for a broker in memory, which keeps nothing."""

    def __init__(self, data_directory: Path | None, log: logging.Logger) -> None:
        self._path = None if data_directory is None else data_directory / FILE
        self._log = log
        self._keys: dict[LinkKey, None] = {}
        self._writing = trio.Lock()

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

    async def add(self, key: LinkKey) -> None:
        """A link is about to make something."""
        if key not in self._keys:
            self._keys[key] = None
            await self._write()

    async def discard(self, key: LinkKey) -> None:
        """Nothing of it is there any more, or what is may stay."""
        if key in self._keys:
            del self._keys[key]
            await self._write()

    async def _write(self) -> None:
        path = self._path
        if path is None:
            return
        async with self._writing:
            text = json.dumps([[list(key.target), key.upstream, key.there] for key in self._keys], indent=1)
            try:
                await trio.to_thread.run_sync(_replace, path, text)
            except OSError as error:
                self._log.warning("%s can't be written: %s", path, error)


def _replace(path: Path, text: str) -> None:
    """Write a file as a whole, or leave the one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def _key_from(value: Any) -> LinkKey:
    (vhost, kind, name), upstream, there = value
    if not all(isinstance(each, str) for each in (vhost, name, upstream, there)) or kind not in ("exchange", "queue"):
        raise ValueError(f"{value!r} is no link")
    return LinkKey(TargetKey(vhost, kind, name), upstream, there)
