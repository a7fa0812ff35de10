"""Texts that have to fit the wire."""

from __future__ import annotations

from adapters.amqp091.constants import SHORT_STRING_BYTES_MAX


def short_text(text: str) -> str:
    """`text` cut, between characters, so that it fits a shortstr (reply-text)."""
    encoded = text.encode("utf-8", "surrogateescape")
    if len(encoded) <= SHORT_STRING_BYTES_MAX:
        return text
    return encoded[:SHORT_STRING_BYTES_MAX].decode("utf-8", "ignore")
