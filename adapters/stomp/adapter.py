"""STOMP as an adapter: what the registry loads, light enough for every start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.first_bytes import hint_for
from warren.adapters.interface import Adapter, Beginning, Endpoint
from warren.adapters.session.keys import PRODUCT, PRODUCT_VERSION
from warren.adapters.stomp.settings import StompSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.adapters.interface import Accept, Options
    from warren.core.administration.listing.kind import Kind
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport

NAME: Final = "stomp"

_FIRST_PRINTABLE: Final = 0x20
_LAST_PRINTABLE: Final = 0x7E
_WHITE_SPACE: Final = b"\r\n\t"
"""Text in ASCII; commands are, and people may begin with empty lines."""

_TELNET: Final = 0xFF
_COMMANDS_OF_TELNET: Final = range(0xF0, 0x100)
"""See codec/typed_words.py, which isn't needed for a start."""


def configure(options: Options) -> Accept:
    """What makes sessions; see adapters.interface.Configure."""
    hidden = options.section(StompSettings).hide_server_info
    server = "" if hidden else f"{options.text(PRODUCT.name)}/{options.text(PRODUCT_VERSION.name)}"
    settings = options.section(StompSettings, server=server, hint=hint_for(NAME, options.installed))

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        from warren.adapters.stomp.session import StompSession

        session = StompSession(broker, transport, settings)
        return session, session.outbox

    return accept


def begins(data: bytes) -> Beginning:
    """Commands are lines; those in small letters or with mistakes are for STOMP to explain, what telnet says, too."""
    first = data[0]
    if first == _TELNET:
        if len(data) == 1:
            return Beginning.MORE
        return Beginning.LIKELY if data[1] in _COMMANDS_OF_TELNET else Beginning.OTHER
    if _FIRST_PRINTABLE <= first <= _LAST_PRINTABLE or first in _WHITE_SPACE:
        return Beginning.LIKELY
    return Beginning.OTHER


def over_websocket(options: Options) -> Endpoint:
    """Of the versions that are offered the highest is selected; on /stomp none has to be."""
    settings = options.section(StompSettings)
    return Endpoint(
        ("v12.stomp", "v11.stomp", "v10.stomp"),
        ranked=True,
        paths=("/stomp",),
        takes_text=True,
        sends_text=settings.websocket_text,
        login=(settings.default_user, settings.default_password),
        message_bytes_max=max(settings.frame_bytes_max, settings.message_bytes_max),
    )


def listings() -> Sequence[Kind]:
    """list_stomp_connections; see adapters.interface.Adapter."""
    from warren.adapters.stomp.listing import STOMP_CONNECTIONS

    return (STOMP_CONNECTIONS,)


ADAPTER: Final = Adapter(
    configure,
    settings=(StompSettings,),
    first_bytes=begins,
    over_websocket=over_websocket,
    listings=listings,
    listing_names=("stomp_connections",),
    speaks=("warren.adapters.stomp.session",),
)
