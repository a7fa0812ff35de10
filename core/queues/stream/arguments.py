"""The x-arguments of streams and of those who read them (spec A.7 and H.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from warren.core.messages.field_names import field_type_name
from warren.core.messages.field_table import Timestamp
from warren.core.policy_setting import age_ms
from warren.core.queues.argument import CONSUMER_ARGUMENTS, FILTER_ARGUMENT, Argument, ArgumentReader, choice, number
from warren.core.queues.classic.rules import LEADER_LOCATORS
from warren.core.streams.bloom import SIZES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.messages.field_table import FieldValue

SEGMENT_BYTES_MAX: Final = 3_000_000_000
"""RabbitMQ's limit."""

STREAM: Final = "stream"
"""The name of the type."""

OFFSET: Final = "x-stream-offset"
FILTER: Final = "x-stream-filter"
UNFILTERED: Final = "x-stream-match-unfiltered"

FILTER_VALUE: Final = "x-stream-filter-value"
"""The header by which a message says the value that readers may filter by."""


def _max_age(reader: ArgumentReader, name: str) -> int | None:
    text = reader.text(name)
    if text is None:
        return None
    found = age_ms(text)
    if found is None:
        reader.refuse(name, f"'{text}' must be a number above 0 and one of Y, M, D, h, m, s, such as 7D")
    return found


STREAM_ARGUMENTS: Final = (
    Argument("x-max-length-bytes", number(0)),
    Argument("x-max-age", _max_age),
    Argument("x-stream-max-segment-size-bytes", number(0, SEGMENT_BYTES_MAX)),
    Argument("x-stream-filter-size-bytes", number(SIZES.start, SIZES.stop - 1)),
    Argument("x-initial-cluster-size", number(1)),
    Argument("x-queue-leader-locator", choice(*LEADER_LOCATORS, invalid="invalid_queue_locator_arg")),
)
"""What streams know, beside x-queue-type."""


class Start(Enum):
    """Where a reader begins that names no place: at the oldest message, the last chunk, or what comes next."""

    FIRST = "first"
    LAST = "last"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class At:
    """At this offset, or what is kept behind it."""

    offset: int


@dataclass(frozen=True, slots=True)
class Since:
    """With what was stored then or later, in milliseconds since 1970."""

    time_ms: int


@dataclass(frozen=True, slots=True)
class Ago:
    """With what was stored so many milliseconds ago, or later."""

    ms: int


Offset = Start | At | Since | Ago

_LAST: Final = 2**63 - 1
"""An offset is an i64 in other protocols, and so is a time."""

_STARTS: Final = {each.value: each for each in Start}


def _offset(reader: ArgumentReader, name: str) -> Offset | None:
    value = reader.value(name)
    found: Offset | None = None
    if isinstance(value, Timestamp):
        found = Since(int(value) * 1000)
    elif isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            reader.refuse(name, f"{{value_negative,{value}}}; offsets begin at 0")
        found = At(int(value))
    elif isinstance(value, str):
        found = _STARTS.get(value) or _ago(value)
        if found is None:
            reader.refuse(name, f"'{value}' is none of first, last, next, an offset, a timestamp, an age such as 1h")
    elif value is not None:
        reader.refuse(name, f"{{unacceptable_type,{field_type_name(value)}}}; {value!r} is no offset")
    return found


def offset_value(text: str) -> FieldValue:
    """What `x-stream-offset` would be, from a text: first, last, next, N or offset=N, timestamp=SECONDS, or an age.

    What is none of them is given back, for `wanted` to refuse.
    """
    name, equals, digits = text.rpartition("=")
    if not digits.isascii() or not digits.isdecimal():
        return text
    value = min(int(digits[:20]), _LAST)
    if name == "timestamp":
        return Timestamp(value)
    return value if name == "offset" or not equals else text


def _ago(text: str) -> Ago | None:
    ms = age_ms(text)
    return None if ms is None else Ago(ms)


def _filter(reader: ArgumentReader, name: str) -> tuple[str, ...] | None:
    value = reader.value(name)
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    texts = tuple(each for each in values if isinstance(each, str))
    if len(texts) != len(values) or not texts:
        reader.refuse(name, f"{value!r} is neither a string nor an array of strings")
    return texts


def _flag(reader: ArgumentReader, name: str) -> bool:
    return reader.flag(name)


READER_ARGUMENTS: Final = (
    *CONSUMER_ARGUMENTS,
    Argument(OFFSET, _offset),
    Argument(FILTER, _filter),
    Argument(UNFILTERED, _flag),
    FILTER_ARGUMENT,
)
"""What consumers on a stream may say."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asks for: where it begins, and which filter values; `unfiltered`: messages without one, too."""

    offset: Offset = Start.NEXT
    values: tuple[str, ...] = ()
    unfiltered: bool = True


def wanted(description: str, arguments: Mapping[str, FieldValue]) -> Wanted:
    """What a consumer's arguments say.  Raises PreconditionFailed (406)."""
    reader = ArgumentReader(description, arguments)
    values = _filter(reader, FILTER) or ()
    unfiltered = _flag(reader, UNFILTERED) if values else True
    return Wanted(_offset(reader, OFFSET) or Start.NEXT, values, unfiltered)
