"""Two classes of messages in a quorum queue, as in RabbitMQ 4.0: two urgent ones, then an ordinary one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.core_clients import advance, poll, queue, take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.declaring.queues import remove_queue
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import encode_properties
from warren.core.queues.answer import ignore
from warren.core.queues.classic.queue import ClassicQueue


@pytest.fixture
def broker(tmp_path: Path) -> SimulatedBroker:
    return SimulatedBroker(tmp_path)


def declare(broker: SimulatedBroker, **arguments: Encodable) -> ClassicQueue:
    more = {name.replace("_", "-"): value for name, value in arguments.items()}
    queue(broker, "q", {"x-queue-type": "quorum", **more}, durable=True)
    return broker.queue("q")


def publish(broker: SimulatedBroker, *messages: str, priorities: dict[str, int | None] | None = None) -> None:
    """Each by its first letter: u is urgent, o ordinary."""
    known = {"u": 5, "o": None, **(priorities or {})}
    for each in messages:
        priority = known[each[0]]
        core_clients.publish(broker, "", each.encode(), encode_properties(priority=priority), key="q")
    broker.settle()


def names(bodies: list[bytes]) -> list[str]:
    return [body.decode() for body in bodies]


BACKLOG = ("o1", "o2", "o3", "o4", "u1", "u2", "u3", "u4", "u5")
IN_TURN = ["u1", "u2", "o1", "u3", "u4", "o2", "u5", "o3", "o4"]


def test_two_urgent_ones_then_an_ordinary_one(broker: SimulatedBroker) -> None:
    waiting = declare(broker)
    publish(broker, *BACKLOG)
    assert names(take(waiting)) == IN_TURN


def test_to_a_consumer_too(broker: SimulatedBroker) -> None:
    waiting = declare(broker)
    publish(broker, *BACKLOG)
    consumer = SimulatedConsumer(waiting)
    waiting.add_consumer(consumer)
    broker.settle()
    assert names(consumer.bodies) == IN_TURN
    consumer.acknowledge(len(consumer.bodies))
    assert (waiting.ready_count, waiting.unacked_count, waiting.ready_bytes) == (0, 0, 0)


def test_from_5_on_it_is_urgent(broker: SimulatedBroker) -> None:
    waiting = declare(broker)
    known = {"0": 0, "4": 4, "5": 5, "9": 9, "-": None, "z": 255}
    publish(broker, "0", "4", "-", "9", "5", "z", priorities=dict(known))
    assert names(take(waiting)) == ["9", "5", "0", "z", "4", "-"]


def test_a_queue_without_urgent_messages_is_an_ordinary_one(broker: SimulatedBroker) -> None:
    waiting = declare(broker)
    publish(broker, "o1", "o2", "o3")
    assert len(waiting.backlogs) == 1
    assert names(take(waiting)) == ["o1", "o2", "o3"]


def test_what_comes_back_has_its_place_in_its_class(broker: SimulatedBroker) -> None:
    waiting = declare(broker)
    publish(broker, "o1", "u1", "o2", "u2", "u3")
    held = []
    for _ in range(4):
        found = poll(waiting)
        assert found is not None
        held.append(found[0])
    assert names([each.body for each in held]) == ["u1", "u2", "o1", "u3"]
    waiting.requeue(held, failed=False)
    broker.settle()
    left = names(take(waiting))
    assert [each for each in left if each[0] == "u"] == ["u1", "u2", "u3"]
    assert [each for each in left if each[0] == "o"] == ["o1", "o2"]


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_over_a_restart(broker: SimulatedBroker, how: str) -> None:
    declare(broker)
    publish(broker, *BACKLOG)
    getattr(broker, how)()
    assert names(take(broker.queue("q"))) == IN_TURN


def test_over_a_restart_without_urgent_ones_no_record_is_looked_into(broker: SimulatedBroker) -> None:
    declare(broker)
    publish(broker, "o1", "o2")
    broker.restart()
    waiting = broker.queue("q")
    assert len(waiting.backlogs) == 1
    assert waiting.paged_count == 2
    publish(broker, "u1")
    assert names(take(waiting)) == ["u1", "o1", "o2"]


def test_a_deleted_queue_leaves_nothing_behind(broker: SimulatedBroker) -> None:
    declare(broker)
    publish(broker, "u1")
    remove_queue(broker.vhost, broker.queue("q"))
    broker.settle()
    assert "urgent" not in {kind for kind, _, _, _ in broker.broker.definitions.load()}
    broker.restart()
    declare(broker)
    assert len(broker.queue("q").backlogs) == 1


def test_too_many_drop_the_ordinary_ones_first(broker: SimulatedBroker) -> None:
    waiting = declare(broker, x_max_length=2)
    publish(broker, "o1", "u1", "o2", "u2")
    assert names(take(waiting)) == ["u1", "u2"]
    publish(broker, "u1", "u2", "u3", "o1")
    assert sorted(names(take(waiting))) == ["u2", "u3"]


def test_both_classes_expire(broker: SimulatedBroker) -> None:
    waiting = declare(broker, x_message_ttl=100)
    publish(broker, "o1", "u1")
    advance(broker, 99)
    assert waiting.ready_count == 2
    advance(broker, 1)
    assert (waiting.ready_count, waiting.ready_bytes) == (0, 0)


def test_both_classes_are_purged_and_refuse_what_is_too_much(broker: SimulatedBroker) -> None:
    waiting = declare(broker, x_max_length=2, x_overflow="reject-publish")
    publish(broker, "o1", "u1", "u2", "o2")
    assert waiting.ready_count == 2
    waiting.purge(ignore)
    broker.settle()
    assert (waiting.ready_count, waiting.ready_bytes) == (0, 0)
    assert broker.broker.store.statistics().get("entries", 0) == 0


def test_a_stream_of_urgent_ones_doesnt_starve_the_others(broker: SimulatedBroker) -> None:
    waiting = declare(broker)
    publish(broker, *(f"o{number}" for number in range(5)))
    got = []
    for number in range(15):
        publish(broker, f"u{number}")
        found = poll(waiting, no_ack=True)
        assert found is not None
        got.append(found[0].body[:1])
    assert got.count(b"o") == 5
