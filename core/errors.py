"""The one tree of errors that a broker operation can end in.

Every error carries the AMQP 0-9-1 reply code and name, the scope that it ends (one message, one channel, one
connection) and a text for people: what was wrong and what to do.  Core raises them; each adapter translates them at
one place into its protocol's own terms (channel.close, ERROR frames, reason codes).
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Scope(Enum):
    """How much of a client's session an error ends."""

    MESSAGE = "message"
    CHANNEL = "channel"
    CONNECTION = "connection"


class BrokerError(Exception):
    """An operation that was refused; subclasses fix the code, the name and the usual scope.

    text: goes on the wire behind the name.  Where RabbitMQ has a sentence for the same refusal, it begins with that, to
    the letter, since programs compare; behind it may stand a hint.  advice: a hint that only the log gives, where
    programs compare the whole text.  `scope` overrides the class's usual scope.  `limit` names the limit that refused,
    if one did (core/limit_hits.py).
    """

    code: ClassVar[int] = 541
    name: ClassVar[str] = "INTERNAL_ERROR"
    scope: Scope = Scope.CONNECTION
    limit: str = ""

    def __init__(self, text: str, scope: Scope | None = None, *, advice: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.advice = advice
        if scope is not None:
            self.scope = scope

    @property
    def reply_text(self) -> str:
        """`NAME - text`, as RabbitMQ writes it (untruncated)."""
        return f"{self.name} - {self.text}"

    @property
    def logged_text(self) -> str:
        """The reply text, and the advice."""
        return f"{self.reply_text}; {self.advice}" if self.advice else self.reply_text


class ContentTooLarge(BrokerError):
    code = 311
    name = "CONTENT_TOO_LARGE"
    scope = Scope.CHANNEL


class ConnectionForced(BrokerError):
    code = 320
    name = "CONNECTION_FORCED"
    scope = Scope.CONNECTION


class InvalidPath(BrokerError):
    code = 402
    name = "INVALID_PATH"
    scope = Scope.CONNECTION


class AccessRefused(BrokerError):
    code = 403
    name = "ACCESS_REFUSED"
    scope = Scope.CHANNEL


class NotFound(BrokerError):
    code = 404
    name = "NOT_FOUND"
    scope = Scope.CHANNEL


class NoSuchUser(NotFound):
    """An operation that names a user who isn't there."""


class NoSuchParameter(NotFound):
    """An operation that names a policy or runtime parameter that isn't there."""


class ResourceLocked(BrokerError):
    code = 405
    name = "RESOURCE_LOCKED"
    scope = Scope.CHANNEL


class PreconditionFailed(BrokerError):
    code = 406
    name = "PRECONDITION_FAILED"
    scope = Scope.CHANNEL


class LowOnDisk(PreconditionFailed):
    """Something new can't be kept, as the disk is full; the broker goes on with what there is."""


class FrameError(BrokerError):
    code = 501
    name = "FRAME_ERROR"
    scope = Scope.CONNECTION


class MalformedField(BrokerError):
    """A method argument, table or property list that can't be decoded (502 SYNTAX_ERROR)."""

    code = 502
    name = "SYNTAX_ERROR"
    scope = Scope.CONNECTION


class CommandInvalid(BrokerError):
    code = 503
    name = "COMMAND_INVALID"
    scope = Scope.CONNECTION


class ChannelError(BrokerError):
    code = 504
    name = "CHANNEL_ERROR"
    scope = Scope.CONNECTION


class UnexpectedFrame(BrokerError):
    code = 505
    name = "UNEXPECTED_FRAME"
    scope = Scope.CONNECTION


class ResourceError(BrokerError):
    code = 506
    name = "RESOURCE_ERROR"
    scope = Scope.CONNECTION


class StoreUnavailable(ResourceError):
    """Stored messages can't be read just now (no file descriptor, a disk error); none of them is lost by that."""


class NotAllowed(BrokerError):
    code = 530
    name = "NOT_ALLOWED"
    scope = Scope.CONNECTION


class UnknownVirtualHost(NotAllowed):
    """There is no virtual host of this name."""


class VirtualHostRefused(NotAllowed):
    """The user has no permissions in the virtual host."""


class NotImplementedByBroker(BrokerError):
    code = 540
    name = "NOT_IMPLEMENTED"
    scope = Scope.CONNECTION


class InternalError(BrokerError):
    code = 541
    name = "INTERNAL_ERROR"
    scope = Scope.CONNECTION


class ClusterAway(InternalError):
    """The servers that keep what a cluster shares can't be reached, or don't agree: it can't be changed now."""


class StorageError(Exception):
    """The data directory can't be used: the text says which file, what is wrong with it and what to do.

    It ends the broker, not a connection, so it is outside the tree of reply codes.
    """


class NewerFormatError(StorageError):
    """What is stored is in a format of a newer version of Warren: nothing is damaged, and nothing was changed."""
