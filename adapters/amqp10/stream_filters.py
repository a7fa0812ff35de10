"""What a receiver asks of a stream by the filters of its source, as RabbitMQ names them (spec H.1, H.2).

A filter that is granted is in the answer as it came; any other is missing there, as 3.5.3 has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.codec.values import Described, Milliseconds
from warren.core.messages.timestamp import Timestamp
from warren.core.queues.stream.arguments import FILTER, OFFSET, UNFILTERED

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.termini import Source
    from warren.core.messages.field_table import FieldValue

ARGUMENTS: Final = {
    "rabbitmq:stream-offset-spec": OFFSET,
    "rabbitmq:stream-filter": FILTER,
    "rabbitmq:stream-match-unfiltered": UNFILTERED,
}
"""Filters, and the consumer's arguments that say the same in AMQP 0-9-1."""


def stream_arguments(source: Source, made: Source) -> dict[str, FieldValue]:
    """The arguments of a consumer that reads a stream; made: the source that is answered, which gets the filters.

    What a filter says is looked at where the consumer is made, and refused there.
    """
    arguments: dict[str, FieldValue] = {}
    granted: dict[Any, Any] = {}
    for name, value in (source.filter or {}).items():
        argument = ARGUMENTS.get(name) if isinstance(name, str) else None
        if argument is not None:
            arguments[argument] = _value(value.value if isinstance(value, Described) else value)
            granted[name] = value
    if granted:
        made.filter = granted
    return arguments


def _value(value: Any) -> FieldValue:
    if isinstance(value, Milliseconds):
        return Timestamp(value // 1000)
    if isinstance(value, list):
        return [_value(each) for each in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    return value if isinstance(value, float | bytes | None) else str(value)
