"""Bindings, as list_bindings and the management API show them, which name the ends differently (spec F.3, F.8).

Every queue is bound to the default exchange by its own name; these bindings are listed and are no objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.exchanges.binding import Binding
from warren.core.routing.vhost import DEFAULT_EXCHANGE

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.exchanges.base import Exchange
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


class BindingRow(Row):
    """One binding."""

    __slots__ = ("_binding", "exchange", "in_vhost")

    def __init__(self, in_vhost: VirtualHost, exchange: Exchange | None, binding: Binding | None) -> None:
        self.in_vhost = in_vhost
        self.exchange = exchange
        self._binding = binding

    @property
    def binding(self) -> Binding:
        """What the columns are of."""
        if self._binding is None:
            self._binding = self._make()
        return self._binding

    def _make(self) -> Binding:
        raise NotImplementedError

    @property
    def exists(self) -> bool:
        """False once it is taken away, or its exchange is."""
        exchange = self.exchange
        return (
            exchange is not None
            and self.in_vhost.exchanges.get(exchange.name) is exchange
            and exchange.get(self.binding.key) is self.binding
        )

    @Column
    def vhost(self) -> str:
        """The virtual host it is in."""
        return self.in_vhost.name

    @Column
    def source_name(self) -> str:
        """The exchange that messages come from."""
        return self.binding.source

    @Column
    def source_kind(self) -> str:
        """What that is: always an exchange."""
        return "exchange"

    @Column
    def destination_name(self) -> str:
        """Where messages go."""
        return self.binding.target.name

    @Column
    def destination_kind(self) -> str:
        """What that is: queue or exchange."""
        return self.binding.target.kind

    @Column
    def routing_key(self) -> str:
        """The key, or pattern of keys."""
        return self.binding.routing_key

    @Column
    def arguments(self) -> Mapping[str, object]:
        """What it was bound with."""
        return dict(self.binding.arguments)

    @Column
    def source(self) -> str:
        """The management API's name of source_name."""
        return self.binding.source

    @Column
    def destination(self) -> str:
        """The management API's name of destination_name."""
        return self.binding.target.name

    @Column
    def destination_type(self) -> str:
        """The management API's name of destination_kind."""
        return self.binding.target.kind

    @Column
    def properties_key(self) -> str:
        """What tells it from others between the same two ends, in addresses of the management API (spec F.2)."""
        return self.binding.properties_key


class DefaultBindingRow(BindingRow):
    """The binding of a queue to the default exchange, made when a column wants it."""

    __slots__ = ("queue",)

    def __init__(self, queue: Queue) -> None:
        super().__init__(queue.vhost, None, None)
        self.queue = queue

    def _make(self) -> Binding:
        return Binding(DEFAULT_EXCHANGE, self.queue, self.queue.name)

    @property
    def exists(self) -> bool:
        """False once the queue is deleted."""
        return self.in_vhost.queues.get(self.queue.name) is self.queue


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[BindingRow]:
    for vhost in vhosts_among(broker, vhosts):
        yield from map(DefaultBindingRow, list(vhost.queues.values()))
        for exchange in list(vhost.exchanges.values()):
            for binding in list(exchange.bindings):
                yield BindingRow(vhost, exchange, binding)


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return sum(
        len(vhost.queues) + sum(len(exchange.bindings) for exchange in vhost.exchanges.values())
        for vhost in vhosts_among(broker, vhosts)
    )


_SHOWN = ("source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments")

BINDINGS = Kind("bindings", BindingRow, _rows, _count, shown=_SHOWN)
