"""PUBACK, PUBREC, PUBREL and PUBCOMP as they nearly always are: four bytes, without objects.

    first byte (type and flags)   2   packet identifier (two bytes)

The same in every version; in MQTT 5 the reason code is 0x00.
"""

from __future__ import annotations

from typing import Final

PUBACK: Final = 0x40
PUBREC: Final = 0x50
PUBREL: Final = 0x62
PUBCOMP: Final = 0x70
"""The first bytes."""

ANSWER_BYTES: Final = 4
"""First byte, remaining length, and two of packet identifier."""


PUBACK_START: Final = b"\x40\x02"
"""A PUBACK up to its packet identifier."""


def peek_short_answer(data: bytes, position: int, end: int) -> int:
    """The packet identifier if a four-byte answer is all there at `position`, whose first byte is one of the above.

    0 for all else, incomplete or wrong: decode says what it is.
    """
    if position + ANSWER_BYTES > end or data[position + 1] != 2:
        return 0
    return data[position + 2] << 8 | data[position + 3]


def short_answer(first_byte: int, packet_id: int) -> bytes:
    """An answer in four bytes.  packet_id: 1 to 65,535."""
    return bytes((first_byte, 2, packet_id >> 8, packet_id & 0xFF))
