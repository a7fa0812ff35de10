"""What a shovel leaves at other brokers, where it outlives its connections, and how it ends.

A shovel that is deleted, or declared anew as somebody else, ends what nobody will come back to, if the brokers can be
reached; else MQTT sessions end after their session expiry, and durable subscriptions of STOMP stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import trio

from warren.adapters.peers.errors import PeerError
from warren.plugins.shovel.mqtt_sessions import kept_sessions
from warren.plugins.shovel.stomp_subscriptions import kept_subscriptions

if TYPE_CHECKING:
    import logging

    from warren.core.storage.definitions.store import JSON
    from warren.plugins.shovel.definition import ShovelDefinition

Key: TypeAlias = tuple[str | int | None, ...]
"""The protocol, who the shovel is there, host, port, and whatever else makes two of them two."""

END_S: Final = 10.0
"""How long a broker may take to end something; whoever is declared next waits for it."""


class Kept(Protocol):
    """Something at a broker.  key: what makes two of them one.  shown: what it is, and where, for the log."""

    @property
    def key(self) -> Key: ...
    @property
    def shown(self) -> str: ...

    def note(self, before: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """What is to be known of it over restarts, beside the key.  before: what was noted so far."""

    async def end(self, peers: trio.Nursery) -> None:
        """Connect, and end it; PeerError if that can't be done."""


def left_behind(definition: ShovelDefinition, own_id: Callable[[str], str]) -> Iterator[Kept]:
    """What a shovel may have left.  own_id: who an end is to a broker where the definition names nobody."""
    return chain(kept_sessions(definition, own_id), kept_subscriptions(definition, own_id))


async def end_kept(kept: Kept, log: logging.Logger) -> None:
    """End it, or log why not; an unreachable broker keeps it."""
    reason = f"nothing within {END_S:g} s"
    with trio.move_on_after(END_S):
        try:
            async with trio.open_nursery() as peers:
                await kept.end(peers)
            return
        except* PeerError as errors:
            reason = "; ".join(str(each) for each in errors.exceptions)
    log.info("%s can't be ended: %s", kept.shown, reason)
