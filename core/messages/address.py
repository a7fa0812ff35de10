"""Where a message was published: an exchange and a routing key, made once and shared by its messages."""

from __future__ import annotations

from typing import Final

from warren.core.compiled import mypyc_attr

KEY_BYTES_MAX: Final = 255
"""A routing key is a shortstr (AMQP 0-9-1 4.2.5.3)."""


def fits_key(key: str) -> bool:
    """False for one that is too long to be a routing key."""
    return len(key) * 4 <= KEY_BYTES_MAX or len(key.encode("utf-8", "surrogateescape")) <= KEY_BYTES_MAX


def short_key(key: str) -> str:
    """`key`, or as much of its beginning as fits into a routing key.

    MQTT's topics may be longer (65,535 bytes).  Messages are routed by the whole key; their address has the short one,
    and a header the topic (adapters.mqtt.sessions.publishing.with_topic).
    """
    if fits_key(key):
        return key
    return key.encode("utf-8", "surrogateescape")[:KEY_BYTES_MAX].decode("utf-8", "ignore")


@mypyc_attr(acyclic=True)
class Address:
    """The exchange and routing key that a message was published with.

    Messages published alike share one Address, so that what is derived from it (`encoded`, a consumer's delivery
    prefix) is made once.  Both strings are at most 255 bytes in UTF-8 (AMQP 0-9-1 shortstr, 4.2.5.3).
    """

    __slots__ = ("encoded", "exchange", "routing_key")

    def __init__(self, exchange: str, routing_key: str) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        exchange_bytes = exchange.encode("utf-8", "surrogateescape")
        key_bytes = routing_key.encode("utf-8", "surrogateescape")
        self.encoded = b"%c%b%c%b" % (len(exchange_bytes), exchange_bytes, len(key_bytes), key_bytes)

    @classmethod
    def decode(cls, encoded: bytes) -> Address:
        """The Address whose `encoded` form this is; for records read back from disk."""
        key_at = 1 + encoded[0]
        return cls(
            encoded[1:key_at].decode("utf-8", "surrogateescape"),
            encoded[key_at + 1 :].decode("utf-8", "surrogateescape"),
        )
