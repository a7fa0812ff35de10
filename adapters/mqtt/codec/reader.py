"""Reads the fields of one packet (MQTT 5 1.5), none of them beyond its end.

A Reader stands at a position within a buffer and knows where its packet ends; every method reads one field and moves
on.  What reaches beyond the end is a malformed packet.
"""

from __future__ import annotations

from warren.adapters.mqtt.codec import clauses, reason_codes, versions
from warren.adapters.mqtt.codec.clauses import Clause
from warren.adapters.mqtt.codec.errors import MalformedPacket, ProtocolViolation


def read_length(data: bytes, position: int, end: int, level: int) -> tuple[int, int] | None:
    """The variable byte integer at `position` and the position behind it; None when it isn't all there (1.5.5).

    MalformedPacket when it has more than four bytes, or more than needed in MQTT 5; MQTT 3 doesn't forbid that.
    """
    value = 0
    for shift in (0, 7, 14, 21):
        if position >= end:
            return None
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if not byte and shift and level == versions.V5:
                raise MalformedPacket(
                    reason_codes.MALFORMED_PACKET,
                    clauses.SHORTEST_NUMBER.of(level),
                    "a variable byte integer has more bytes than it needs",
                )
            return value, position
    raise MalformedPacket(
        reason_codes.MALFORMED_PACKET,
        clauses.REMAINING_LENGTH.of(level),
        "a variable byte integer has more than four bytes",
    )


def decode_text(raw: bytes, level: int) -> str:
    """The text of a UTF-8 encoded string (1.5.4); MalformedPacket when it isn't well-formed or has U+0000 in it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedPacket(
            reason_codes.MALFORMED_PACKET,
            clauses.UTF8_WELL_FORMED.of(level),
            f"a string is not well-formed UTF-8: {error.reason} at byte {error.start}",
        ) from None
    if "\0" in text:
        raise MalformedPacket(
            reason_codes.MALFORMED_PACKET, clauses.UTF8_NO_NULL.of(level), "a string contains the character U+0000"
        )
    return text


class Reader:
    """A packet's fields from `position` to `end`, by the rules of `level`."""

    __slots__ = ("data", "end", "level", "position")

    def __init__(self, data: bytes, position: int, end: int, level: int) -> None:
        self.data = data
        self.position = position
        self.end = end
        self.level = level

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self.end - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        position = self.position
        if count > self.end - position:
            raise self.too_short()
        self.position = position + count
        return self.data[position : self.position]

    def byte(self) -> int:
        """One byte."""
        position = self.position
        if position >= self.end:
            raise self.too_short()
        self.position = position + 1
        return self.data[position]

    def two_bytes(self) -> int:
        """An integer of two bytes, the high one first (1.5.2)."""
        position = self.position
        if position + 2 > self.end:
            raise self.too_short()
        self.position = position + 2
        return self.data[position] << 8 | self.data[position + 1]

    def four_bytes(self) -> int:
        """An integer of four bytes, the highest first (1.5.3)."""
        return int.from_bytes(self.take(4), "big")

    def variable(self) -> int:
        """A variable byte integer."""
        found = read_length(self.data, self.position, self.end, self.level)
        if found is None:
            raise self.too_short()
        value, self.position = found
        return value

    def binary(self) -> bytes:
        """Binary data, without its length (1.5.6)."""
        return self.take(self.two_bytes())

    def text(self) -> str:
        """A UTF-8 encoded string."""
        data, start = self.data, self.position + 2
        if start > self.end:
            raise self.too_short()
        stop = start + (data[start - 2] << 8 | data[start - 1])
        if stop > self.end:
            raise self.too_short()
        self.position = stop
        raw = data[start:stop]
        # What most strings are needs no second look.
        return raw.decode("ascii") if raw.isascii() and 0 not in raw else decode_text(raw, self.level)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.end - self.position)

    def packet_id(self, clause: Clause) -> int:
        """A packet identifier, which is never zero."""
        number = self.two_bytes()
        if not number:
            raise self.violation(clause, "the packet identifier is zero")
        return number

    def finish(self) -> None:
        """There must be nothing left."""
        if self.position < self.end:
            raise self.malformed(clauses.LENGTHS, f"{self.end - self.position} bytes are left over behind the packet")

    def too_short(self) -> MalformedPacket:
        """The error for a field that ends behind its packet."""
        return self.malformed(clauses.LENGTHS, "a field reaches beyond the end of the packet")

    def malformed(self, clause: Clause, text: str) -> MalformedPacket:
        """The error for a packet that can't be parsed, with the usual reason code."""
        return MalformedPacket(reason_codes.MALFORMED_PACKET, clause.of(self.level), text)

    def violation(self, clause: Clause, text: str) -> ProtocolViolation:
        """The error for a packet that isn't allowed, with the usual reason code."""
        return ProtocolViolation(reason_codes.PROTOCOL_ERROR, clause.of(self.level), text)
