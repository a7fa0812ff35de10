"""What a selector may look at in a message, under the names that AMQP 1.0 has for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Value = bool | int | float | str | bytes | None


class Fields:
    """sections: by `properties.subject` and the like.  applications: application properties.

    now_ms: the time of the question, in milliseconds since 1970.  Values that are none of Python's bool, int, float,
    str and bytes are equal to nothing.
    """

    __slots__ = ("applications", "now_ms", "sections")

    def __init__(self, sections: Mapping[str, object], applications: Mapping[str, object], now_ms: int = 0) -> None:
        self.sections = sections
        self.applications = applications
        self.now_ms = now_ms


def usable(value: object) -> Value:
    """A value that can be compared; None, which is unknown, for any other."""
    return value if isinstance(value, bool | int | float | str | bytes) else None
