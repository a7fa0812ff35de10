"""The arguments of queues and consumers: which type of queue knows which, and what they may be (spec A.7).

An argument that nobody knows is nobody's business and kept as it is.  One that this type of queue doesn't know but
another does is refused: who sets it expects something that wouldn't come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NoReturn

from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import Timestamp

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

COMMON_ARGUMENTS: Final = (
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-single-active-consumer",
    "x-delivery-limit",
    "x-consumer-timeout",
    "x-queue-leader-locator",
    "x-message-deduplication",
    "x-cache-size",
    "x-cache-ttl",
    "x-deduplication-header",
)
"""What every type of queue knows, beside x-queue-type."""

CLASSIC_ARGUMENTS: Final = (
    "x-max-priority",
    "x-drop-lowest-priority-first",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-master-locator",
)

QUORUM_ARGUMENTS: Final = (
    "x-dead-letter-strategy",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-quorum-initial-group-size",
    "x-member-placement-tag",
    "x-consumer-disconnected-timeout",
    "x-delayed-retry-type",
    "x-delayed-retry-min",
    "x-delayed-retry-max",
)

STREAM_ARGUMENTS: Final = (
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-stream-filter-size-bytes",
    "x-initial-cluster-size",
)

STREAM_CONSUMER_ARGUMENTS: Final = ("x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered")

ARGUMENTS_BY_TYPE: Final = {
    "classic": CLASSIC_ARGUMENTS,
    "quorum": QUORUM_ARGUMENTS,
    "stream": STREAM_ARGUMENTS,
}
"""What each type knows beside the common ones."""

DURATION_MS_MAX: Final = 315_360_000_000
"""Ten years, RabbitMQ's limit for TTL and expiry."""


def check_queue_arguments(description: str, type_name: str, arguments: Mapping[str, FieldValue]) -> None:
    """Refuse, with PreconditionFailed (406), arguments that only other types of queue know."""
    for other, names in ARGUMENTS_BY_TYPE.items():
        if other != type_name:
            _refuse_foreign(description, type_name, names, arguments)


def check_consumer_arguments(description: str, type_name: str, arguments: Mapping[str, FieldValue]) -> None:
    """Refuse, with PreconditionFailed (406), a consumer's arguments that are invalid or for other types of queue."""
    if not arguments:
        return
    _refuse_foreign(description, type_name, STREAM_CONSUMER_ARGUMENTS, arguments)
    reader = ArgumentReader(description, arguments)
    reader.number("x-priority", None, None)
    reader.number("x-consumer-timeout", 0, DURATION_MS_MAX)
    reader.flag("x-cancel-on-ha-failover")


def _refuse_foreign(
    description: str, type_name: str, names: tuple[str, ...], arguments: Mapping[str, FieldValue]
) -> None:
    for name in names:
        if name in arguments:
            raise PreconditionFailed(f"invalid arg '{name}' for {description} of queue type {type_name}")


class ArgumentReader:
    """Reads arguments of one declaration, and refuses (406) what they may not be, by name and value."""

    def __init__(self, description: str, arguments: Mapping[str, FieldValue]) -> None:
        self._description = description
        self._arguments = arguments

    def number(self, name: str, minimum: int | None, maximum: int | None) -> int | None:
        """An integer of any width; None when it isn't there."""
        if name not in self._arguments:
            return None
        value = self._arguments[name]
        if isinstance(value, bool | Timestamp) or not isinstance(value, int):
            self.refuse(name, f"{value!r} is no integer")
        if minimum is not None and value < minimum:
            self.refuse(name, f"{value} is smaller than {minimum}")
        if maximum is not None and value > maximum:
            self.refuse(name, f"{value} is larger than {maximum}")
        return int(value)

    def text(self, name: str) -> str | None:
        """A string; None when it isn't there."""
        value = self._arguments.get(name)
        if name in self._arguments and not isinstance(value, str):
            self.refuse(name, f"{value!r} is no string")
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        """A boolean; False when it isn't there."""
        value = self._arguments.get(name, False)
        if not isinstance(value, bool):
            self.refuse(name, f"{value!r} is neither true nor false")
        return value

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """One of these strings; None when it isn't there."""
        value = self.text(name)
        if value is not None and value not in allowed:
            self.refuse(name, f"'{value}' is none of {', '.join(allowed)}")
        return value

    def refuse(self, name: str, reason: str) -> NoReturn:
        """Refuse the argument for this reason."""
        raise PreconditionFailed(f"invalid arg '{name}' for {self._description}: {reason}")
