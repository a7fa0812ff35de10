"""What AMQP 1.0's frames look like in words, for a tap (adapters.session.tap).

A performative is shown by its fields that say something: those that aren't as they are by default.  Of a transfer's
payload there is only the size.
"""

from __future__ import annotations

from typing import Any, Final

from warren.adapters.amqp10.codec import performatives, sasl
from warren.adapters.amqp10.codec.composites import declared_as, decode_composite
from warren.adapters.amqp10.codec.errors import PeerMistake
from warren.adapters.amqp10.codec.framing import AMQP_FRAME, HEADER_BYTES, SASL_FRAME
from warren.adapters.session.tap import no_secrets

PROTOCOL_HEADER: Final = b"AMQP"

SHOWN_CHARACTERS_MAX: Final = 500
"""Of a performative's fields."""

SECRETS: Final = frozenset({"initial_response", "challenge", "response", "additional_data"})
"""Fields that may hold a password."""

_OF_CONNECTIONS: Final = (performatives.Open, performatives.Close)
_SASL: Final = (sasl.SaslMechanisms, sasl.SaslInit, sasl.SaslChallenge, sasl.SaslResponse, sasl.SaslOutcome)
"""Imported for what it declares, too."""


class Amqp10FrameWords:
    """See adapters.session.tap.FrameWords."""

    def size(self, data: bytes, at: int) -> int | None:
        """See FrameWords.size."""
        if len(data) - at < HEADER_BYTES:
            return None
        if data[at : at + 4] == PROTOCOL_HEADER:
            return HEADER_BYTES
        return max(int.from_bytes(data[at : at + 4], "big"), HEADER_BYTES)

    def describe(self, head: bytes, size: int, *, received: bool) -> str:
        """See FrameWords.describe."""
        if head.startswith(PROTOCOL_HEADER):
            return f"protocol header {'-'.join(map(str, head[4:8]))}"
        if size == HEADER_BYTES:
            return "empty frame"
        kind, channel = head[5], int.from_bytes(head[6:8], "big")
        if kind not in (AMQP_FRAME, SASL_FRAME):
            return f"frame of unknown type {kind}, {size} bytes"
        at = head[4] * 4
        try:
            body, stop = decode_composite(head, at, len(head))
        except PeerMistake as mistake:
            if len(head) < size:
                return f"channel {channel}: frame of {size} bytes"
            return f"channel {channel}: frame of {size} bytes, which can't be decoded: {mistake.text}"
        text = _shown(body)
        if isinstance(body, performatives.Transfer):
            text = f"{text}, {size - stop} bytes of payload"
        if isinstance(body, (*_OF_CONNECTIONS, *_SASL)):
            return text
        return f"channel {channel}: {text}"


def _shown(body: object) -> str:
    name, _ = declared_as(body)
    shown = " ".join(f"{field}={_value(value)}" for field, value in no_secrets(_fields(body), SECRETS).items())
    if len(shown) > SHOWN_CHARACTERS_MAX:
        shown = f"{shown[:SHOWN_CHARACTERS_MAX]}…"
    return f"{name} {shown}".rstrip()


def _fields(body: object) -> dict[str, Any]:
    _, places = declared_as(body)
    usual = type(body)()
    fields = {place.name: getattr(body, place.name) for place in places}
    said = {
        name: value
        for name, value in fields.items()
        if name in _ALWAYS or (value is not None and value != getattr(usual, name))
    }
    if "role" in said:
        said["role"] = "receiver" if said["role"] else "sender"
    return said


_ALWAYS: Final = frozenset({"handle", "role", "delivery_id", "first", "link_credit"})
"""Fields that are shown whatever they are: without them a frame isn't understood."""


def _value(value: object) -> str:
    if declared_as(value)[0]:
        inner = " ".join(f"{name}={_value(each)}" for name, each in _fields(value).items())
        return f"{declared_as(value)[0]}({inner})" if inner else declared_as(value)[0]
    return repr(value) if isinstance(value, int | float | str | bytes | bool) or value is None else str(value)
