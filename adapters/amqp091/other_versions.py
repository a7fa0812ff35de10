"""Other versions of AMQP that are spoken here, each by a protocol of its own: told apart by the protocol header.

Whoever connects to a listener for AMQP may begin with any version (AMQP 0-9-1 4.2.2; spec A.2).  The other protocols
are those that are installed and know their first bytes; which of them there are is asked when a header comes that isn't
of this version, and what speaks one is made then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.interface import Beginning

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier, Options


class OtherVersions:
    """Of one listener.  name: of the protocol that asks."""

    __slots__ = ("_made", "_name", "_options")

    def __init__(self, options: Options, name: str) -> None:
        self._options = options
        self._name = name
        self._made: dict[str, AcceptCarrier] = {}

    def find(self, start: bytes) -> tuple[Beginning, AcceptCarrier | None]:
        """What the beginning of a connection is to the others, and what speaks it if one of them is sure."""
        found = Beginning.OTHER
        for name, adapter in self._options.installed.own().items():
            if name == self._name or adapter.first_bytes is None or not b"AMQP".startswith(start[:4]):
                continue
            judged = adapter.first_bytes(start)
            if judged is Beginning.MINE:
                accept = self._made.get(name)
                if accept is None:
                    accept = self._made[name] = self._options.accept(adapter)
                return judged, accept
            if judged is Beginning.MORE:
                found = judged
        return found, None
