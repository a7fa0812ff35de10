"""The numbered statements that a packet can break, in MQTT 3.1.1's numbering and in MQTT 5's.

Where a specification gives a rule no number, the section stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from warren.adapters.mqtt.codec import versions


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule: its number in MQTT 3.1.1, and in MQTT 5."""

    v3: str
    v5: str

    def of(self, level: int) -> str:
        """The number in the specification that a connection of `level` follows; MQTT 5's while that isn't known."""
        return self.v3 if level in (versions.V3_1, versions.V3_1_1) else self.v5


LENGTHS: Final = Clause("MQTT-4.8.0-1", "MQTT-4.13.1-1")
"""A field that ends behind its packet, or bytes left over: malformed by definition (MQTT 5 1.2)."""

UTF8_WELL_FORMED: Final = Clause("MQTT-1.5.3-1", "MQTT-1.5.4-1")
UTF8_NO_NULL: Final = Clause("MQTT-1.5.3-2", "MQTT-1.5.4-2")
SHORTEST_NUMBER: Final = Clause("2.2.3", "MQTT-1.5.5-1")
REMAINING_LENGTH: Final = Clause("2.2.3", "2.1.4")
PACKET_TYPE: Final = Clause("2.2.1", "2.1.2")
HEADER_FLAGS: Final = Clause("MQTT-2.2.2-2", "MQTT-2.1.3-1")
PACKET_TOO_LARGE: Final = Clause("MQTT-4.8.0-1", "MQTT-3.2.2-15")

PACKET_ID: Final = Clause("MQTT-2.3.1-1", "MQTT-2.2.1-3")
PUBLISH_ACK_ID: Final = Clause("MQTT-2.3.1-6", "MQTT-2.2.1-5")
SUBSCRIBE_ACK_ID: Final = Clause("MQTT-2.3.1-7", "MQTT-2.2.1-6")

CONNECT_FIRST: Final = Clause("MQTT-3.1.0-1", "MQTT-3.1.0-1")
PROTOCOL_NAME: Final = Clause("MQTT-3.1.2-1", "MQTT-3.1.2-1")
PROTOCOL_LEVEL: Final = Clause("MQTT-3.1.2-2", "MQTT-3.1.2-2")
CONNECT_RESERVED: Final = Clause("MQTT-3.1.2-3", "MQTT-3.1.2-3")
NO_WILL_QOS: Final = Clause("MQTT-3.1.2-13", "MQTT-3.1.2-11")
WILL_QOS: Final = Clause("MQTT-3.1.2-14", "MQTT-3.1.2-12")
NO_WILL_RETAIN: Final = Clause("MQTT-3.1.2-15", "MQTT-3.1.2-13")
PASSWORD_WITHOUT_USERNAME: Final = Clause("MQTT-3.1.2-22", "3.1.2.9")

CONNACK_FLAGS: Final = Clause("3.2.2.1", "MQTT-3.2.2-1")
CONNACK_CODE: Final = Clause("3.2.2.3", "MQTT-3.2.2-8")
SESSION_PRESENT_REFUSED: Final = Clause("MQTT-3.2.2-4", "MQTT-3.2.2-6")

PUBLISH_DUPLICATE: Final = Clause("MQTT-3.3.1-2", "MQTT-3.3.1-2")
PUBLISH_QOS: Final = Clause("MQTT-3.3.1-4", "MQTT-3.3.1-4")
TOPIC_WITHOUT_WILDCARDS: Final = Clause("MQTT-3.3.2-2", "MQTT-3.3.2-2")
TOPIC_OR_ALIAS: Final = Clause("MQTT-4.7.3-1", "3.3.2.1")

TOPIC_NOT_EMPTY: Final = Clause("MQTT-4.7.3-1", "MQTT-4.7.3-1")
MANY_LEVELS: Final = Clause("MQTT-4.7.1-2", "MQTT-4.7.1-1")
ONE_LEVEL: Final = Clause("MQTT-4.7.1-3", "MQTT-4.7.1-2")
SHARE_NAME: Final = Clause("MQTT-4.8.2-1", "MQTT-4.8.2-1")
"""MQTT 3 has no shared subscriptions; those that a broker gives it all the same follow MQTT 5's rules."""
SHARE_FILTER: Final = Clause("MQTT-4.8.2-2", "MQTT-4.8.2-2")

SUBSCRIBE_EMPTY: Final = Clause("MQTT-3.8.3-3", "MQTT-3.8.3-2")
SUBSCRIBE_RESERVED: Final = Clause("MQTT-3.8.3-4", "MQTT-3.8.3-5")
SUBSCRIBE_QOS: Final = Clause("MQTT-3.8.3-4", "3.8.3.1")
RETAIN_HANDLING: Final = Clause("MQTT-3.8.3-4", "3.8.3.1")
SHARED_NO_LOCAL: Final = Clause("MQTT-3.8.3-4", "MQTT-3.8.3-4")
SUBACK_EMPTY: Final = Clause("MQTT-3.8.4-5", "MQTT-3.8.4-6")
SUBACK_CODE: Final = Clause("MQTT-3.9.3-2", "MQTT-3.9.3-2")
UNSUBSCRIBE_EMPTY: Final = Clause("MQTT-3.10.3-2", "MQTT-3.10.3-2")
UNSUBACK_CODE: Final = Clause("3.11.3", "MQTT-3.11.3-2")

PUBLISH_ACK_CODE: Final = {
    versions.PUBACK: "MQTT-3.4.2-1",
    versions.PUBREC: "MQTT-3.5.2-1",
    versions.PUBREL: "MQTT-3.6.2-1",
    versions.PUBCOMP: "MQTT-3.7.2-1",
}
DISCONNECT_CODE: Final = "MQTT-3.14.2-1"
AUTH_CODE: Final = "MQTT-3.15.2-1"
AUTH_METHOD: Final = "3.15.2.2.2"
PROPERTIES: Final = "2.2.2.2"
