"""What an exchange's link does while it has no connection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import trio
from trio.testing import wait_all_tasks_blocked

from warren.core.exchanges.binding import Binding
from warren.core.exchanges.fanout import FanoutExchange
from warren.gateway.plugin import Context
from warren.plugins.federation.exchange_link import ExchangeWork
from warren.plugins.federation.upstream import read_upstream
from warren.plugins.federation.work import Ground

CONTEXT = cast("Context", SimpleNamespace(facts=SimpleNamespace(cluster_name="down")))


async def test_bindings_that_come_and_go_while_the_upstream_is_away_dont_pile_up() -> None:
    exchange = FanoutExchange("x")
    upstream = read_upstream("u", {"uri": "amqp://far.example"})
    work = ExchangeWork(Ground(CONTEXT, "/", exchange, upstream), exchange)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work.follow)
        for number in range(1000):
            brief = Binding("x", FanoutExchange("t"), str(number), {}, b"")
            work.bound(brief)
            work.unbound([brief])
        await wait_all_tasks_blocked()
        assert not work.mirror.has_news
        nursery.cancel_scope.cancel()
