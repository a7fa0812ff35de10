"""Where a message was published: an exchange and a routing key, made once and shared by its messages."""

from __future__ import annotations


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
