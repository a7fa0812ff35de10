"""Who watches the topology hears of every change, whichever way it comes, and hurts nobody by failing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.core_broker import core_broker
from warren.core.broker import Broker
from warren.core.declaring.actor import Administrator
from warren.core.declaring.bindings import bind, unbind
from warren.core.declaring.exchanges import declare_exchange, delete_exchange
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.policies.policy import POLICY, make_policy
from warren.core.queues.base import Queue


class Heard:
    """Implements core.watchers.Watcher; heard: what was told, in order."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def policies_changed(self, target: Queue | Exchange) -> None:
        self.heard.append(f"{target.kind} {target.name} is under {target.policy}")

    def gone(self, target: Queue | Exchange) -> None:
        assert target.vhost is not None
        self.heard.append(f"{target.kind} {target.name} is gone from {target.vhost.name}")

    def bound(self, exchange: Exchange, binding: Binding) -> None:
        self.heard.append(f"{exchange.name} to {binding.target.name} by {binding.routing_key}")

    def unbound(self, exchange: Exchange, bindings: Sequence[Binding]) -> None:
        self.heard.append(f"{exchange.name} not by {','.join(each.routing_key for each in bindings)}")

    def take(self) -> list[str]:
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def broker() -> Broker:
    return core_broker()


def test_everything_is_heard(broker: Broker) -> None:
    watcher = Heard()
    broker.watchers.add(watcher)
    actor = Administrator(broker.vhosts["/"])
    declare_exchange(actor, "x", "direct", durable=True)
    declare_queue(actor, "q", durable=True)
    assert watcher.take() == []
    bind(actor, "queue", "q", "x", "one", {}, EMPTY_TABLE_RAW)
    bind(actor, "queue", "q", "x", "one", {}, EMPTY_TABLE_RAW)
    bind(actor, "queue", "q", "x", "two", {}, EMPTY_TABLE_RAW)
    unbind(actor, "queue", "q", "x", "one", {})
    unbind(actor, "queue", "q", "x", "one", {})
    assert watcher.take() == ["x to q by one", "x to q by two", "x not by one"]
    policy = make_policy(POLICY, "p", "^(x|q)", {"alternate-exchange": "other"})
    broker.policies.set(broker.vhosts["/"], policy)
    assert watcher.take() == ["exchange x is under p", "queue q is under p"]
    declare_exchange(actor, "xx", "direct")
    assert watcher.take() == ["exchange xx is under p"]
    broker.policies.clear(broker.vhosts["/"], POLICY, "p")
    assert watcher.take() == ["exchange x is under None", "exchange xx is under None", "queue q is under None"]
    delete_queue(actor, "q")
    assert watcher.take() == ["queue q is gone from /", "x not by two"]
    delete_exchange(actor, "x")
    assert watcher.take() == ["exchange x is gone from /"]


def test_a_virtual_host_that_is_deleted_takes_everything_along(broker: Broker) -> None:
    broker.add_vhost("v", {})
    actor = Administrator(broker.vhosts["v"])
    declare_exchange(actor, "x", "direct")
    declare_queue(actor, "q")
    watcher = Heard()
    broker.watchers.add(watcher)
    broker.delete_vhost("v")
    heard = watcher.take()
    assert "queue q is gone from v" in heard
    assert "exchange x is gone from v" in heard


def test_one_that_fails_hurts_nobody(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Heard):
        def gone(self, target: Queue | Exchange) -> None:
            raise RuntimeError("on purpose")

    watcher = Heard()
    broker.watchers.add(Failing())
    broker.watchers.add(watcher)
    actor = Administrator(broker.vhosts["/"])
    declare_queue(actor, "q")
    delete_queue(actor, "q")
    assert watcher.take() == ["queue q is gone from /"]
    assert "on purpose" in caplog.text
    caplog.clear()


def test_one_that_has_left_hears_nothing(broker: Broker) -> None:
    watcher = Heard()
    broker.watchers.add(watcher)
    broker.watchers.remove(watcher)
    broker.watchers.remove(watcher)
    declare_exchange(Administrator(broker.vhosts["/"]), "x", "direct")
    delete_exchange(Administrator(broker.vhosts["/"]), "x")
    assert watcher.take() == []
