"""AMQP 0-9-1 as an adapter: what the registry loads, light enough for every start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.other_versions import OtherVersions
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.adapters.first_bytes import answer_to_typing, hint_for
from warren.adapters.interface import Adapter, Beginning, Endpoint

if TYPE_CHECKING:
    from warren.adapters.interface import Accept, Options
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport

NAME: Final = "amqp"

_HEADER: Final = b"AMQP"
"""What every version of AMQP begins with (AMQP 0-9-1, 4.2.2)."""


def configure(options: Options) -> Accept:
    """What makes connections; see adapters.interface.Configure."""
    settings = options.section(
        Amqp091Settings,
        own_version=options.text("warren_version"),
        hint=hint_for(NAME, options.installed),
        answer_to_typing=answer_to_typing(NAME, options.installed),
        other_versions=OtherVersions(options, NAME),
    )

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        from warren.adapters.amqp091.connection import Connection

        connection = Connection(broker, transport, settings)
        return connection, connection.outbox

    return accept


def begins(data: bytes) -> Beginning:
    """Whether these are the first bytes of any AMQP; see adapters.interface.Adapter."""
    if not _HEADER.startswith(data[: len(_HEADER)]):
        return Beginning.OTHER
    return Beginning.MINE if len(data) >= len(_HEADER) else Beginning.MORE


def over_websocket(options: Options) -> Endpoint:
    """As JavaScript clients of AMQP may be set up: they offer `amqp`, or connect to /ws/amqp and offer nothing."""
    settings = options.section(Amqp091Settings)
    return Endpoint(("amqp",), paths=("/ws/amqp",), message_bytes_max=settings.message_bytes_max)


ADAPTER: Final = Adapter(
    configure,
    settings=(Amqp091Settings,),
    first_bytes=begins,
    over_websocket=over_websocket,
    speaks=("warren.adapters.amqp091.connection",),
)
