"""Operations on super streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from warren.core.administration.definitions_json.field_values import table_from_json
from warren.core.administration.operations import vhosts
from warren.core.administration.steps import Steps
from warren.core.declaring import super_streams
from warren.core.declaring.actor import Administrator

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.exchanges.base import Exchange
    from warren.core.storage.definitions.store import JSON


def numbered(name: str, partitions: int) -> tuple[list[str], list[str]]:
    """The names of so many partitions, and their routing keys, where only their number was asked for."""
    return [f"{name}-{number}" for number in range(partitions)], [str(number) for number in range(partitions)]


def by_keys(name: str, keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of partitions with these routing keys, and the keys."""
    return [f"{name}-{key}" for key in keys], list(keys)


def create(
    broker: Broker,
    vhost: str,
    name: str,
    partitions: Sequence[str],
    keys: Sequence[str],
    arguments: Mapping[str, JSON],
    *,
    user: User | str | None = None,
) -> Steps[Exchange]:
    """Make a super stream of these partitions, each with its routing key; what comes of it is its exchange.

    arguments: of each partition, as JSON has them, without the type.  user: whose permissions count, None for the
    broker's owner.  Raises NotFound for an unknown virtual host, and what `core.declaring.super_streams` raises.
    """
    found = vhosts.existing(broker, vhost)
    table = table_from_json({"x-queue-type": "stream", **arguments})
    super_streams.check_creation(Administrator(found, user), name, partitions, keys, table)
    return Steps(super_streams.create(found, name, partitions, keys, table))


def delete(broker: Broker, vhost: str, name: str, *, user: User | str | None = None) -> Steps[int]:
    """Delete a super stream with its partitions; what comes of it is how many those were.  user: as in `create`.

    Raises NotFound, PreconditionFailed for an exchange that is none's, AccessRefused.
    """
    found = vhosts.existing(broker, vhost)
    partitions = super_streams.check_deletion(Administrator(found, user), name)
    return Steps(super_streams.delete(found, name, partitions))
