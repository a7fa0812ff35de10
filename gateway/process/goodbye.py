"""The end of a run for its clients: they are told, and waited for a little."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.stage import stage_without_session

if TYPE_CHECKING:
    from warren.gateway.network.hub import Hub
    from warren.gateway.network.link import Link

_log = logging.getLogger("warren.broker")

GOODBYE_S: Final = 5.0
"""How long clients may take to answer that they are being closed, when the broker stops."""

SILENT_S: Final = 1.0
"""After nobody has taken, sent or closed anything for this long, clients aren't waited for any more: whoever is going
to answer does so within some round trips."""


async def say_goodbye(hub: Hub, reason: str, goodbye_s: float) -> None:
    """Tell the clients (320), wait for their answers, and cut off who hasn't given one.

    While somebody reads or writes, or goes, the others are waited for, too, but no longer than `goodbye_s`.
    Who hasn't come as far as a session (a handshake of TLS or WebSocket that isn't over) isn't waited for.
    """
    waiting: set[Link] = set()
    for link in list(hub.links):
        if stage_without_session(link.session) is None:
            waiting.add(link)
        link.session.shut_down(reason)
    hub.settle()
    with trio.move_on_after(goodbye_s):
        while waiting & hub.links:
            before = _moved_bytes(waiting)
            with trio.move_on_after(SILENT_S) as quiet:
                await hub.link_released()
            if quiet.cancelled_caught and _moved_bytes(waiting) == before:
                _log.info("%d clients don't answer; cutting them off", len(waiting & hub.links))
                break
    for link in list(hub.links):
        link.abort()
    hub.settle()


def _moved_bytes(links: Iterable[Link]) -> int:
    """How much has gone in either direction, of those that are still there and those that aren't."""
    return sum(link.moved_bytes for link in links)
