"""MQTT as an adapter: what the registry loads when a listener names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt.connection import MqttConnection
from warren.adapters.mqtt.settings import MqttSettings

if TYPE_CHECKING:
    from warren.adapters.interface import Accept, Options
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport


def configure(options: Options) -> Accept:
    """See adapters.interface.Configure."""
    settings = MqttSettings(
        packet_bytes_max=options.integer("mqtt_max_packet_bytes"),
        login_timeout_ms=int(options.number("mqtt_login_timeout_s") * 1000),
        default_user=options.text("mqtt_default_user"),
        default_password=options.text("mqtt_default_pass"),
        allow_anonymous=options.flag("mqtt_allow_anonymous"),
        certificate_login=options.flag("mqtt_certificate_login"),
        default_vhost=options.text("mqtt_default_vhost"),
        ignore_colons_in_username=options.flag("mqtt_ignore_colons_in_username"),
        session_expiry_max_s=options.integer("mqtt_max_session_expiry_s"),
        keep_alive_max_s=options.integer("mqtt_max_keep_alive_s"),
        receive_maximum=options.integer("mqtt_receive_maximum"),
        in_flight_max=options.integer("mqtt_prefetch"),
        topic_alias_max=options.integer("mqtt_topic_alias_maximum"),
        disconnect_on_unauthorized=options.flag("mqtt_disconnect_on_unauthorized"),
        hide_refusals=options.flag("mqtt_hide_refusals"),
    )

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        session = MqttConnection(broker, transport, settings)
        return session, session.outbox

    return accept
