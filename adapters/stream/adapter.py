"""RabbitMQ's stream protocol as an adapter: what the registry loads, light enough for every start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.first_bytes import hint_for
from warren.adapters.interface import Adapter, Beginning
from warren.adapters.stream.settings import StreamProtocolSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.adapters.interface import Accept, Options
    from warren.core.administration.listing.kind import Kind
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport

NAME: Final = "stream"

_FIRST_COMMANDS: Final = (b"\x00\x11\x00\x01", b"\x00\x12\x00\x01")
"""PeerProperties or, without it, SaslHandshake; both of version 1."""

_SIZE_BEGINS: Final = b"\x00\x00"
"""No first frame has 64 KiB."""

_SIZE_BYTES: Final = 4


def configure(options: Options) -> Accept:
    """What makes connections; see adapters.interface.Configure."""
    settings = options.section(
        StreamProtocolSettings,
        cluster_name=options.text("cluster_name"),
        own_version=options.text("warren_version"),
        hint=hint_for(NAME, options.installed),
    )

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        from warren.adapters.stream.session import StreamSession

        session = StreamSession(broker, transport, settings)
        return session, session.outbox

    return accept


def begins(data: bytes) -> Beginning:
    """Whether these are the first bytes of a frame that comes first; see adapters.interface.Adapter."""
    command = data[_SIZE_BYTES:][:4]
    if not (_SIZE_BEGINS.startswith(data[:2]) and any(each.startswith(command) for each in _FIRST_COMMANDS)):
        return Beginning.OTHER
    return Beginning.MINE if len(command) == len(_FIRST_COMMANDS[0]) else Beginning.MORE


def listings() -> Sequence[Kind]:
    """Of connections, and what they have; see adapters.interface.Adapter."""
    from warren.adapters.stream.listing import STREAM_CONNECTIONS
    from warren.adapters.stream.listing_of_streams import STREAM_CONSUMERS, STREAM_PUBLISHERS

    return (STREAM_CONNECTIONS, STREAM_CONSUMERS, STREAM_PUBLISHERS)


ADAPTER: Final = Adapter(
    configure,
    settings=(StreamProtocolSettings,),
    first_bytes=begins,
    listings=listings,
    listing_names=("stream_connections", "stream_consumers", "stream_publishers"),
    speaks=("warren.adapters.stream.session",),
    on_demand=True,
    title="the stream protocol",
    elsewhere="the stream protocol, which has a listener of its own",
)
