"""Exchanges, as list_exchanges shows them; the default exchange is one of them (spec F.3, F.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, on_request
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.core.routing.vhost import DEFAULT_EXCHANGE

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.counters import ExchangeCounts
    from warren.core.exchanges.base import Exchange
    from warren.core.routing.vhost import VirtualHost


class ExchangeRow(Row):
    """One exchange; None stands for the default exchange, which is no object."""

    __slots__ = ("exchange", "in_vhost")

    def __init__(self, in_vhost: VirtualHost, exchange: Exchange | None) -> None:
        self.in_vhost = in_vhost
        self.exchange = exchange

    @property
    def exists(self) -> bool:
        """False once it is deleted; the default exchange is always there."""
        return self.exchange is None or self.in_vhost.exchanges.get(self.exchange.name) is self.exchange

    @Column
    def vhost(self) -> str:
        """The virtual host it is in."""
        return self.in_vhost.name

    @Column
    def name(self) -> str:
        """Its name, empty for the default exchange."""
        return self.exchange.name if self.exchange else DEFAULT_EXCHANGE

    @Column
    def type(self) -> str:
        """The exchange type: direct, topic..."""
        return self.exchange.type_name if self.exchange else "direct"

    @Column
    def durable(self) -> bool:
        """Whether it outlives a restart."""
        return self.exchange.durable if self.exchange else True

    @Column
    def auto_delete(self) -> bool:
        """Whether it goes with its last binding."""
        return self.exchange.auto_delete if self.exchange else False

    @Column
    def internal(self) -> bool:
        """Whether only other exchanges may publish to it."""
        return self.exchange.internal if self.exchange else False

    @Column
    def arguments(self) -> Mapping[str, object]:
        """What it was declared with."""
        return dict(self.exchange.arguments) if self.exchange else {}

    @Column
    def messages_delayed(self) -> int | None:
        """How many messages it holds until they are due, where the type does so."""
        return self.exchange.messages_delayed if isinstance(self.exchange, DelayedMessageExchange) else None

    @Column
    def policy(self) -> str | None:
        """The policy that applies."""
        return self.exchange.policy if self.exchange else None

    @Column
    def operator_policy(self) -> str | None:
        """The operator policy that applies."""
        return self.exchange.operator_policy if self.exchange else None

    @Column
    def effective_policy_definition(self) -> Mapping[str, object]:
        """What both come to."""
        return dict(self.exchange.effective_policy) if self.exchange else {}

    @property
    def counts(self) -> ExchangeCounts:
        """What is counted of it."""
        return self.exchange.counts if self.exchange else self.in_vhost.default_exchange_counts

    @Column
    def message_stats(self) -> Mapping[str, int]:
        """What happened to its messages: counts by name (core/counters.py)."""
        return self.counts.snapshot()

    @on_request
    def message_rates(self) -> Mapping[str, float]:
        """How fast these counts grow, per second; sampled from the first time on that somebody asks."""
        broker = self.in_vhost.broker
        return broker.rates.of(self.counts, lambda: self.counts.snapshot(), broker.now_ms)


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[ExchangeRow]:
    for vhost in vhosts_among(broker, vhosts):
        yield ExchangeRow(vhost, None)
        for exchange in list(vhost.exchanges.values()):
            yield ExchangeRow(vhost, exchange)


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return sum(1 + len(vhost.exchanges) for vhost in vhosts_among(broker, vhosts))


EXCHANGES = Kind("exchanges", ExchangeRow, _rows, _count, shown=("name", "type"))
