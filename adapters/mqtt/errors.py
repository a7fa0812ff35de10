"""Refusals in MQTT's terms, and what the broker's errors become in them."""

from __future__ import annotations

from typing import Final

from warren.adapters.mqtt.codec import reason_codes
from warren.core.errors import AccessRefused, BrokerError, NotFound, PreconditionFailed, ResourceLocked

LATE: Final = frozenset({reason_codes.BAD_USER_NAME_OR_PASSWORD, reason_codes.NOT_AUTHORIZED})
"""The reason codes that tell who tries a password something: such a CONNACK is sent late (spec C.2)."""


class Refusal(Exception):
    """The connection ends with this reason code, in CONNACK or DISCONNECT.  text: for people, in the reason string."""

    def __init__(self, reason_code: int, text: str) -> None:
        super().__init__(text)
        self.reason_code = reason_code
        self.text = text


def reason_of(error: BrokerError) -> int:
    """The reason code that comes nearest to an error of the broker."""
    if isinstance(error, AccessRefused | ResourceLocked):
        return reason_codes.NOT_AUTHORIZED
    if isinstance(error, PreconditionFailed):
        return reason_codes.QUOTA_EXCEEDED
    if isinstance(error, NotFound):
        return reason_codes.UNSPECIFIED_ERROR
    return reason_codes.IMPLEMENTATION_SPECIFIC_ERROR
