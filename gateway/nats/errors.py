"""What can go wrong with a NATS server, by what may be done about it."""

from __future__ import annotations

from typing import Final

WRONG_LAST_SEQUENCE: Final = frozenset({10071, 10164})
"""JetStream's codes for a write that expected another last sequence; the second one names none."""

NOT_AVAILABLE: Final = 10008
"""JetStream has no leader for this at the moment, and has done nothing (JSClusterNotAvailErr)."""

FULL: Final = frozenset({10002, 10023, 10028, 10047, 10077})
"""JetStream's codes for a write that there is no room for: a limit of the account, of the server, of its memory or its
disk is reached, or the stream's own."""

NO_MESSAGE_FOUND: Final = 10037
STREAM_NOT_FOUND: Final = 10059
STREAM_NAME_IN_USE: Final = 10058
"""There is a stream of the name, with another configuration."""


class NatsError(Exception):
    """Anything below; the text is for people."""


class NatsProtocolError(NatsError):
    """The other side doesn't speak NATS, or something on the way has changed what it says."""


class NatsUnreachable(NatsError):
    """No server could be reached and logged in to; nothing was sent."""


class NatsDisconnected(NatsError):
    """The connection ended, or no answer came in time: what was asked for was done or not, nobody knows."""


class NatsClosed(NatsError):
    """The client was closed, here."""


class LoginRefused(NatsError):
    """The server doesn't take who we say we are."""


class NoResponders(NatsError):
    """Nobody listens at the subject: for JetStream, it isn't there, or it has no leader at the moment."""


class ApiError(NatsError):
    """JetStream refused.

    code: JetStream's own number of the reason (`err_code`), or the status where it gave none.  description: its words.
    """

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} (JetStream {code})")
        self.code = code
        self.description = description


class UnfitServer(NatsError):
    """The server is too old, or configured so that what it confirms can be lost; the text says what to change."""
