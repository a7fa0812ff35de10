"""Property lists as they go on from a link, remembered for messages that come with the same ones.

Putting an entry in front of an array within the headers takes longer than all else that is done to a message, and
programs publish with the same few property lists over and over.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties

KNOWN_MAX: Final = 256
KNOWN_BYTES_MAX: Final = 256
"""How many are remembered, and of what size: as many as a connection does (adapters.amqp091.client.connection)."""


class KnownProperties:
    """Of one link."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Hashable, Properties] = {}

    def of(self, properties: Properties, along: Hashable, make: Callable[[], Properties]) -> Properties:
        """What `make` has made of such properties before, or makes now.  along: what else it goes by."""
        key = properties.raw, along
        found = self._known.get(key)
        if found is None:
            found = make()
            if len(properties.raw) <= KNOWN_BYTES_MAX:
                if len(self._known) >= KNOWN_MAX:
                    self._known.clear()
                self._known[key] = found
        return found
