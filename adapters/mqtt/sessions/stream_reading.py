"""How a subscription `$stream/NAME` reads its stream, and how far it has come (docs/streams.md).

Where it begins is said by the user property `x-stream-offset` of SUBSCRIBE.  A session goes on where it was: at the
first message that its client hasn't acknowledged.  The definitions say where that is, so that a restart changes
nothing; a crash may go back by as much as came since they were written last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import PreconditionFailed
from warren.core.queues.stream.arguments import FILTER, OFFSET, UNFILTERED, offset_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.messages.field_table import FieldValue
    from warren.core.storage.definitions.store import JSON

STREAM_PREFIX: Final = "$stream/"

NEXT: Final = "next"


class StreamReading:
    """offset: where it begins, or goes on, as a client says it.  values, unfiltered: what it wants of filters."""

    __slots__ = ("offset", "unfiltered", "values")

    def __init__(self, offset: str = NEXT, values: Sequence[str] = (), *, unfiltered: bool = False) -> None:
        self.offset = offset
        self.values = list(values)
        self.unfiltered = unfiltered

    def arguments(self) -> dict[str, FieldValue]:
        """What a consumer of AMQP 0-9-1 would say.  Raises PreconditionFailed (406)."""
        arguments: dict[str, FieldValue] = {OFFSET: offset_value(self.offset)}
        if self.values:
            arguments[FILTER] = list(self.values)
            arguments[UNFILTERED] = self.unfiltered
        return arguments

    def row(self) -> JSON:
        """As part of a definition."""
        row: dict[str, JSON] = {"offset": self.offset}
        if self.values:
            row["values"] = list(self.values)
            row["unfiltered"] = self.unfiltered
        return row


def reading_by(user_properties: Sequence[tuple[str, str]]) -> StreamReading:
    """What a SUBSCRIBE says; raises PreconditionFailed (406)."""
    reading = StreamReading()
    for name, value in user_properties:
        if name == OFFSET:
            reading.offset = value
        elif name == FILTER:
            reading.values.append(value)
        elif name == UNFILTERED:
            if value not in ("true", "false"):
                raise PreconditionFailed(f"the user property {UNFILTERED} is true or false, not '{value}'")
            reading.unfiltered = value == "true"
    reading.arguments()
    return reading


def reading_from(row: JSON) -> StreamReading | None:
    """The other way round; None for what is none."""
    if not isinstance(row, dict):
        return None
    values = row.get("values")
    texts = [str(each) for each in values] if isinstance(values, list) else []
    return StreamReading(str(row.get("offset", NEXT)), texts, unfiltered=row.get("unfiltered") is True)
