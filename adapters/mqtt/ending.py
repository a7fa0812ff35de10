"""How a connection ends, and what it leaves behind: DISCONNECT, the session, the will (MQTT 5 3.14, 3.1.2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt import connecting
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.core.declaring.queues import end_client, end_consumer

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.packets import Disconnect
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.adapters.mqtt.sessions.wills import WillMessage


def disconnected(connection: MqttConnection, packet: Disconnect) -> None:
    """The client says goodbye; its will is published only if it says so (MQTT-3.1.2-8, -10)."""
    expiry_s = packet.properties.get("session_expiry_interval")
    if expiry_s is not None and connection.client is not None:
        if expiry_s and not connection.session_expiry_s:
            raise ProtocolViolation(
                reason_codes.PROTOCOL_ERROR,
                "3.14.2.2.2",
                "a session that ends with its connection can't outlive it",
            )
        expiry_s = connecting.effective_expiry_s(connection.settings, expiry_s)
        connection.session.expiry_s = connection.session_expiry_s = expiry_s
    end(connection, publish_will=packet.reason_code != reason_codes.NORMAL_DISCONNECTION)
    connection.close()


def end(connection: MqttConnection, *, publish_will: bool) -> None:
    """Everything that dies with the socket; a second call does nothing."""
    connection.unread.stop()
    if connection.keep_alive is not None:
        connection.keep_alive.cancel()
        connection.keep_alive = None
    connection.closed = True
    client, connection.client = connection.client, None
    if client is None:
        return
    connection.state = "closed"
    connection.broker.alarms.unlisten(connection.alarms_changed)
    connection.after_flush.clear()
    consumers, connection.consumers = connection.consumers, None
    for consumer in (consumers or {}).values():
        end_consumer(consumer)
    connection.starved = connection.resending = connection.held = connection.known = None
    session = connection.session
    if session.holder is connection:
        session.detach()
    if publish_will and connection.will is not None:
        _leave_will(connection, connection.will)
    connection.will = None
    end_client(client)


def _leave_will(connection: MqttConnection, will: WillMessage) -> None:
    delay_s = min(connection.will_delay_s, connection.session_expiry_s)
    if delay_s and not connection.session.ended:
        connection.sessions.wills.put(connection.client_id, will, connection.broker.now_ms + delay_s * 1000)
    else:
        connection.sessions.publish_will(connection.client_id, will)
