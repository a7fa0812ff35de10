"""Redeclaring what exists: the declaration must say the same, else 406 names the difference (spec A.5, A.7).

Integers compare by value across widths, so 5 sent as a short equals 5 sent as a long; the texts name the type as it
came, since "5 is not 5" helps nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from warren.core.errors import PreconditionFailed
from warren.core.exchanges.binding import canonical_value
from warren.core.messages.field_table import FieldValue, field_types
from warren.core.routing.vhost_metadata import CLASSIC, QUEUE_TYPE_ARGUMENT

if TYPE_CHECKING:
    from warren.core.queues.base import Queue


def check_flag(description: str, flag: str, received: object, current: object) -> None:
    """Compare one property of a declaration; `description` is such as `queue 'q' in vhost '/'`."""
    if received != current:
        raise PreconditionFailed(
            f"inequivalent arg '{flag}' for {description}: "
            f"received '{_plain(received)}' but current is '{_plain(current)}'"
        )


def check_arguments(
    description: str,
    names: Iterable[str],
    received: Mapping[str, FieldValue],
    received_raw: bytes,
    current: Mapping[str, FieldValue],
    current_raw: bytes,
) -> None:
    """Compare the arguments in `names`; others don't count.

    The raw tables tell the types, which the text names where the values alone don't show the difference.
    """
    for name in names:
        if (name in received) == (name in current) and (
            name not in received or canonical_value(received[name]) == canonical_value(current[name])
        ):
            continue
        if name in received and name in current and _plain(received[name]) != _plain(current[name]):
            check_flag(description, name, _plain(received[name]), _plain(current[name]))
        raise PreconditionFailed(
            f"inequivalent arg '{name}' for {description}: "
            f"received {_described(name, received, received_raw)} "
            f"but current is {_described(name, current, current_raw)}"
        )


def check_equivalent_queue(
    queue: Queue,
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
) -> None:
    """Whether a queue is declared again as it is; PreconditionFailed (406) says what differs."""
    if exclusive != queue.exclusive:
        queue.refuse_exclusivity()
    check_flag(queue.description, "durable", durable and not exclusive, queue.durable)
    check_flag(queue.description, "auto_delete", auto_delete, queue.auto_delete)
    names = tuple(each.name for each in queue.known_arguments)
    if arguments.get(QUEUE_TYPE_ARGUMENT, CLASSIC) != queue.type_name:
        names = (QUEUE_TYPE_ARGUMENT, *names)
    check_arguments(
        queue.description,
        names,
        arguments,
        arguments_raw,
        queue.arguments,
        queue.arguments_raw,
    )


def _described(name: str, table: Mapping[str, FieldValue], raw: bytes) -> str:
    if name not in table:
        return "none"
    return f"the value '{_plain(table[name])}' of type '{field_types(raw, 0)[name]}'"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
