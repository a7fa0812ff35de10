"""What a broker's operator decides about its AMQP 1.0 connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from warren.adapters.amqp10.codec.constants import FRAME_BYTES_LEAST
from warren.adapters.first_bytes import no_answer, no_hint
from warren.adapters.session.keys import (
    HANDSHAKE_TIMEOUT_S,
    MAX_MESSAGE_BYTES,
    PRODUCT,
    UNREAD_TIMEOUT_S,
)
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import boolean, number, size, text, whole_number
from warren.core.frozen import frozen

SESSIONS_MAX: Final = 64
LINKS_MAX: Final = 256
"""As RabbitMQ has them (spec H.1)."""

FRAME_BYTES_MAX: Final = 131_072
"""As RabbitMQ has it (spec H.1); a frame is held in memory as a whole, for each connection that is sending one."""

_FRAME_BYTES_MOST: Final = 2**28

IDLE_TIMEOUT_S: Final = 60.0
"""As the heartbeat of AMQP 0-9-1."""

_IDLE_TIMEOUT_MOST_S: Final = 65_535

_SESSIONS_MOST: Final = 65_536
_LINKS_MOST: Final = 65_536
_CREDIT_MOST: Final = 65_535

PRODUCT_VERSION: Final = "4.2.0"
"""The RabbitMQ that it behaves like: an absent `durable` is false since then."""

LINK_CREDIT: Final = 1000
"""Six times what RabbitMQ gives (spec H.1): a publisher is told of new credit by halves, and a message may be on its
way to the disk for as long as a thousand others take."""


@frozen
class Amqp10Settings:
    """Limits, names and habits.

    unread_timeout_ms: how long a peer may leave its replies unread, once its commands wait for that.  cluster_name,
    own_version: for the properties of open.  hint: what a peer's first bytes look like, for the log.
    answer_to_typing: what a person is told who types.
    """

    idle_timeout_ms: int = configured(
        Key(
            "amqp10_idle_timeout_s",
            number(0, _IDLE_TIMEOUT_MOST_S, "seconds"),
            IDLE_TIMEOUT_S,
            "Seconds without a byte from an AMQP 1.0 client after which its connection is closed; clients are told "
            "half of it. 0 is for ever.",
        ),
        milliseconds,
    )
    frame_bytes_max: int = configured(
        Key(
            "amqp10_frame_max",
            size(FRAME_BYTES_LEAST, _FRAME_BYTES_MOST),
            FRAME_BYTES_MAX,
            "Largest frame that an AMQP 1.0 client may send, in bytes; larger messages come in several frames.",
        )
    )
    sessions_max: int = configured(
        Key(
            "amqp10_sessions_max",
            whole_number(1, _SESSIONS_MOST),
            SESSIONS_MAX,
            "How many sessions an AMQP 1.0 connection may have.",
            rabbitmq=("session_max_per_connection",),
        )
    )
    links_max: int = configured(
        Key(
            "amqp10_links_max",
            whole_number(1, _LINKS_MOST),
            LINKS_MAX,
            "How many links a session of AMQP 1.0 may have.",
            rabbitmq=("link_max_per_session",),
        )
    )
    link_credit: int = configured(
        Key(
            "amqp10_link_credit",
            whole_number(1, _CREDIT_MOST, "messages"),
            LINK_CREDIT,
            "How many messages an AMQP 1.0 publisher may have sent on a link that aren't safe yet.",
        )
    )
    default_vhost: str = configured(
        Key(
            "amqp10_default_vhost",
            text,
            "/",
            "Virtual host of an AMQP 1.0 connection whose open names none (`hostname` as `vhost:NAME`).",
        )
    )
    addresses_v1: bool = configured(
        Key(
            "amqp10_addresses_v1",
            boolean,
            True,
            "Whether AMQP 1.0 clients may use the older addresses, `/queue/NAME` and so on, beside `/queues/NAME`.",
        )
    )
    anonymous_user: str = configured(
        Key(
            "amqp10_anonymous_user",
            text,
            "",
            "Who an AMQP 1.0 client is that logs in as nobody (ANONYMOUS, or without SASL); empty: it may not.",
        )
    )
    version: str = configured(
        Key(
            "amqp10_product_version",
            text,
            PRODUCT_VERSION,
            "`version` in the properties of open; AMQP 1.0 clients of RabbitMQ's want to see 4.0 or later.",
        )
    )
    message_bytes_max: int = configured(MAX_MESSAGE_BYTES)
    product: str = configured(PRODUCT)
    handshake_timeout_ms: int = configured(HANDSHAKE_TIMEOUT_S, milliseconds)
    unread_timeout_ms: int = configured(UNREAD_TIMEOUT_S, milliseconds)
    cluster_name: str = ""
    own_version: str = ""
    hint: Callable[[bytes], str] = no_hint
    answer_to_typing: Callable[[bytes], bytes] = no_answer
