"""AMQP 1.0 as an adapter: what the registry loads, light enough for every start.

It is spoken wherever AMQP 0-9-1 is, which hands over who begins with another header (adapters.amqp091.adapter); a
listener for it alone is there, too.  What speaks it is imported with the first connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10 import kept
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.adapters.first_bytes import answer_to_typing, hint_for
from warren.adapters.interface import Adapter, Beginning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.adapters.interface import Accept, Options
    from warren.core.administration.listing.kind import Kind
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport

NAME: Final = "amqp10"

KEPT: Final = kept.PREFIX
"""Imported for its declarations."""

_VERSION: Final = b"\x01\x00\x00"
_PROTOCOL_IDS: Final = b"\x00\x02\x03"
"""AMQP, TLS and SASL (part 2, 2.2; part 5, 5.2 and 5.3)."""


def configure(options: Options) -> Accept:
    """What makes connections; see adapters.interface.Configure."""
    settings = options.section(
        Amqp10Settings,
        cluster_name=options.text("cluster_name"),
        own_version=options.text("warren_version"),
        hint=hint_for(NAME, options.installed),
        answer_to_typing=answer_to_typing(NAME, options.installed),
    )

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        from warren.adapters.amqp10.connection import Connection

        connection = Connection(broker, transport, settings)
        return connection, connection.outbox

    return accept


def begins(data: bytes) -> Beginning:
    """Whether these are the first bytes of AMQP 1.0; see adapters.interface.Adapter."""
    if not b"AMQP".startswith(data[:4]):
        return Beginning.OTHER
    if len(data) < 5:
        return Beginning.MORE
    if data[4] not in _PROTOCOL_IDS or not _VERSION.startswith(data[5:8]):
        return Beginning.OTHER
    return Beginning.MINE if len(data) >= 8 else Beginning.MORE


def listings() -> Sequence[Kind]:
    """Of connections, sessions and links; see adapters.interface.Adapter."""
    from warren.adapters.amqp10.link_listing import AMQP10_LINKS
    from warren.adapters.amqp10.listing import AMQP10_CONNECTIONS, AMQP10_SESSIONS

    return (AMQP10_CONNECTIONS, AMQP10_SESSIONS, AMQP10_LINKS)


ADAPTER: Final = Adapter(
    configure,
    settings=(Amqp10Settings,),
    first_bytes=begins,
    listings=listings,
    listing_names=("amqp10_connections", "amqp10_sessions", "amqp10_links"),
    speaks=("warren.adapters.amqp10.connection",),
    on_demand=True,
    title="AMQP 1.0",
)
