"""What a link calls its things at the upstream (spec E.2): both sides know by these names whose they are."""

from __future__ import annotations

from typing import Final

from warren.adapters.peers.errors import PeerError

NAME_BYTES_MAX: Final = 255
"""Names are shortstrs (AMQP 0-9-1 4.2.5.3)."""

SUFFIXES: Final = ("A", "B")
"""Of the internal exchange: each start of a link makes the one that isn't there, so that no old binding stays."""


def queue_name(upstream_exchange: str, upstream_vhost: str, cluster: str, vhost: str, exchange: str) -> str:
    """The queue at the upstream in which the messages of a federated exchange wait.

    cluster, vhost, exchange: of the downstream.  PeerError for a name that no queue can have.
    """
    if vhost != upstream_vhost:
        down = f":{vhost}:{exchange}"
    elif exchange != upstream_exchange:
        down = f":{exchange}"
    else:
        down = ""
    name = f"federation: {upstream_exchange} -> {cluster}{down}"
    if len(exchange_name(name, SUFFIXES[0]).encode("utf-8", "surrogateescape")) > NAME_BYTES_MAX:
        raise PeerError(f"the queue '{name}' would have a name of more than {NAME_BYTES_MAX} bytes")
    return name


def exchange_name(queue: str, suffix: str) -> str:
    """The internal exchange that leads to this queue."""
    return f"{queue} {suffix}"


def other(suffix: str) -> str:
    """The other suffix."""
    return SUFFIXES[1 - SUFFIXES.index(suffix)]
