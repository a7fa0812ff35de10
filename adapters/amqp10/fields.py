"""What selectors may look at in a message of AMQP 1.0 (core.selectors.fields)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from warren.adapters.amqp10.codec.composites import decode_composite
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.sections import (
    APPLICATION_PROPERTIES,
    HEADER,
    PROPERTIES,
    MessageHeader,
    MessageProperties,
    sections_of,
)
from warren.core.selectors.fields import Fields
from warren.core.selectors.grammar import PROPERTY_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

PRIORITY_DEFAULT: Final = 4
"""3.2.1."""


def fields_of(message: bytes, now_ms: int) -> Fields:
    """The fields of a message; none of what can't be read."""
    sections: dict[str, object] = {"header.priority": PRIORITY_DEFAULT, "header.durable": False}
    applications: Mapping[str, object] = {}
    try:
        for section in sections_of(message):
            if section.code == HEADER:
                header: MessageHeader = _list(message, section.code, section.value_at, section.end)
                sections["header.durable"] = bool(header.durable)
                sections["header.ttl"] = header.ttl
                if header.priority is not None:
                    sections["header.priority"] = header.priority
            elif section.code == PROPERTIES:
                properties: MessageProperties = _list(message, section.code, section.value_at, section.end)
                for name in PROPERTY_NAMES:
                    sections[f"properties.{name}"] = _plain(getattr(properties, name))
            elif section.code == APPLICATION_PROPERTIES:
                value, _ = decode(message, section.value_at, section.end)
                if isinstance(value, dict):
                    applications = {name: _plain(each) for name, each in value.items() if isinstance(name, str)}
    except Undecodable:
        return Fields({}, {}, now_ms)
    return Fields(sections, applications, now_ms)


def _plain(value: object) -> object:
    return value.bytes if isinstance(value, UUID) else value


def _list(message: bytes, code: int, at: int, end: int) -> Any:
    whole = b"\x00\x53%c" % code + message[at:end]
    return decode_composite(whole, 0, len(whole))[0]
