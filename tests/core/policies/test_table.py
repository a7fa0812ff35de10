"""Which policies objects are under: at once, by priority, after a restart, and what exchanges make of it."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker
from warren.core.broker import Broker
from warren.core.clients.client import Client
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import create_queue, declare_queue
from warren.core.errors import NotFound
from warren.core.exchanges.binding import Binding
from warren.core.messages.field_table import FieldTable, encode_table
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, make_policy
from warren.core.queues.base import Queue
from warren.core.routing.vhost import VirtualHost
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON


def set_policy(vhost: VirtualHost, name: str, pattern: str, priority: int = 0, **definition: JSON) -> None:
    settings = {key.replace("_", "-"): value for key, value in definition.items()}
    vhost.broker.policies.set(vhost, make_policy(POLICY, name, pattern, settings, priority))


def set_operator_policy(vhost: VirtualHost, name: str, pattern: str, **definition: JSON) -> None:
    settings = {key.replace("_", "-"): value for key, value in definition.items()}
    vhost.broker.policies.set(vhost, make_policy(OPERATOR_POLICY, name, pattern, settings))


def state(queue: Queue) -> tuple[str | None, str | None, dict[str, JSON]]:
    return queue.policy, queue.operator_policy, dict(queue.effective_policy)


def test_existing_and_later_queues(vhost: VirtualHost, client: Client) -> None:
    before = declare_queue(client, "q-before")
    set_policy(vhost, "p", "^q", max_length=3)
    after = declare_queue(client, "q-after", exclusive=True)
    other = declare_queue(client, "other")
    assert state(before) == state(after) == ("p", None, {"max-length": 3})
    assert state(other) == (None, None, {})


def test_changed_and_cleared(vhost: VirtualHost) -> None:
    queue = create_queue(vhost, "q")
    set_policy(vhost, "p", "q", max_length=3)
    set_policy(vhost, "p", "q", max_length=4)
    assert state(queue) == ("p", None, {"max-length": 4})
    set_policy(vhost, "p", "x", max_length=4)
    assert state(queue) == (None, None, {})
    set_policy(vhost, "p", "q", max_length=4)
    vhost.broker.policies.clear(vhost, POLICY, "p")
    assert state(queue) == (None, None, {})


def test_exactly_one_of_each_kind(vhost: VirtualHost) -> None:
    queue = create_queue(vhost, "q")
    set_policy(vhost, "low", "q", 1, max_length=1, message_ttl=1)
    set_policy(vhost, "high", "q", 2, max_length=20)
    set_policy(vhost, "higher-elsewhere", "x", 3, max_length=30)
    assert state(queue) == ("high", None, {"max-length": 20})
    set_operator_policy(vhost, "bound", "q", max_length=10, expires=5)
    assert state(queue) == ("high", "bound", {"expires": 5, "max-length": 10})
    vhost.broker.policies.clear(vhost, POLICY, "high")
    assert state(queue) == ("low", "bound", {"expires": 5, "max-length": 1, "message-ttl": 1})


@pytest.mark.parametrize("names", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")])
def test_among_equals_the_first_by_name(vhost: VirtualHost, names: tuple[str, ...]) -> None:
    queue = create_queue(vhost, "q")
    for name in names:
        set_policy(vhost, name, "q", 7, max_length=1)
    assert queue.policy == "a"


def test_a_policy_that_a_type_does_not_support_leaves_room_for_the_next(vhost: VirtualHost) -> None:
    queue = create_queue(vhost, "q")
    set_policy(vhost, "for-streams", "q", 9, max_age="1D", max_length_bytes=1)
    set_policy(vhost, "for-all", "q", 1, max_length=1)
    assert queue.policy == "for-all"


def test_the_same_name_as_user_and_operator_policy_and_in_two_virtual_hosts(broker: Broker) -> None:
    first, second = broker.vhosts["/"], broker.add_vhost("second", {})
    set_policy(first, "p", "q", max_length=3)
    set_operator_policy(first, "p", "q", max_length=2)
    assert state(create_queue(first, "q")) == ("p", "p", {"max-length": 2})
    assert state(create_queue(second, "q")) == (None, None, {})
    broker.policies.clear(first, OPERATOR_POLICY, "p")
    assert [policy.name for policy in broker.policies.in_vhost(POLICY, "/")] == ["p"]
    assert broker.policies.in_vhost(OPERATOR_POLICY, "/") == []


def test_clearing_what_is_not_there(vhost: VirtualHost) -> None:
    set_policy(vhost, "p", "q", max_length=3)
    with pytest.raises(NotFound, match="there is no operator policy 'p' in vhost '/'"):
        vhost.broker.policies.clear(vhost, OPERATOR_POLICY, "p")
    with pytest.raises(NotFound, match="there is no policy 'x' in vhost '/'"):
        vhost.broker.policies.clear(vhost, POLICY, "x")


def test_only_what_changes_voids_routes(vhost: VirtualHost) -> None:
    create_queue(vhost, "q")
    version = vhost.version
    set_policy(vhost, "p", "^elsewhere", max_length=3)
    assert vhost.version == version
    set_policy(vhost, "p", "^q", max_length=3)
    assert vhost.version == version + 1
    set_policy(vhost, "p", "^q", max_length=3)
    assert vhost.version == version + 1


def test_after_a_restart() -> None:
    store = MemoryDefinitionStore()
    vhost = core_broker(store).vhosts["/"]
    set_policy(vhost, "p", "^q", 5, max_length=3)
    set_operator_policy(vhost, "o", "", max_length=2)
    create_queue(vhost, "q", durable=True)
    found = core_broker(store).vhosts["/"]
    assert state(found.queues["q"]) == ("p", "o", {"max-length": 2})
    assert found.exchanges["amq.topic"].operator_policy == "o"
    found.broker.policies.clear(found, POLICY, "p")
    assert state(core_broker(store).vhosts["/"].queues["q"]) == (None, "o", {"max-length": 2})


def test_a_deleted_virtual_host_leaves_nothing() -> None:
    store = MemoryDefinitionStore()
    broker = core_broker(store)
    set_policy(broker.add_vhost("v", {}), "p", "", max_length=3)
    broker.delete_vhost("v")
    assert state(create_queue(broker.add_vhost("v", {}), "q", durable=True)) == (None, None, {})
    assert state(core_broker(store).vhosts["v"].queues["q"]) == (None, None, {})


def test_listing_by_priority(vhost: VirtualHost) -> None:
    for name, priority in (("b", 1), ("c", -1), ("a", 1), ("d", 0)):
        set_policy(vhost, name, "", priority, max_length=1)
    assert [policy.name for policy in vhost.broker.policies.in_vhost(POLICY, "/")] == ["c", "d", "a", "b"]


def test_inspection(vhost: VirtualHost, client: Client) -> None:
    set_policy(vhost, "p", "^q", max_length=3)
    set_operator_policy(vhost, "o", "^q", message_ttl=3)
    declare_queue(client, "q")
    (row,) = vhost.broker.inspect("queues", "/")
    assert (row["policy"], row["operator_policy"]) == ("p", "o")
    assert row["effective_policy_definition"] == {"max-length": 3, "message-ttl": 3}
    declare_exchange(client, "q-exchange", "direct")
    rows = {row["name"]: row["policy"] for row in vhost.broker.inspect("exchanges", "/")}
    assert (rows["q-exchange"], rows["amq.topic"], rows[""]) == ("p", None, None)


# Alternate exchanges


def routed(vhost: VirtualHost, exchange: str) -> list[str]:
    return [queue.name for queue in vhost.route(exchange, "key").queues]


def fanout_with_queue(client: Client, name: str) -> None:
    exchange = declare_exchange(client, name, "fanout")
    queue = declare_queue(client, f"{name}-queue")
    add_binding(client.vhost, exchange, Binding(name, queue, ""))


def test_an_alternate_exchange_comes_and_goes(vhost: VirtualHost, client: Client) -> None:
    fanout_with_queue(client, "spare")
    declare_exchange(client, "main", "direct")
    assert routed(vhost, "main") == []
    set_policy(vhost, "p", "^main$", alternate_exchange="spare")
    assert routed(vhost, "main") == ["spare-queue"]
    declare_exchange(client, "main", "direct")
    vhost.broker.policies.clear(vhost, POLICY, "p")
    assert routed(vhost, "main") == []


def test_the_argument_wins(vhost: VirtualHost, client: Client) -> None:
    fanout_with_queue(client, "by-argument")
    fanout_with_queue(client, "by-policy")
    arguments: FieldTable = {"alternate-exchange": "by-argument"}
    raw = encode_table(arguments)
    set_policy(vhost, "p", "^main", alternate_exchange="by-policy")
    declare_exchange(client, "main", "direct", arguments=arguments, arguments_raw=raw)
    declare_exchange(client, "main-2", "direct")
    assert routed(vhost, "main") == ["by-argument-queue"]
    assert routed(vhost, "main-2") == ["by-policy-queue"]
    vhost.broker.policies.clear(vhost, POLICY, "p")
    assert routed(vhost, "main") == ["by-argument-queue"]
    assert routed(vhost, "main-2") == []
