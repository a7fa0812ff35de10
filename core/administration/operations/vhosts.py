"""Operations on virtual hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from warren.core.errors import NotFound, PreconditionFailed
from warren.core.queues.answer import Answer, ignore
from warren.core.routing.vhost_metadata import DEFAULT_QUEUE_TYPE, DESCRIPTION, PROTECTED, TAGS

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON


class VirtualHostProtected(PreconditionFailed):
    """Somebody wants to delete a virtual host that is protected from that."""


def existing(broker: Broker, name: str) -> VirtualHost:
    """The virtual host of this name; NotFound when there is none."""
    found = broker.vhosts.get(name)
    if found is None:
        raise NotFound(f"virtual host '{name}' does not exist")
    if found.deleting:
        raise NotFound(f"virtual host '{name}' is being deleted")
    return found


def add(
    broker: Broker,
    name: str,
    *,
    description: str | None = None,
    tags: Sequence[str] | None = None,
    default_queue_type: str | None = None,
) -> VirtualHost:
    """Make a virtual host; one that is there stays as it is, as in RabbitMQ.  PreconditionFailed for what can't be."""
    there = broker.vhosts.get(name)
    if there is not None and not there.deleting:
        return there
    return broker.add_vhost(name, _metadata(description, tags, default_queue_type))


def update(
    broker: Broker,
    name: str,
    *,
    description: str | None = None,
    tags: Sequence[str] | None = None,
    default_queue_type: str | None = None,
) -> None:
    """Change what it is described by; what is None stays, and an empty default queue type means none any more.

    Raises NotFound, PreconditionFailed for a value that can't be.
    """
    broker.update_vhost(existing(broker, name).name, _metadata(description, tags, default_queue_type))


def delete(broker: Broker, name: str, answer: Answer[None] = ignore) -> None:
    """Delete it with all that is in it, and close its connections; NotFound, PreconditionFailed while protected.

    answer: called once all of it is gone, which may take a while.
    """
    if existing(broker, name).metadata.get(PROTECTED):
        raise VirtualHostProtected(f"virtual host '{name}' is protected from deletion; lift the protection first")
    broker.delete_vhost(name, answer)


def set_protection(broker: Broker, name: str, protected: bool) -> None:
    """Protect it from being deleted, or don't any more; NotFound."""
    broker.update_vhost(existing(broker, name).name, {PROTECTED: protected})


def set_tracing(broker: Broker, name: str, tracing: bool) -> None:
    """Turn its firehose on or off; NotFound."""
    broker.set_tracing(existing(broker, name).name, tracing)


def _metadata(description: str | None, tags: Sequence[str] | None, default_queue_type: str | None) -> dict[str, JSON]:
    given: dict[str, JSON | None] = {
        DESCRIPTION: description,
        TAGS: None if tags is None else list(tags),
        DEFAULT_QUEUE_TYPE: default_queue_type,
    }
    return {key: value for key, value in given.items() if value is not None}
