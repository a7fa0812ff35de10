"""What a broker's operator decides about its STOMP connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from warren.adapters.stomp.codec.limits import FRAME_BYTES_MAX

TRANSACTIONS_MAX: Final = 16
"""Open transactions per session (spec B.8)."""

ACTIONS_MAX: Final = 1024
"""Frames that one transaction may collect (spec B.8)."""


@dataclass(frozen=True, slots=True)
class StompSettings:
    """Limits, names and habits.

    frame_bytes_max, message_bytes_max: the largest frame and the largest body, in bytes.  login_timeout_ms: from the
    accepted socket to CONNECTED.  unread_timeout_ms: how long a peer may leave its replies unread, once its commands
    wait for that.  default_user, default_password: of a CONNECT without login.  default_vhost: of one without host.
    implicit_connect: the first other frame logs in as the default user.  certificate_login: a CONNECT without login
    is the user that the client's TLS certificate names.  topic_exchange: what /topic/ stands for.
    nack_requeues: what NACK does that doesn't say.  trailing_line_feed: a line feed follows every frame.
    friendly: sessions that type like a person are treated as one (see friendly.py).  server: the header of CONNECTED,
    empty to leave it out.
    """

    frame_bytes_max: int = FRAME_BYTES_MAX
    message_bytes_max: int = 16 * 1024 * 1024
    login_timeout_ms: int = 10_000
    unread_timeout_ms: int = 30_000
    default_user: str = "guest"
    default_password: str = field(default="guest", repr=False)
    default_vhost: str = "/"
    implicit_connect: bool = False
    certificate_login: bool = False
    topic_exchange: str = "amq.topic"
    nack_requeues: bool = True
    trailing_line_feed: bool = True
    friendly: bool = False
    server: str = "RabbitMQ/4.1.0"
