"""WebSocket as an adapter: what the registry loads when a listener names it.

It carries the other adapters' sessions, and serves the page in `page/` to browsers.  The parsers of HTTP and WebSocket
(h11, wsproto) take longer to import than the rest of a start, so that this waits for the first connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.websocket.settings import MESSAGE_SLACK_BYTES, WebSocketSettings
from warren.adapters.websocket.subprotocols import Adapters

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier, Options
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session


def configure(options: Options) -> AcceptCarrier:
    """See adapters.interface.Configure."""
    settings = WebSocketSettings(
        stomp_text=options.text("websocket_stomp_frame") == "text",
        compress=options.flag("websocket_compress"),
        idle_timeout_ms=int(options.number("websocket_idle_timeout_s") * 1000),
        request_timeout_ms=int(options.number("handshake_timeout_s") * 1000),
        message_bytes_max=MESSAGE_SLACK_BYTES
        + max(
            options.integer("max_message_bytes"),
            options.integer("stomp_max_frame_bytes"),
            options.integer("mqtt_max_packet_bytes"),
        ),
        allow_origins=options.names("websocket_allow_origins"),
        use_http_auth=options.flag("websocket_use_http_auth"),
        default_user=options.text("stomp_default_user"),
        default_password=options.text("stomp_default_pass"),
    )
    adapters = Adapters(options)

    def accept(broker: Broker, carrier: Carrier) -> tuple[Session, Outbox]:
        from warren.adapters.websocket.http_stage import HttpStage

        stage = HttpStage(broker, carrier, settings, adapters)
        return stage, stage.outbox

    return accept
