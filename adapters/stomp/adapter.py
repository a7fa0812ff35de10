"""STOMP as an adapter: what the registry loads when a listener names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stomp.session import StompSession
from warren.adapters.stomp.settings import StompSettings

if TYPE_CHECKING:
    from warren.adapters.interface import Accept, Options
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport


def configure(options: Options) -> Accept:
    """See adapters.interface.Configure."""
    settings = StompSettings(
        frame_bytes_max=options.integer("stomp_max_frame_bytes"),
        message_bytes_max=options.integer("max_message_bytes"),
        login_timeout_ms=int(options.number("stomp_login_timeout_s") * 1000),
        default_user=options.text("stomp_default_user"),
        default_password=options.text("stomp_default_pass"),
        default_vhost=options.text("stomp_default_vhost"),
        implicit_connect=options.flag("stomp_implicit_connect"),
        certificate_login=options.flag("stomp_certificate_login"),
        topic_exchange=options.text("stomp_default_topic_exchange"),
        nack_requeues=options.flag("stomp_default_nack_requeue"),
        trailing_line_feed=options.flag("stomp_trailing_lf"),
        friendly=options.flag("stomp_friendly"),
        server="" if options.flag("stomp_hide_server_info") else _server(options),
    )

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        session = StompSession(broker, transport, settings)
        return session, session.outbox

    return accept


def _server(options: Options) -> str:
    return f"{options.text('product')}/{options.text('product_version')}"
