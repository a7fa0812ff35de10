"""What MQTT's packets look like in words, for a tap (adapters.session.tap)."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import LENGTH_BYTES_MAX, decode
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.session.tap import no_secrets

SHOWN_CHARACTERS_MAX: Final = 500
"""Of a packet's fields."""

SECRETS: Final = frozenset({"password", "authentication_data"})
"""Fields and properties that nobody is to see."""

NAMES: Final = (
    "reserved packet",
    *("CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE"),
    *("UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"),
)
"""By packet type (MQTT 5 table 2-1)."""


class MqttFrameWords:
    """See adapters.session.tap.FrameWords.  level: the connection's version."""

    def __init__(self, level: int) -> None:
        self._level = level or versions.V5

    def size(self, data: bytes, at: int) -> int | None:
        """See FrameWords.size."""
        length = shift = 0
        for place in range(at + 1, min(at + 1 + LENGTH_BYTES_MAX, len(data))):
            byte = data[place]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                return place + 1 - at + length
            shift += 7
        return None

    def describe(self, head: bytes, size: int, *, received: bool) -> str:
        """See FrameWords.describe."""
        name = NAMES[head[0] >> 4]
        if len(head) < size:
            return _long_packet(name, head, size)
        try:
            found = decode(head, 0, size, versions.UNKNOWN if name == "CONNECT" else self._level)
        except PacketError as error:
            return f"{name}, which can't be decoded: {error}"
        if found is None:
            return f"{name}, {size} bytes"
        shown = " ".join(f"{each}={value!r}" for each, value in _fields(found[0]).items())
        if len(shown) > SHOWN_CHARACTERS_MAX:
            shown = f"{shown[:SHOWN_CHARACTERS_MAX]}…"
        return f"{name} {shown}".rstrip()


def _long_packet(name: str, head: bytes, size: int) -> str:
    if name != "PUBLISH":
        return f"{name}, {size} bytes"
    at = next(place for place in range(1, len(head)) if head[place] < 0x80) + 1
    length = int.from_bytes(head[at : at + 2], "big")
    topic = head[at + 2 : at + 2 + length].decode("utf-8", "replace")
    flags = f"qos={head[0] >> 1 & 3} retain={bool(head[0] & 1)}"
    return f"PUBLISH topic={topic[:SHOWN_CHARACTERS_MAX]!r} {flags}, {size} bytes"


def _fields(packet: object) -> dict[str, object]:
    names = [each.name for each in fields(packet)] if hasattr(packet, "__dataclass_fields__") else _slots(packet)  # type: ignore[arg-type]
    found = {name: getattr(packet, name) for name in names}
    for name in ("payload", "will"):
        value = found.pop(name, None)
        payload = value if name == "payload" else getattr(value, "payload", None)
        if isinstance(payload, bytes):
            found["payload_bytes" if name == "payload" else "will_bytes"] = len(payload)
    properties = found.get("properties")
    if isinstance(properties, dict):
        found["properties"] = no_secrets(properties, SECRETS)
        if not properties:
            del found["properties"]
    return no_secrets(found, SECRETS)


def _slots(packet: object) -> list[str]:
    return [name for name in getattr(packet, "__slots__", ()) if not name.startswith("_")]
