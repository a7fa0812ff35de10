"""Configuration keys that several protocols act on."""

from __future__ import annotations

from typing import Final

from warren.core.configuration.key import Key
from warren.core.configuration.values import number, seconds_of, size, text

MESSAGE_BYTES_MOST: Final = 2**29
"""RabbitMQ's own upper bound of max_message_size, 512 MiB."""

HANDSHAKE_TIMEOUT_MOST_S: Final = 3600
"""Somebody may open a connection by hand, and type."""


def _handshake_timeout(value: str) -> object:
    """In a rabbitmq.conf it may be `infinity`: the longest, since who never logs in holds a connection."""
    return HANDSHAKE_TIMEOUT_MOST_S if value == "infinity" else seconds_of(value)


HANDSHAKE_TIMEOUT_S = Key(
    "handshake_timeout_s",
    number(0.1, HANDSHAKE_TIMEOUT_MOST_S, "seconds"),
    10.0,
    "Seconds that a client has from connecting to an open virtual host; then it is disconnected.",
    rabbitmq=("handshake_timeout",),
    from_rabbitmq=_handshake_timeout,
)

UNREAD_TIMEOUT_S = Key(
    "unread_timeout_s",
    number(0, 86_400, "seconds"),
    30.0,
    "Seconds that a client of any protocol may read nothing while something waits for it; it is looked at once in that "
    "time, and cut off with a reset (RST) after one to two of them. Heartbeats don't help it, reading does, however "
    "slowly. 0 is for ever.",
    rabbitmq=("tcp_listen_options.send_timeout",),
    from_rabbitmq=seconds_of,
)

MAX_MESSAGE_BYTES = Key(
    "max_message_bytes",
    size(1, MESSAGE_BYTES_MOST),
    16 * 2**20,
    "Largest message body, in bytes. A larger one closes the channel of its publisher with 406 (PRECONDITION_FAILED).",
    rabbitmq=("max_message_size",),
)

PRODUCT = Key(
    "product",
    text,
    "RabbitMQ",
    "`product` in the server properties. Client libraries choose their behaviour by it, so it "
    "says what Warren behaves like.",
    rabbitmq=("product.name",),
)

PRODUCT_VERSION = Key(
    "product_version",
    text,
    "3.13.7",
    "`version` in the server properties, which client libraries read together with `product`.",
    rabbitmq=("product.version",),
)
