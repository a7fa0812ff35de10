"""What a broker's operator decides about its STOMP connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from warren.adapters.first_bytes import no_hint
from warren.adapters.session.keys import MAX_MESSAGE_BYTES, UNREAD_TIMEOUT_S
from warren.adapters.stomp.codec.limits import FRAME_BYTES_MAX
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import boolean, number, one_of, seconds_of, size, text
from warren.core.frozen import frozen

TRANSACTIONS_MAX: Final = 16
"""Open transactions per session (spec B.8)."""

ACTIONS_MAX: Final = 1024
"""Frames that one transaction may collect (spec B.8)."""

_FRAME_BYTES_LEAST: Final = 4096
"""A login has to fit, with room to spare."""

_FRAME_BYTES_MOST: Final = 2**28
"""A frame is held in memory as a whole, for each connection that is sending one."""


AT_COMMIT: Final = "commit"
AT_ONCE: Final = "frame"
"""When what belongs to a transaction has its receipt."""


def _is_at_commit(when: str) -> bool:
    return when == AT_COMMIT


def _is_text(frame: str) -> bool:
    return frame == "text"


@frozen
class StompSettings:
    """Limits, names and habits.

    unread_timeout_ms: how long a peer may leave its replies unread, once its commands wait for that.  server: the
    header of CONNECTED, empty to leave it out.  hint: what a peer's first bytes look like, for people.
    """

    friendly: bool = configured(
        Key(
            "stomp_friendly",
            boolean,
            False,
            "Whether STOMP sessions that look typed (CONNECT without accept-version, lines that end "
            'with CR LF) are helped: a lone "." ends a body, ERROR frames carry hints. Anybody can '
            "ask for that by typing HELP. Also written `stomp.friendly`, and so on for all keys of "
            "STOMP.",
            rabbitmq=("stomp.friendly",),
        )
    )
    default_user: str = configured(
        Key(
            "stomp_default_user",
            text,
            "guest",
            "User of a STOMP CONNECT without login.",
            rabbitmq=("stomp.default_user",),
        )
    )
    default_password: str = configured(
        Key(
            "stomp_default_pass", text, "guest", "Password of that user.", rabbitmq=("stomp.default_pass",), secret=True
        )
    )
    default_vhost: str = configured(
        Key(
            "stomp_default_vhost",
            text,
            "/",
            "Virtual host of a CONNECT without host.",
            rabbitmq=("stomp.default_vhost",),
        )
    )
    topic_exchange: str = configured(
        Key(
            "stomp_default_topic_exchange",
            text,
            "amq.topic",
            "Exchange that `/topic/` stands for.",
            rabbitmq=("stomp.default_topic_exchange",),
        )
    )
    nack_requeues: bool = configured(
        Key(
            "stomp_default_nack_requeue",
            boolean,
            True,
            "Whether NACK without the header requeue returns the message to its queue; else it is dead-lettered.",
            rabbitmq=("stomp.default_nack_requeue",),
        )
    )
    implicit_connect: bool = configured(
        Key(
            "stomp_implicit_connect",
            boolean,
            False,
            "Whether a first frame other than CONNECT logs in as the default user.",
            rabbitmq=("stomp.implicit_connect",),
        )
    )
    certificate_login: bool = configured(
        Key(
            "stomp_certificate_login",
            boolean,
            False,
            "Whether a CONNECT without login is the user that the client's TLS certificate names. "
            "RabbitMQ's name for it is `stomp.ssl_cert_login`.",
            also=("stomp.ssl_cert_login",),
            rabbitmq=("stomp.ssl_cert_login",),
        )
    )
    hide_server_info: bool = configured(
        Key(
            "stomp_hide_server_info",
            boolean,
            False,
            "Whether CONNECTED keeps product and version to itself.",
            rabbitmq=("stomp.hide_server_info",),
        )
    )
    login_timeout_ms: int = configured(
        Key(
            "stomp_login_timeout_s",
            number(0.1, 3600, "seconds"),
            10.0,
            "Time a client has from connecting to CONNECT, in seconds.",
            rabbitmq=("stomp.login_timeout",),
            from_rabbitmq=seconds_of,
        ),
        milliseconds,
    )
    frame_bytes_max: int = configured(
        Key(
            "stomp_max_frame_bytes",
            size(_FRAME_BYTES_LEAST, _FRAME_BYTES_MOST),
            FRAME_BYTES_MAX,
            "Largest STOMP frame, in bytes. Also written `stomp.max_frame_size`, as RabbitMQ does.",
            also=("stomp.max_frame_size",),
            rabbitmq=("stomp.max_frame_size",),
        )
    )
    receipts_at_commit: bool = configured(
        Key(
            "stomp_transaction_receipts",
            one_of((AT_COMMIT, AT_ONCE)),
            AT_COMMIT,
            "When SEND, ACK and NACK within a transaction have receipts: `commit`, when that is done and on disk, "
            "as by RabbitMQ, so that a receipt always means that it is safe; `frame`, as soon as the frame "
            "belongs to the transaction, for clients that wait for each receipt before they go on, and so would never "
            "come to COMMIT.",
        ),
        _is_at_commit,
    )
    bare_errors: bool = configured(
        Key(
            "stomp_bare_errors",
            boolean,
            False,
            "Whether the body of an ERROR is RabbitMQ's sentence alone, for programs that compare it, without the hint "
            "that follows it else.",
        )
    )
    trailing_line_feed: bool = configured(
        Key(
            "stomp_trailing_lf",
            boolean,
            True,
            "Whether a line feed follows each frame, which keeps terminals readable.",
            rabbitmq=("stomp.trailing_lf",),
        )
    )
    websocket_text: bool = configured(
        Key(
            "websocket_stomp_frame",
            one_of(("text", "binary")),
            "text",
            "Type of the WebSocket messages that STOMP goes out in, text or binary. Also written `web_stomp.ws_frame`.",
            also=("web_stomp.ws_frame",),
            rabbitmq=("web_stomp.ws_frame",),
        ),
        _is_text,
    )
    message_bytes_max: int = configured(MAX_MESSAGE_BYTES)
    unread_timeout_ms: int = configured(UNREAD_TIMEOUT_S, milliseconds)
    server: str = "RabbitMQ/4.1.0"
    hint: Callable[[bytes], str] = no_hint
