"""What a broker's operator decides about its WebSocket listeners."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MESSAGE_BYTES_MAX_BEFORE_LOGIN: Final = 64 * 1024 + 4096
"""What one WebSocket message may hold of somebody who has not logged in (spec D)."""

MESSAGE_SLACK_BYTES: Final = 64 * 1024
"""What one WebSocket message may hold beyond the largest frame or packet of the protocol in it: the small ones around
it."""


@dataclass(frozen=True, slots=True)
class WebSocketSettings:
    """Limits and habits.

    stomp_text: STOMP goes out in text messages; else in binary ones, as the other protocols do.  compress: accept
    permessage-deflate.  idle_timeout_ms: how long a peer may be silent that doesn't even answer pings; 0 for ever.
    request_timeout_ms: what an HTTP request, and the first bytes on a WebSocket, may take.  message_bytes_max: the
    largest WebSocket message, once logged in.  allow_origins: web pages of which origins may connect, empty for all.
    use_http_auth: HTTP Basic says who connects; default_user, default_password: who does without it, over STOMP.
    """

    stomp_text: bool = True
    compress: bool = True
    idle_timeout_ms: int = 60_000
    request_timeout_ms: int = 10_000
    message_bytes_max: int = 16 * 1024 * 1024 + MESSAGE_SLACK_BYTES
    allow_origins: frozenset[str] = frozenset()
    use_http_auth: bool = False
    default_user: str = "guest"
    default_password: str = field(default="guest", repr=False)
