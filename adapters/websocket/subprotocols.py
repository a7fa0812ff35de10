"""Which protocol is spoken inside a WebSocket: by the subprotocol that the client offers, or else by path and bytes.

Each adapter says what subprotocols and paths are its own (adapters.interface.Endpoint); / and /ws are for all of them.
The first known subprotocol of those that a client offers says which protocol is spoken.  Whoever offers none gets none:
then the path says it, and on / and /ws the first bytes do.  On some paths (MQTT's) one must be offered.

Protocols of other packages are looked for when something is asked for that none of Warren's own has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.first_bytes import MORE, TLS, recognise
from warren.adapters.websocket.settings import MESSAGE_SLACK_BYTES

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier, Adapter, Endpoint, Options

UNDECIDED: Final = ""
"""Spoken is what the first bytes say."""

OPEN_PATHS: Final = ("/", "/ws")
"""The paths where that is so."""


class Endpoints:
    """The protocols that one listener carries, configured when the first session needs them."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._accepts: dict[str, AcceptCarrier] = {}
        self._adapters: dict[str, Adapter] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._all_found = False
        self._take(options.installed.own())

    def __getitem__(self, protocol: str) -> Endpoint:
        return self._endpoints[protocol]

    @property
    def message_bytes_max(self) -> int:
        """The largest WebSocket message of somebody who has logged in, in bytes."""
        return MESSAGE_SLACK_BYTES + max(each.message_bytes_max for each in self._endpoints.values())

    def accept(self, protocol: str) -> AcceptCarrier:
        """What makes the sessions of this protocol."""
        accept = self._accepts.get(protocol)
        if accept is None:
            accept = self._accepts[protocol] = self._options.accept(self._adapters[protocol])
        return accept

    def paths(self) -> list[str]:
        """Where WebSockets are accepted."""
        return [*OPEN_PATHS, *(path for each in self._endpoints.values() for path in each.paths)]

    def subprotocols(self) -> list[str]:
        """All that are known."""
        return [name for each in self._endpoints.values() for name in each.subprotocols]

    def has_path(self, path: str) -> bool:
        """Whether there is an endpoint at this path."""
        return path in self.paths() or (self._find_others() and path in self.paths())

    def spoken_at(self, path: str) -> str:
        """The protocol at one of the paths for who offers no subprotocol; UNDECIDED where that is open."""
        return next((name for name, each in self._endpoints.items() if path in each.paths), UNDECIDED)

    def select(self, offered: Sequence[str]) -> tuple[str, str] | None:
        """(subprotocol, protocol) for the subprotocols that a client offers; None when none of them is known."""
        found = self._select(offered)
        if found is None and offered and self._find_others():
            found = self._select(offered)
        return found

    def recognise(self, first: bytes, *, is_text: bool) -> str | None:
        """What is spoken by whoever sends these bytes first; None while they are too few to say.

        What nobody knows is given to the first protocol that takes text, which can say in words that it is wrong.
        """
        candidates = self._speakers(is_text=is_text)
        found = recognise(first, candidates)
        if found in (None, TLS) and self._find_others():
            candidates = self._speakers(is_text=is_text)
            found = recognise(first, candidates)
        if found == MORE:
            return None
        if found in (None, TLS):
            return next(iter(self._speakers(is_text=True)))
        return found

    def _select(self, offered: Sequence[str]) -> tuple[str, str] | None:
        by_name = {name: protocol for protocol, each in self._endpoints.items() for name in each.subprotocols}
        first = next((name for name in offered if name in by_name), None)
        if first is None:
            return None
        protocol = by_name[first]
        endpoint = self._endpoints[protocol]
        if endpoint.ranked:
            first = next(name for name in endpoint.subprotocols if name in offered)
        return first, protocol

    def _speakers(self, *, is_text: bool) -> dict[str, Adapter]:
        return {
            name: adapter for name, adapter in self._adapters.items() if not is_text or self._endpoints[name].takes_text
        }

    def _find_others(self) -> bool:
        """Know other packages' protocols, too; whether any came with that."""
        if self._all_found:
            return False
        self._all_found = True
        return self._take(self._options.installed.others())

    def _take(self, adapters: Mapping[str, Adapter]) -> bool:
        before = len(self._adapters)
        for name, adapter in adapters.items():
            if adapter.over_websocket is not None and name not in self._adapters:
                self._adapters[name] = adapter
                self._endpoints[name] = adapter.over_websocket(self._options)
        return len(self._adapters) > before
