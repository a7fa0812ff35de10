"""Which links have made something at an upstream, over restarts: nothing is to stay there of those that are gone.

An exchange that doesn't outlive a restart has no link afterwards, and a link may be removed while its upstream can't be
reached: then its queue would fill up at the upstream for ever.  So the names of links are in a small file beside the
broker's data, before they make anything, until it is cleaned up.  Nothing secret is in it; where the upstream is, its
parameter says.  A file that can't be read or written is logged, and federation works without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.plugins.bridging.kept_file import KeptFile

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from warren.core.exchanges.binding import DestinationKind

PLUGIN: Final = "federation"
FILE: Final = "links.json"

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
        self._keys: dict[LinkKey, object | None] = {}
        self._file = KeptFile(
            data_directory, PLUGIN, FILE, log, self._rows, lost="what links have left at upstreams stays there"
        )

    def __iter__(self) -> Iterator[LinkKey]:
        return iter(list(self._keys))

    async def load(self) -> None:
        """Read what the last run has left."""

        def read(row: Any) -> None:
            self._keys[_key_from(row)] = None

        await self._file.load(read)

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
            await self._file.write()

    async def discard(self, key: LinkKey, owner: object | None) -> None:
        """Nothing of it is there any more, or what is may stay; unless it is somebody else's by now."""
        if self._keys.get(key, self) is owner:
            del self._keys[key]
            await self._file.write()

    def _rows(self) -> Sequence[Any]:
        return [[list(key.target), key.upstream, key.there] for key in self._keys]


def _key_from(value: Any) -> LinkKey:
    (vhost, kind, name), upstream, there = value
    if not all(isinstance(each, str) for each in (vhost, name, upstream, there)) or kind not in ("exchange", "queue"):
        raise ValueError(f"{value!r} is no link")
    return LinkKey(TargetKey(vhost, kind, name), upstream, there)
