"""Texts that have to fit the wire."""

from __future__ import annotations

from warren.adapters.amqp091.codec.constants import SHORT_STRING_BYTES_MAX


def short_text(text: str) -> str:
    """`text` cut, between characters, so that it fits a shortstr (reply-text).

    Bytes of a client's that were no UTF-8 are shown escaped: what the broker itself says has to be readable.
    """
    encoded = text.encode("utf-8", "backslashreplace")
    return encoded[:SHORT_STRING_BYTES_MAX].decode("utf-8", "ignore")
