"""Errors of the broker in the stream protocol's terms: a code, and a sentence for the log."""

from __future__ import annotations

from typing import Final

from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code
from warren.core.errors import AccessRefused, BrokerError, NotAllowed, NotFound, PreconditionFailed, ResourceLocked

_CODES: Final[tuple[tuple[type[BrokerError], Code], ...]] = (
    (NotFound, Code.NO_STREAM),
    (AccessRefused, Code.ACCESS_REFUSED),
    (ResourceLocked, Code.ACCESS_REFUSED),
    (PreconditionFailed, Code.PRECONDITION_FAILED),
    (NotAllowed, Code.PRECONDITION_FAILED),
)


def refusal_of(error: BrokerError) -> Refused:
    """What a client is told of an error of the broker's."""
    code = next((found for kind, found in _CODES if isinstance(error, kind)), Code.INTERNAL_ERROR)
    return Refused(code, error.text)
