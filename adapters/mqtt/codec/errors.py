"""The two ways in which bytes can be wrong (MQTT 5 4.13).

A malformed packet can't be understood; a protocol violation is understood and not allowed.  Both end the connection;
an MQTT 5 peer is told the reason code before, in CONNACK or DISCONNECT.
"""

from __future__ import annotations

from warren.adapters.mqtt.codec import versions


class PacketError(Exception):
    """Bytes that are refused; always one of the two subclasses.

    reason_code: what an MQTT 5 peer is told.  clause: the statement that was broken, such as `MQTT-3.3.2-2`, or the
    section where the specification gives it no number; of MQTT 3.1.1 or 5 as the connection speaks it (3.1, which
    numbers nothing, is given 3.1.1's).  text: what was wrong, for people.  level: the protocol level of a CONNECT whose
    version was read before it proved wrong, so that it can be answered in its own terms; otherwise UNKNOWN.  limit: the
    limit that it comes from, if any (core/limit_hits.py).
    """

    limit = ""

    def __init__(self, reason_code: int, clause: str, text: str) -> None:
        super().__init__(f"{text} [{clause}]")
        self.reason_code = reason_code
        self.clause = clause
        self.text = text
        self.level: int = versions.UNKNOWN


class MalformedPacket(PacketError):
    """A packet that can't be parsed according to the specification (0x81, or the code of the field's own)."""


class ProtocolViolation(PacketError):
    """A packet that parses and is not allowed (0x82, or a code that says more)."""
