"""What a receiver asks of a stream or a queue by the filters of its source, as RabbitMQ names them (spec H.1, H.2).

A filter that is granted is in the answer as it came; any other is missing there, as 3.5.3 has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.codec.errors import INVALID_FIELD, Level, PeerMistake
from warren.adapters.amqp10.codec.values import Described, Milliseconds, Symbol
from warren.adapters.amqp10.property_filters import PropertyFilter, PropertySelector
from warren.core.messages.timestamp import Timestamp
from warren.core.queues.stream.arguments import FILTER, OFFSET, UNFILTERED
from warren.core.selectors.selector import Selector, SelectorError
from warren.core.selectors.sql import SqlSelector

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.termini import Source
    from warren.core.messages.field_table import FieldValue

ARGUMENTS: Final = {
    "rabbitmq:stream-offset-spec": OFFSET,
    "rabbitmq:stream-filter": FILTER,
    "rabbitmq:stream-match-unfiltered": UNFILTERED,
}
"""Filters by their descriptors, and the consumer's arguments that say the same in AMQP 0-9-1.

A filter's name is the receiver's choice (3.5.8), so it is asked only where the descriptor doesn't say.
"""


SQL_FILTERS: Final = (Symbol("amqp:sql-filter"), 0x120)
PROPERTY_FILTERS: Final = (Symbol("amqp:properties-filter"), 0x173)
APPLICATION_FILTERS: Final = (Symbol("amqp:application-properties-filter"), 0x174)
"""Descriptors (Filter Expressions 1.0, 4.2 and 6)."""

FILTER_CAPABILITIES: Final = ["AMQP_FILTEX_PROP_V1_0", "AMQP_FILTEX_SQL_V1_0"]
"""What a link that may choose its messages offers (Filter Expressions 1.0, 3), as RabbitMQ's does."""


def stream_arguments(source: Source, made: Source) -> dict[str, FieldValue]:
    """The arguments of a consumer that reads a stream; made: the source that is answered, which gets the filters.

    What a filter says is looked at where the consumer is made, and refused there.
    """
    arguments: dict[str, FieldValue] = {}
    for name, value in (source.filter or {}).items():
        kind = value.descriptor if isinstance(value, Described) else name
        argument = ARGUMENTS.get(kind) if isinstance(kind, str) else None
        if argument is None and isinstance(name, str):
            # Its descriptor is a number of somebody's own.
            argument = ARGUMENTS.get(name)
        if argument is not None:
            arguments[argument] = _value(value.value if isinstance(value, Described) else value)
            _grant(made, name, value)
    return arguments


def selector_of(source: Source, made: Source) -> Selector | None:
    """What else the filters say of the messages that are wanted; made: as above.

    Raises PeerMistake for an expression that can't be understood: who asks for some messages isn't to get all.
    """
    properties: list[PropertyFilter] = []
    sql: SqlSelector | None = None
    for name, value in (source.filter or {}).items():
        if not isinstance(value, Described):
            continue
        try:
            if value.descriptor in SQL_FILTERS:
                if not isinstance(value.value, str):
                    raise SelectorError("an expression in SQL is a string")
                if sql is not None:
                    raise SelectorError("there is more than one expression in SQL")
                sql = SqlSelector(str(value.value))
            elif value.descriptor in PROPERTY_FILTERS or value.descriptor in APPLICATION_FILTERS:
                made_of = PropertyFilter(value.value, applications=value.descriptor in APPLICATION_FILTERS)
                if any(each.applications is made_of.applications for each in properties):
                    raise SelectorError("there is more than one filter of this kind")
                properties.append(made_of)
            else:
                continue
            if sql is not None and properties:
                raise SelectorError("filters by properties and an expression in SQL exclude each other")
        except SelectorError as error:
            raise PeerMistake(
                INVALID_FIELD, f"the filter {_shown(name)}: {error}", Level.LINK, clause="3.5.8"
            ) from None
        _grant(made, name, value)
    return sql if not properties else PropertySelector(properties)


def _grant(made: Source, name: Any, value: Any) -> None:
    if made.filter is None:
        made.filter = {}
    made.filter[name] = value


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


def _shown(name: Any) -> str:
    return str(name) if isinstance(name, str) else repr(name)
