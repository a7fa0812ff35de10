"""What AMQP's frames look like in words, for a tap (adapters.session.tap)."""

from __future__ import annotations

from typing import Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD
from warren.adapters.session.tap import no_secrets
from warren.core.errors import BrokerError

HEADER_BYTES: Final = 7
"""Type u8, channel u16, size u32 (AMQP 0-9-1 2.3.5); an end byte follows the payload."""

PROTOCOL_HEADER: Final = b"AMQP"
PROTOCOL_HEADER_BYTES: Final = 8

SHOWN_CHARACTERS_MAX: Final = 500
"""Of a method's arguments."""

MEANINGLESS: Final = ("ticket",)
"""Arguments that AMQP 0-9-1 has left over."""

SECRETS: Final = frozenset({"response", "challenge", "new_secret"})
"""Arguments that may hold a password."""


class AmqpFrameWords:
    """See adapters.session.tap.FrameWords."""

    def size(self, data: bytes, at: int) -> int | None:
        """See FrameWords.size."""
        if data[at : at + 4] == PROTOCOL_HEADER:
            return PROTOCOL_HEADER_BYTES
        if len(data) - at < HEADER_BYTES:
            return None
        return HEADER_BYTES + int.from_bytes(data[at + 3 : at + 7], "big") + 1

    def describe(self, head: bytes, size: int, *, received: bool) -> str:
        """See FrameWords.describe."""
        if head.startswith(PROTOCOL_HEADER):
            return f"protocol header {'-'.join(map(str, head[4:8]))}"
        kind, channel = head[0], int.from_bytes(head[1:3], "big")
        where = f"channel {channel}: " if channel else ""
        payload_size = size - HEADER_BYTES - 1
        if kind == FRAME_METHOD:
            return where + _method(head, size)
        if kind == FRAME_HEADER:
            return f"{where}content header, {int.from_bytes(head[11:19], 'big')} bytes of body"
        if kind == FRAME_BODY:
            return f"{where}content body, {payload_size} bytes"
        if kind == FRAME_HEARTBEAT:
            return "heartbeat"
        return f"{where}frame of unknown type {kind}, {payload_size} bytes"


def _method(head: bytes, size: int) -> str:
    name = methods.name_of(methods.method_ids(head, HEADER_BYTES))
    if len(head) < size:
        return f"{name}, {size} bytes"
    try:
        method = methods.decode(head, HEADER_BYTES, size - 1)
    except BrokerError as error:
        return f"{name}, which can't be decoded: {error.text}"
    fields = {each: getattr(method, each) for each, _ in method.ARGUMENTS if each not in MEANINGLESS}
    shown = " ".join(f"{each}={value!r}" for each, value in no_secrets(fields, SECRETS).items())
    if len(shown) > SHOWN_CHARACTERS_MAX:
        shown = f"{shown[:SHOWN_CHARACTERS_MAX]}…"
    return f"{method.NAME} {shown}".rstrip()
