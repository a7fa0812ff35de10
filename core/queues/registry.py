"""The queue types by name: which class serves a declaration (argument `x-queue-type`, spec A.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.errors import PreconditionFailed
from core.queues.base import Queue
from core.queues.classic import ClassicQueue
from core.queues.priority import PriorityQueue
from core.queues.quorum import QuorumQueue

if TYPE_CHECKING:
    from core.field_table import FieldValue

_types: dict[str, type[Queue]] = {}


def register(queue_type: type[Queue]) -> None:
    """Make a queue type available under its `type_name`."""
    _types[queue_type.type_name] = queue_type


def is_queue_type(name: str) -> bool:
    """True when there is a queue type of this name."""
    return name in _types


def queue_types() -> list[str]:
    """The names of all queue types, sorted."""
    return sorted(_types)


def queue_class(description: str, arguments: Mapping[str, FieldValue]) -> type[Queue]:
    """The class that the arguments ask for; PreconditionFailed (406) names the known ones."""
    wanted = arguments.get("x-queue-type", ClassicQueue.type_name)
    found = _types.get(wanted) if isinstance(wanted, str) else None
    if found is None:
        raise PreconditionFailed(
            f"invalid arg 'x-queue-type' for {description}: unknown queue type {wanted!r}; "
            f"known are {', '.join(sorted(_types))}"
        )
    if found is ClassicQueue and arguments.get("x-max-priority"):
        return PriorityQueue
    return found


register(ClassicQueue)
register(QuorumQueue)
