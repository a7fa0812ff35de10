"""What a broker's operator decides about its MQTT connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

PACKET_BYTES_MAX_BEFORE_LOGIN: Final = 64 * 1024
"""Who has not logged in is not given memory (spec C.2)."""

KEEP_ALIVE_MAX_S: Final = 65_535
"""What the field can hold: no cap."""

KNOWN_TOPIC_BYTES_MAX: Final = 256
"""Longer topics than a routing key can hold are rare, and take memory."""


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Limits, names and habits.

    packet_bytes_max: the largest packet taken from a client.  login_timeout_ms: from the accepted socket to CONNECT.
    unread_timeout_ms: how long a peer may leave its replies unread, once its commands wait for that.
    default_user, default_password: of a CONNECT without credentials, if `allow_anonymous`.  certificate_login: such a
    CONNECT is the user that the client's TLS certificate names.  default_vhost: of a user name that names none.
    ignore_colons_in_username: none does.  session_expiry_max_s: the longest that a session outlives its connection, and
    what MQTT 3's persistent sessions get; 0: none does.  keep_alive_max_s: longer intervals are capped, with MQTT 5.
    receive_maximum: messages of QoS 1 and 2 that an MQTT 5 client may have under way.  in_flight_max: the same in the
    other direction, if the client doesn't ask for less.  topic_alias_max: in either direction.
    disconnect_on_unauthorized: who publishes without permission and can't be told is disconnected.
    hide_refusals: SUBACK says 0x80, unspecified error, for every refused subscription.  known_topic_bytes_max: topics
    that are longer aren't remembered from one message to the next; below 0, none are.
    """

    packet_bytes_max: int = 16 * 1024 * 1024
    login_timeout_ms: int = 10_000
    unread_timeout_ms: int = 30_000
    default_user: str = "guest"
    default_password: str = field(default="guest", repr=False)
    allow_anonymous: bool = True
    certificate_login: bool = False
    default_vhost: str = "/"
    ignore_colons_in_username: bool = False
    session_expiry_max_s: int = 86_400
    keep_alive_max_s: int = KEEP_ALIVE_MAX_S
    receive_maximum: int = 1024
    in_flight_max: int = 256
    topic_alias_max: int = 16
    disconnect_on_unauthorized: bool = True
    hide_refusals: bool = False
    known_topic_bytes_max: int = KNOWN_TOPIC_BYTES_MAX
