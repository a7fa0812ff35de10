"""A kind of objects that can be listed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from warren.core.administration.listing.column import Row
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.routing.vhost import VirtualHost

Vhosts = Collection[str] | None
"""Names of the virtual hosts whose objects are wanted; None: all, and what belongs to none."""


@frozen
class Kind:
    """Where the rows of a listing come from.

    name: what is listed, such as `queues`.
    row: the rows' class, which says the columns; rows may be of subclasses that know more.
    rows: walks over all objects there are, as rows.  It may be interrupted at each of them for as long as others
    need; so it copies a dictionary before it walks over it, each when its turn has come.
    count: how many rows there are, without making any.
    shown: the columns that are shown when none is named (spec F.8).
    unknown: columns of RabbitMQ that have no value here and are shown empty, so that scripts go on working.
    actions: what can be done to an object of this kind by who manages the broker, whoever keeps it, by RabbitMQ's word
    (`restart`); each is given the row, and may raise PreconditionFailed.
    """

    name: str
    row: type[Row]
    rows: Callable[[Broker, Vhosts], Iterator[Row]]
    count: Callable[[Broker, Vhosts], int]
    shown: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    actions: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)


def vhosts_among(broker: Broker, names: Vhosts) -> list[VirtualHost]:
    """The virtual hosts that are meant, those of them that exist."""
    if names is None:
        return list(broker.vhosts.values())
    return [vhost for name, vhost in broker.vhosts.items() if name in names]
