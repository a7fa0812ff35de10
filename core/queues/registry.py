"""The queue types by name: which class serves a declaration (argument `x-queue-type`, spec A.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.errors import PreconditionFailed
from warren.core.queues.base import Queue
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.priority import PriorityQueue
from warren.core.queues.quorum import QuorumQueue

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

_types: dict[str, type[Queue]] = {}
_internal: set[str] = set()


def register(queue_type: type[Queue], *, internal: bool = False) -> None:
    """Make a queue type available under its `type_name`.  internal: the broker makes such queues; nobody is told.

    Raises ValueError when another class has the name already.
    """
    known = _types.setdefault(queue_type.type_name, queue_type)
    if known is not queue_type:
        raise ValueError(f"queue type {queue_type.type_name!r} is {known.__qualname__} already")
    if internal:
        _internal.add(queue_type.type_name)


def unregister(queue_type: type[Queue]) -> None:
    """Undo `register`, for a plugin that is switched off; queues that exist stay as they are."""
    if _types.get(queue_type.type_name) is queue_type:
        del _types[queue_type.type_name]
        _internal.discard(queue_type.type_name)


def is_queue_type(name: str) -> bool:
    """True when there is a queue type of this name."""
    return name in _types and name not in _internal


def queue_types() -> list[str]:
    """The names of all queue types, sorted."""
    return sorted(_types.keys() - _internal)


def queue_columns() -> list[str]:
    """The columns that some queue types show in listings and others don't."""
    return [name for each in _types.values() for name in each.columns]


def queue_class(description: str, arguments: Mapping[str, FieldValue], *, internal: bool = True) -> type[Queue]:
    """The class that the arguments ask for; PreconditionFailed (406) names the known ones.

    internal: types that only the broker makes count too; False for what a client declares.
    """
    wanted = arguments.get("x-queue-type", ClassicQueue.type_name)
    found = _types.get(wanted) if isinstance(wanted, str) else None
    if not internal and wanted in _internal:
        found = None
    if found is None:
        raise PreconditionFailed(
            f"invalid arg 'x-queue-type' for {description}: unknown queue type {wanted!r}; "
            f"known are {', '.join(queue_types())}"
        )
    if found is ClassicQueue and arguments.get("x-max-priority"):
        return PriorityQueue
    return found


register(ClassicQueue)
register(QuorumQueue)
