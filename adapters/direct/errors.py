"""What a direct client is told, beside the errors of the broker itself (core.errors.BrokerError)."""

from __future__ import annotations


class DirectError(Exception):
    """The common part: `text` is for people, as that of a BrokerError."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Unroutable(DirectError):
    """A mandatory message found no queue; nobody has it."""


class Refused(DirectError):
    """A full queue refused the message (overflow reject-publish); other queues on its way may have it."""


class PublishBlocked(DirectError):
    """A resource alarm is raised: `text` says which.  Only publishes that don't wait are told so."""


class RateExceeded(PublishBlocked):
    """A limit of a rate is reached (`max-message-rate`...): the message wasn't published, and may be in a moment."""


class ConsumerEnded(DirectError):
    """The broker ended the consumer: its queue is gone, or it kept messages for too long."""


class ClientClosed(DirectError):
    """The client is at its end: closed by itself, by an administrator, or with the broker.

    What waited for a confirm then may have been stored or not.
    """
