"""Operations on virtual hosts, queues, exchanges, bindings and connections, for whoever asks."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker, core_client
from tests.support.simulated_broker import SimulatedBroker
from warren.core.administration import operations
from warren.core.broker import Broker
from warren.core.declaring.queues import declare_queue
from warren.core.errors import (
    AccessRefused,
    BrokerError,
    NoSuchUser,
    NotFound,
    NotImplementedByBroker,
    PreconditionFailed,
    ResourceLocked,
)
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY
from warren.core.queues.browse import MessageFilter
from warren.core.storage.definitions.store import JSON


@pytest.fixture
def broker() -> Broker:
    return core_broker()


def publish(broker: Broker, queue: str, count: int, body: bytes = b"x") -> None:
    vhost = broker.vhosts["/"]
    for _ in range(count):
        route = vhost.route("", queue)
        vhost.publish(route, Message(broker.next_sequence(), route.address, EMPTY, body, 0, len(body), 0, 0))
    broker.dispatch()


def test_virtual_hosts(broker: Broker) -> None:
    made = operations.vhosts.add(broker, "v", description="d", tags=["a", "b"], default_queue_type="quorum")
    assert operations.vhosts.existing(broker, "v") is made
    assert made.metadata == {"description": "d", "tags": ["a", "b"], "default_queue_type": "quorum"}
    operations.vhosts.update(broker, "v", tags=[], default_queue_type="")
    assert made.metadata == {"description": "d", "tags": []}
    operations.vhosts.set_tracing(broker, "v", True)
    assert made.tracing
    operations.vhosts.delete(broker, "v")
    assert "v" not in broker.vhosts
    for operation in (
        lambda: operations.vhosts.existing(broker, "v"),
        lambda: operations.vhosts.update(broker, "v", description="x"),
        lambda: operations.vhosts.set_tracing(broker, "v", False),
        lambda: operations.vhosts.delete(broker, "v"),
    ):
        with pytest.raises(NotFound, match=r"^virtual host 'v' does not exist$"):
            operation()


def test_queues_are_declared_with_arguments_in_json(broker: Broker) -> None:
    arguments: dict[str, JSON] = {"x-max-length": 5, "x-dead-letter-exchange": "amq.fanout"}
    queue, made = operations.queues.declare(broker, "/", "q", arguments=arguments)
    assert (made, queue.durable, dict(queue.arguments)) == (True, True, arguments)
    assert operations.queues.declare(broker, "/", "q", arguments=arguments) == (queue, False)
    with pytest.raises(PreconditionFailed, match="x-max-length"):
        operations.queues.declare(broker, "/", "q", arguments={**arguments, "x-max-length": 6})
    with pytest.raises(PreconditionFailed, match="unsupported queue type"):
        operations.queues.declare(broker, "/", "other", arguments={"x-queue-type": "marvel"})
    with pytest.raises(NotFound, match="virtual host 'v'"):
        operations.queues.declare(broker, "v", "q")


def test_a_declared_queue_is_there_after_a_restart(broker: Broker) -> None:
    operations.queues.declare(broker, "/", "q", arguments={"x-max-length": 5})
    operations.exchanges.declare(broker, "/", "x", "topic")
    operations.bindings.add(broker, "/", "x", "queue", "q", "a.#")
    broker.dispatch()
    again = core_broker(broker.definitions)
    assert dict(operations.queues.existing(again, "/", "q").arguments) == {"x-max-length": 5}
    (binding,) = operations.bindings.between(again, "/", "x", "queue", "q")
    assert binding.routing_key == "a.#"


def test_queues_are_deleted_by_the_rules_of_clients(broker: Broker) -> None:
    operations.queues.declare(broker, "/", "q")
    publish(broker, "q", 3)
    with pytest.raises(PreconditionFailed, match="not empty"):
        operations.queues.delete(broker, "/", "q", if_empty=True)
    answers: list[int | BrokerError] = []
    operations.queues.purge(broker, "/", "q", answers.append)
    publish(broker, "q", 2)
    operations.queues.delete(broker, "/", "q", answers.append, if_unused=True)
    assert answers == [3, 2]
    with pytest.raises(NotFound, match="no queue 'q' in vhost '/'"):
        operations.queues.delete(broker, "/", "q")
    with pytest.raises(NotFound):
        operations.queues.purge(broker, "/", "q")
    operations.queues.declare(broker, "/", "quorum", arguments={"x-queue-type": "quorum"})
    with pytest.raises(NotImplementedByBroker):
        operations.queues.delete(broker, "/", "quorum", if_empty=True)


def test_a_users_permissions_count_where_one_is_named(broker: Broker) -> None:
    broker.users.add_user("ann", "x")
    broker.users.set_permissions("ann", "/", "^a", "^a", "^a")
    operations.queues.declare(broker, "/", "a", user="ann")
    operations.exchanges.declare(broker, "/", "ax", "direct", user="ann")
    operations.bindings.add(broker, "/", "ax", "queue", "a", "k", user="ann")
    operations.bindings.remove(broker, "/", "ax", "queue", "a", "k", user="ann")
    operations.queues.declare(broker, "/", "b")
    operations.exchanges.declare(broker, "/", "bx", "direct")
    operations.bindings.add(broker, "/", "bx", "queue", "b", "k")
    declare_queue(core_client(broker), "alone", exclusive=True)
    for refused in (
        lambda: operations.queues.declare(broker, "/", "b2", user="ann"),
        lambda: operations.queues.delete(broker, "/", "b", user="ann"),
        lambda: operations.queues.purge(broker, "/", "b", user="ann"),
        lambda: operations.exchanges.declare(broker, "/", "bx2", "direct", user="ann"),
        lambda: operations.exchanges.delete(broker, "/", "bx", user="ann"),
        lambda: operations.bindings.add(broker, "/", "bx", "queue", "a", user="ann"),
        lambda: operations.bindings.remove(broker, "/", "bx", "queue", "b", "k", user="ann"),
    ):
        with pytest.raises(AccessRefused, match="refused for user 'ann'"):
            refused()
    with pytest.raises(ResourceLocked):
        operations.queues.purge(broker, "/", "alone", user="ann")
    operations.queues.delete(broker, "/", "alone")
    assert "alone" not in broker.vhosts["/"].queues


def test_exchanges(broker: Broker) -> None:
    exchange, made = operations.exchanges.declare(
        broker, "/", "x", "topic", arguments={"alternate-exchange": "amq.fanout"}
    )
    assert (made, exchange.alternate, exchange.durable) == (True, "amq.fanout", True)
    with pytest.raises(PreconditionFailed, match="type"):
        operations.exchanges.declare(broker, "/", "x", "direct")
    operations.queues.declare(broker, "/", "q")
    operations.bindings.add(broker, "/", "x", "queue", "q", "k")
    with pytest.raises(PreconditionFailed, match="in use"):
        operations.exchanges.delete(broker, "/", "x", if_unused=True)
    operations.exchanges.delete(broker, "/", "x")
    with pytest.raises(NotFound, match="no exchange 'x'"):
        operations.exchanges.delete(broker, "/", "x")
    with pytest.raises(AccessRefused, match="system exchange"):
        operations.exchanges.delete(broker, "/", "amq.topic")


def test_bindings(broker: Broker) -> None:
    operations.queues.declare(broker, "/", "q")
    operations.exchanges.declare(broker, "/", "x", "headers", auto_delete=True)
    plain = operations.bindings.add(broker, "/", "x", "queue", "q", "k")
    assert operations.bindings.add(broker, "/", "x", "queue", "q", "k") is plain
    other = operations.bindings.add(broker, "/", "x", "queue", "q", "k", {"x-match": "all", "size": 5})
    assert operations.bindings.between(broker, "/", "x", "queue", "q") == [plain, other]
    assert (plain.properties_key, other.properties_key[:2]) == ("k", "k~")
    with pytest.raises(NotFound, match="no binding '~' from exchange 'x' to queue 'q' in vhost '/'"):
        operations.bindings.remove(broker, "/", "x", "queue", "q", "~")
    operations.bindings.remove(broker, "/", "x", "queue", "q", plain.properties_key)
    operations.bindings.remove(broker, "/", "x", "queue", "q", other.properties_key)
    assert "x" not in broker.vhosts["/"].exchanges, "it was the last binding of an auto-delete exchange"
    for kind in ("queue", "exchange"):
        with pytest.raises(NotFound, match=f"no {kind} 'gone'"):
            operations.bindings.add(broker, "/", "amq.topic", kind, "gone")


def test_messages_are_looked_at_in_slices(broker: Broker) -> None:
    operations.queues.declare(broker, "/", "q")
    publish(broker, "q", 2000)
    publish(broker, "q", 1, b"needle")
    steps = operations.queues.messages(broker, "/", "q", count=5, wanted=MessageFilter(body_part=b"needle"))
    slices = 1
    while steps.step():
        slices += 1
    assert slices >= 4
    assert [each.position for each in steps.result] == [2000]
    found = operations.queues.messages(broker, "/", "q", start=10, count=3).finish()
    assert [each.position for each in found] == [10, 11, 12]
    with pytest.raises(ValueError, match="not negative"):
        operations.queues.messages(broker, "/", "q", start=-1, count=3)


def test_connections() -> None:
    simulated = SimulatedBroker()
    broker = simulated.broker
    broker.users.add_user("ann", "ann")
    first, second = simulated.connect(), simulated.connect()
    with pytest.raises(NotFound, match="no connection has the pid or name 'nobody'"):
        operations.connections.close(broker, "nobody", "reason")
    operations.connections.close(broker, first.connection.name, "because")
    assert first.connection.connection_row().state == "closing"
    assert second.connection.connection_row().state == "running"
    with pytest.raises(NoSuchUser):
        operations.connections.close_all(broker, "x", user="nobody")
    with pytest.raises(NotFound, match="virtual host 'v'"):
        operations.connections.close_all(broker, "x", vhost="v")
    assert operations.connections.close_all(broker, "x", user="ann") == 0
    assert operations.connections.close_all(broker, "x", vhost="/", user="guest") == 1
    assert second.connection.connection_row().state == "closing"


def test_totals_and_counts(broker: Broker) -> None:
    for number in range(10):
        operations.queues.declare(broker, "/", f"q{number}")
        publish(broker, f"q{number}", number)
    steps = operations.overview.totals(broker, slice_queues=3)
    slices = 1
    while steps.step():
        slices += 1
    assert slices == 4
    assert steps.result == (1, 0, 10, 45, 0)
    assert operations.overview.count(broker, "bindings") == 10
    assert operations.overview.count(broker, "exchanges", ("/",)) == 7
