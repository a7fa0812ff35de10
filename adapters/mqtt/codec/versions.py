"""The protocol levels, as CONNECT names them, and the numbers of the control packets (MQTT 5 2.1.2)."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = 0
"""Before CONNECT: a server can't know yet, and nothing but CONNECT is allowed."""
V3_1: Final = 3
V3_1_1: Final = 4
V5: Final = 5

PROTOCOL_NAMES: Final = {V3_1: "MQIsdp", V3_1_1: "MQTT", V5: "MQTT"}

CONNECT: Final = 1
CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
PUBREC: Final = 5
PUBREL: Final = 6
PUBCOMP: Final = 7
SUBSCRIBE: Final = 8
SUBACK: Final = 9
UNSUBSCRIBE: Final = 10
UNSUBACK: Final = 11
PINGREQ: Final = 12
PINGRESP: Final = 13
DISCONNECT: Final = 14
AUTH: Final = 15

TYPE_NAMES: Final = (
    "RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
    "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
)  # fmt: skip
"""The names by number; 0 is not used (2.1.2)."""

REMAINING_LENGTH_MAX: Final = 268_435_455
"""What four bytes of seven bits can say (1.5.5)."""

PACKET_BYTES_MAX: Final = REMAINING_LENGTH_MAX + 5
"""The longest packet there is: its type, four bytes of length, and the rest."""
