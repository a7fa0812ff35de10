"""Errors of the broker in AMQP 1.0's terms: the condition, the text, and what they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec import errors
from warren.adapters.amqp10.codec.errors import Level, PeerMistake
from warren.adapters.amqp10.codec.performatives import Error
from warren.core.errors import (
    AccessRefused,
    BrokerError,
    ConnectionForced,
    ContentTooLarge,
    NotAllowed,
    NotFound,
    NotImplementedByBroker,
    PreconditionFailed,
    ResourceError,
    ResourceLocked,
)

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.values import Symbol

_CONDITIONS: Final[tuple[tuple[type[BrokerError], Symbol], ...]] = (
    (NotFound, errors.NOT_FOUND),
    (AccessRefused, errors.UNAUTHORIZED_ACCESS),
    (ResourceLocked, errors.RESOURCE_LOCKED),
    (PreconditionFailed, errors.PRECONDITION_FAILED),
    (ContentTooLarge, errors.MESSAGE_SIZE_EXCEEDED),
    (ConnectionForced, errors.CONNECTION_FORCED),
    (ResourceError, errors.RESOURCE_LIMIT_EXCEEDED),
    (NotAllowed, errors.NOT_ALLOWED),
    (NotImplementedByBroker, errors.NOT_IMPLEMENTED),
)

_DESCRIPTION_CHARACTERS_MAX: Final = 400
"""An error has to fit into the smallest frame that a peer may insist on, 512 bytes."""


def mistake_of(error: BrokerError, level: Level) -> PeerMistake:
    """What a client is told of an error of the broker's."""
    condition = next((found for kind, found in _CONDITIONS if isinstance(error, kind)), errors.INTERNAL_ERROR)
    if error.limit and condition is errors.NOT_ALLOWED:
        condition = errors.RESOURCE_LIMIT_EXCEEDED
    made = PeerMistake(condition, error.text, level)
    made.limit = error.limit
    return made


def told(mistake: PeerMistake) -> Error:
    """The error of a close, end or detach."""
    return Error(mistake.condition, described(mistake.text))


def described(text: str) -> str:
    """A text for people, as long as an error's description may be."""
    clean = text.encode("utf-8", "replace").decode()
    while len(clean.encode()) > _DESCRIPTION_CHARACTERS_MAX:
        clean = clean[: len(clean) * 9 // 10]
    return clean
