"""What is wrong with what a peer sent, and what that ends: the link, the session or the connection (part 2, 2.8.15 on).

The texts are for the people who look for the mistake; they say what was found and what should have been.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from warren.adapters.amqp10.codec.values import Symbol

# part 2, 2.8.15
INTERNAL_ERROR: Final = Symbol("amqp:internal-error")
NOT_FOUND: Final = Symbol("amqp:not-found")
UNAUTHORIZED_ACCESS: Final = Symbol("amqp:unauthorized-access")
DECODE_ERROR: Final = Symbol("amqp:decode-error")
RESOURCE_LIMIT_EXCEEDED: Final = Symbol("amqp:resource-limit-exceeded")
NOT_ALLOWED: Final = Symbol("amqp:not-allowed")
INVALID_FIELD: Final = Symbol("amqp:invalid-field")
NOT_IMPLEMENTED: Final = Symbol("amqp:not-implemented")
RESOURCE_LOCKED: Final = Symbol("amqp:resource-locked")
PRECONDITION_FAILED: Final = Symbol("amqp:precondition-failed")
RESOURCE_DELETED: Final = Symbol("amqp:resource-deleted")
ILLEGAL_STATE: Final = Symbol("amqp:illegal-state")
FRAME_SIZE_TOO_SMALL: Final = Symbol("amqp:frame-size-too-small")
# 2.8.16
CONNECTION_FORCED: Final = Symbol("amqp:connection:forced")
FRAMING_ERROR: Final = Symbol("amqp:connection:framing-error")
# 2.8.17
WINDOW_VIOLATION: Final = Symbol("amqp:session:window-violation")
ERRANT_LINK: Final = Symbol("amqp:session:errant-link")
HANDLE_IN_USE: Final = Symbol("amqp:session:handle-in-use")
UNATTACHED_HANDLE: Final = Symbol("amqp:session:unattached-handle")
# 2.8.18
DETACH_FORCED: Final = Symbol("amqp:link:detach-forced")
TRANSFER_LIMIT_EXCEEDED: Final = Symbol("amqp:link:transfer-limit-exceeded")
MESSAGE_SIZE_EXCEEDED: Final = Symbol("amqp:link:message-size-exceeded")
STOLEN: Final = Symbol("amqp:link:stolen")
# part 4, 4.5.8
UNKNOWN_TRANSACTION: Final = Symbol("amqp:transaction:unknown-id")
TRANSACTION_ROLLBACK: Final = Symbol("amqp:transaction:rollback")


class Level(Enum):
    """What an error ends."""

    LINK = "link"
    SESSION = "session"
    CONNECTION = "connection"


class PeerMistake(Exception):
    """A peer did what it may not.

    condition: the error's name in the specification.  clause: where that stands, such as `2.4.1`; of part 2 if it
    begins with a 2, and so on.  limit: the limit that refused, if one did (core.limit_hits).
    """

    limit: str = ""

    def __init__(self, condition: Symbol, text: str, level: Level = Level.CONNECTION, *, clause: str = "") -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text
        self.level = level
        self.clause = clause


class Undecodable(PeerMistake):
    """Bytes that are no value, or none of the type that belongs there: amqp:decode-error."""

    def __init__(self, text: str, *, clause: str = "1.6", level: Level = Level.CONNECTION) -> None:
        super().__init__(DECODE_ERROR, text, level, clause=clause)
