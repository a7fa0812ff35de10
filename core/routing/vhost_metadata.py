"""What a virtual host is described by: description, tags, the queue type of declarations that name none, protection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import encode_table, join_entries, raw_entries
from warren.core.queues.registry import is_queue_type, queue_types

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldTable, FieldValue
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

DESCRIPTION: Final = "description"
TAGS: Final = "tags"
DEFAULT_QUEUE_TYPE: Final = "default_queue_type"
PROTECTED: Final = "protected_from_deletion"

DELETING: Final = "deleting"
"""In the row of a virtual host whose deletion is under way; it isn't among what it is described by."""

QUEUE_TYPE_ARGUMENT: Final = "x-queue-type"

CLASSIC: Final = "classic"

_UNDEFINED: Final = ("", "undefined", None)
"""How exported definitions of RabbitMQ say that there is no default queue type."""


def check_metadata(value: Mapping[str, JSON]) -> dict[str, JSON]:
    """The known parts of a virtual host's metadata; PreconditionFailed for one that can't be.

    Tags may be a list or, as old command lines left them, one string with commas.  An empty default queue type means
    none, and is left out.
    """
    checked: dict[str, JSON] = {}
    description = value.get(DESCRIPTION)
    if description is not None:
        if not isinstance(description, str):
            raise PreconditionFailed(f"a virtual host's description must be a string, not {description!r}")
        checked[DESCRIPTION] = description
    if value.get(TAGS) is not None:
        checked[TAGS] = check_tags(value[TAGS])
    queue_type = value.get(DEFAULT_QUEUE_TYPE)
    if queue_type not in _UNDEFINED:
        checked[DEFAULT_QUEUE_TYPE] = check_queue_type(queue_type)
    if value.get(PROTECTED) not in (None, False):
        if value[PROTECTED] is not True:
            raise PreconditionFailed(f"{PROTECTED} must be true or false, not {value[PROTECTED]!r:.100}")
        checked[PROTECTED] = True
    return checked


def check_tags(value: JSON) -> list[JSON]:
    """Tags of a virtual host or a user, from a list of strings or a string with commas; PreconditionFailed."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        raise PreconditionFailed(f"tags must be a list of strings, not {value!r}")
    stripped = (str(tag).strip() for tag in value)
    return list(dict.fromkeys(tag for tag in stripped if tag))


def check_queue_type(value: JSON) -> str:
    """`value` itself; PreconditionFailed when there is no such queue type here."""
    if not isinstance(value, str) or not is_queue_type(value):
        raise PreconditionFailed(f"{value!r} is not a valid queue type; the types are {', '.join(queue_types())}")
    return value


def with_default_type(
    vhost: VirtualHost,
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
    *,
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
) -> tuple[Mapping[str, FieldValue], bytes]:
    """The arguments of a queue's declaration, with x-queue-type when they lack it and there is a default (spec A.7).

    Types other than classic are for durable queues that are neither exclusive nor auto-delete; any other falls back
    to classic.
    """
    default = vhost.metadata.get(DEFAULT_QUEUE_TYPE) or vhost.broker.default_queue_type
    if not isinstance(default, str) or QUEUE_TYPE_ARGUMENT in arguments:
        return arguments, arguments_raw
    if default != CLASSIC and (exclusive or auto_delete or not durable):
        return arguments, arguments_raw
    added: FieldTable = {QUEUE_TYPE_ARGUMENT: default}
    entries = {**raw_entries(arguments_raw, 0), **raw_entries(encode_table(added), 0)}
    return {**arguments, **added}, join_entries(entries)
