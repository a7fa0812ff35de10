"""Readers of the values of keys that shovels alone have; each raises ValueError with what the value must be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.topics import check_topic_name, parse_filter
from warren.core.frozen import frozen
from warren.core.messages.properties import encode_properties
from warren.plugins.bridging.values import count

PREFETCH_MAX: Final = 0xFFFF
"""What basic.qos can say."""


def rate(value: object) -> float:
    """Reads messages a second."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1_000_000:
        raise ValueError("must be a number of messages a second, above 0")
    return float(value)


def properties(value: object) -> Mapping[str, Any]:
    """Reads properties that a message is to have."""
    if not isinstance(value, dict):
        raise ValueError('must be an object of properties, such as {"delivery_mode": 2}')
    encode_properties(**value)
    return value


def named(meanings: Mapping[Any, Any]) -> Callable[[object], Any]:
    """Reads one of several values as what it stands for."""

    def read(value: object) -> Any:
        if not isinstance(value, str | bool) or value not in meanings:
            raise ValueError(f"must be one of {', '.join(json.dumps(each) for each in meanings)}")
        return meanings[value]

    return read


def delete_after(value: object) -> int | str | None:
    """Reads after how many messages a shovel ends."""
    if value == "never":
        return None
    if value == "queue-length":
        return "queue-length"
    try:
        return count(0, 2**53)(value)
    except ValueError:
        raise ValueError("must be 'never', 'queue-length' or a number of messages") from None


def prefetch(value: object) -> int:
    """Reads how many messages may be under way; 0, which means no limit elsewhere, is the most that there is."""
    return count(0, PREFETCH_MAX)(value) or PREFETCH_MAX


PAYLOAD_BYTES_MAX: Final = 0xFFFF
"""Binary data in a packet is told the length of in two bytes."""


@frozen
class InternalOwner:
    """What an internal shovel belongs to.  kind: of the thing, such as `queue`."""

    name: str
    kind: str
    vhost: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}' in virtual host '{self.vhost}'"


def internal_owner(value: object) -> InternalOwner:
    """Reads `{"name": ..., "kind": ..., "virtual_host": ...}`."""
    if isinstance(value, dict) and set(value) == {"name", "kind", "virtual_host"}:
        texts = [value["name"], value["kind"], value["virtual_host"]]
        if all(isinstance(each, str) and each for each in texts):
            return InternalOwner(*texts)
    raise ValueError("must be an object with the texts name, kind and virtual_host")


def topic_filters(value: object) -> tuple[str, ...]:
    """Reads a topic filter, or a list of them."""
    given = value if isinstance(value, list) else [value]
    filters = [each for each in given if isinstance(each, str)]
    if not filters or len(filters) != len(given):
        raise ValueError("must be a topic filter, or a list of them")
    try:
        for each in filters:
            parse_filter(each)
    except PacketError as error:
        raise ValueError(f"can't be used: {error.text}") from None
    return tuple(filters)


def payload(value: object) -> str:
    """Reads what a will may carry (MQTT 5 1.5.6)."""
    if not isinstance(value, str) or len(value.encode("utf-8", "surrogateescape")) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"must be a string of at most {PAYLOAD_BYTES_MAX} bytes")
    return value


def topic(value: object) -> str:
    """Reads a topic; in a template, `{topic}` stands for a message's own."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    try:
        check_topic_name(value)
    except PacketError as error:
        raise ValueError(f"can't be used: {error.text}") from None
    return value
