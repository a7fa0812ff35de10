"""Readers of the values of keys that links have; each raises ValueError with what the value must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import Encodable, encode_table

TEXT_BYTES_MAX = 255
"""Names and keys of AMQP are shortstrs (0-9-1 4.2.5.3)."""

Arguments = Mapping[str, Encodable]

Readers = Mapping[str, Callable[[object], Any]]
"""Keys, and what reads the value of each."""

Uri = TypeVar("Uri")


def text(value: object) -> str:
    """Reads a text that fits a shortstr."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if len(value.encode("utf-8", "surrogateescape")) > TEXT_BYTES_MAX:
        raise ValueError("must be at most 255 bytes long")
    return value


def name(value: object) -> str:
    """Reads a text that says something."""
    if not text(value):
        raise ValueError("must not be empty")
    return text(value)


def truth(value: object) -> bool:
    """Reads true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def one_of(*allowed: str) -> Callable[[object], str]:
    """Reads one of several texts."""

    def read(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return str(value)

    return read


def count(least: int, most: int) -> Callable[[object], int]:
    """Reads a whole number within bounds."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read


def seconds(value: object) -> float:
    """Reads a number of seconds, up to a day."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise ValueError("must be a number of seconds from 0 to 86400")
    return float(value)


def arguments(value: object) -> Arguments:
    """Reads arguments of a queue or a consumer."""
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    try:
        encode_table(value)
    except ValueError as error:
        raise ValueError(f"can't be sent: {error}") from None
    return value


def uris(parse: Callable[[str], Uri]) -> Callable[[object], tuple[Uri, ...]]:
    """Reads a URI, or a list of them."""

    def read(value: object) -> tuple[Uri, ...]:
        given = value if isinstance(value, list) else [value]
        texts = [each for each in given if isinstance(each, str)]
        if not texts or len(texts) != len(given):
            raise ValueError("must be a URI, or a list of URIs")
        try:
            return tuple(parse(each) for each in texts)
        except PreconditionFailed as error:
            raise ValueError(f"can't be used: {error.text}") from None

    return read
