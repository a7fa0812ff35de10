"""The queue types by name: which class serves a declaration (argument `x-queue-type`, spec A.7).

A type makes itself known by `register`, a plain call after its class, as a plugin's type does; the built-in ones are
imported by the package.  What a queue stored stays when its type is missing at a later start (`unavailable.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.errors import PreconditionFailed
from warren.core.messages.field_names import field_type_name
from warren.core.queues.argument import read_arguments

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue

TYPE_ARGUMENT: Final = "x-queue-type"

DEFAULT_TYPE: Final = "classic"
"""What a declaration means that names no type, where neither its virtual host nor the broker says otherwise."""

_types: dict[str, type[Queue]] = {}
_internal: set[str] = set()
_variants: dict[str, list[tuple[str, type[Queue]]]] = {}


def register(queue_type: type[Queue], *, internal: bool = False) -> None:
    """Make a queue type available under its `type_name`.  internal: the broker makes such queues; nobody is told.

    Raises ValueError when another class has the name already.
    """
    known = _types.setdefault(queue_type.type_name, queue_type)
    if known is not queue_type:
        raise ValueError(f"queue type {queue_type.type_name!r} is {known.__qualname__} already")
    if internal:
        _internal.add(queue_type.type_name)


def register_variant(queue_type: type[Queue], argument: str) -> None:
    """Have declarations of the type's `type_name` served by this class where the argument is set (and not 0).

    Where arguments of several variants are, the most derived class serves: it is the others' too.
    """
    variants = _variants.setdefault(queue_type.type_name, [])
    variants.append((argument, queue_type))
    variants.sort(key=lambda variant: len(variant[1].__mro__), reverse=True)


def unregister(queue_type: type[Queue]) -> None:
    """Undo `register`, for a plugin that is switched off; queues that exist stay as they are until a restart."""
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
    wanted = arguments.get(TYPE_ARGUMENT, DEFAULT_TYPE)
    found = find_type(arguments)
    if not internal and wanted in _internal:
        found = None
    if found is None:
        raise PreconditionFailed(
            f"invalid arg '{TYPE_ARGUMENT}' for {description}: {_refused_type(wanted)}; "
            f"known are {', '.join(queue_types())}"
        )
    return found


def _refused_type(wanted: FieldValue) -> str:
    if not isinstance(wanted, str):
        return f"{{unacceptable_type,{field_type_name(wanted)}}}"
    return f"\"unsupported queue type '{wanted}'\""


def find_type(arguments: Mapping[str, FieldValue]) -> type[Queue] | None:
    """The class that the arguments ask for; None when it isn't there."""
    wanted = arguments.get(TYPE_ARGUMENT, DEFAULT_TYPE)
    found = _types.get(wanted) if isinstance(wanted, str) else None
    if found is not None:
        for argument, variant in _variants.get(found.type_name, ()):
            if arguments.get(argument):
                return variant
    return found


def check_arguments(description: str, queue_type: type[Queue], arguments: Mapping[str, FieldValue]) -> None:
    """Refuse, with PreconditionFailed (406), arguments of a declaration that only other types of queue know."""
    known = {each.name for each in queue_type.known_arguments}
    others = {each.name for other in _types.values() for each in other.known_arguments}
    _refuse_foreign(description, queue_type, others - known, arguments)


def check_consumer_arguments(queue: Queue, arguments: Mapping[str, FieldValue]) -> None:
    """Refuse, with PreconditionFailed (406), a consumer's arguments that are invalid or for other types of queue."""
    if not arguments:
        return
    queue_type = type(queue)
    known = {each.name for each in queue_type.consumer_arguments}
    others = {each.name for other in _types.values() for each in other.consumer_arguments}
    _refuse_foreign(queue.description, queue_type, others - known, arguments)
    read_arguments(queue.description, queue_type.consumer_arguments, arguments)


def _refuse_foreign(
    description: str, queue_type: type[Queue], foreign: set[str], arguments: Mapping[str, FieldValue]
) -> None:
    for name in arguments:
        if name in foreign:
            raise PreconditionFailed(
                f"invalid arg '{name}' for {description} of queue type rabbit_{queue_type.type_name}_queue"
            )
