"""What list_connections and list_channels show of MQTT connections, each with one channel (spec C, F.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.logging_in import PROTOCOLS
from warren.adapters.session.listing import OneChannelConnectionRow, OneChannelRow, one_channel_connections
from warren.core.administration.listing.column import Column

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.adapters.mqtt.running import Running


class MqttConnectionRow(OneChannelConnectionRow):
    """One MQTT connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: MqttConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    @property
    def protocol_name(self) -> str:
        """See ConnectionRow.protocol_name."""
        return PROTOCOLS.get(self._connection.answers.agreed.level, "MQTT")

    @Column
    def client_id(self) -> str:
        """The client identifier."""
        return self._connection.answers.client_id

    @Column
    def clean_sess(self) -> bool:
        """Whether the session ends with the connection."""
        return not self._connection.answers.agreed.session_expiry_s

    @Column
    def user_provided_name(self) -> str:
        """The client identifier."""
        return self._connection.answers.client_id

    @Column
    def timeout(self) -> int:
        """The keep-alive interval in seconds, 0 for none."""
        return self._connection.answers.agreed.keep_alive_ms // 1000

    @Column
    def frame_max(self) -> int:
        """The largest packet in bytes."""
        return self._connection.settings.packet_bytes_max

    @Column
    def client_properties(self) -> Mapping[str, object]:
        """The client identifier again, where RabbitMQ has it."""
        return {"client_id": self._connection.answers.client_id}


class MqttChannelRow(OneChannelRow):
    """The channel of a connection that is logged in."""

    __slots__ = ("_running",)

    def __init__(self, connection: MqttConnection, running: Running) -> None:
        super().__init__(connection, running.client)
        self._running = running

    @Column
    def consumer_count(self) -> int:
        """How many queues it consumes from."""
        return self._running.queue_count

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages that were delivered and aren't settled."""
        return self._running.session.outgoing_count

    @Column
    def messages_unconfirmed(self) -> int:
        """Publishes whose acknowledgement waits for the disk."""
        return self._running.answers.waiting_count

    @Column
    def prefetch_count(self) -> int:
        """The client's receive maximum, or the broker's limit."""
        return self._running.answers.agreed.in_flight_max


MQTT_CONNECTIONS: Final = one_channel_connections(
    "mqtt",
    MqttConnectionRow,
    first="client_id",
    unknown=(
        "awaiting_ack",
        "awaiting_seqno",
        "consumer_tags",
        "exchange",
        "message_id",
        "retainer_pid",
        "ssl_login_name",
        "unacked_pubs",
        "will_msg",
    ),
)
"""What list_mqtt_connections shows."""
