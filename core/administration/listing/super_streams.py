"""Super streams, as list_super_streams shows them: exchanges that say they are one's, with their partitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.declaring.super_streams import is_super_stream, partitions_of

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.exchanges.base import Exchange
    from warren.core.routing.vhost import VirtualHost


class SuperStreamRow(Row):
    """One of them."""

    __slots__ = ("exchange", "in_vhost")

    def __init__(self, in_vhost: VirtualHost, exchange: Exchange) -> None:
        self.in_vhost = in_vhost
        self.exchange = exchange

    @property
    def exists(self) -> bool:
        """False once it is deleted."""
        return self.in_vhost.exchanges.get(self.exchange.name) is self.exchange

    @Column
    def vhost(self) -> str:
        """The virtual host it is in."""
        return self.in_vhost.name

    @Column
    def name(self) -> str:
        """Its name, which is that of its exchange."""
        return self.exchange.name

    @Column
    def partitions(self) -> list[str]:
        """The names of its partitions, in order."""
        return [queue.name for queue in partitions_of(self.in_vhost, self.exchange.name)]

    @Column
    def messages(self) -> int:
        """How many messages are kept in all of them."""
        return sum(queue.ready_count for queue in partitions_of(self.in_vhost, self.exchange.name))


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[SuperStreamRow]:
    for vhost in vhosts_among(broker, vhosts):
        for exchange in list(vhost.exchanges.values()):
            if is_super_stream(exchange):
                yield SuperStreamRow(vhost, exchange)


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return sum(is_super_stream(each) for vhost in vhosts_among(broker, vhosts) for each in vhost.exchanges.values())


SUPER_STREAMS = Kind("super_streams", SuperStreamRow, _rows, _count, shown=("name", "partitions"))
