"""Bindings that lost an end wait for it: whoever declares something else has nothing to do with them."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.core.declaring.lost_bindings import MADE_AT_ONCE, LostBindings, Row
from warren.core.declaring.quarantine import SetAside
from warren.core.declaring.queues import create_queue
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.routing.vhost import VirtualHost
from warren.core.storage.recovery import restore_binding

NONE = base64.b64encode(EMPTY_TABLE_RAW).decode()

MANY = 3 * MADE_AT_ONCE + 10


def row(destination: str, key: str = "k", source: str = "amq.topic", kind: str = "queue") -> Row:
    return {"source": source, "kind": kind, "destination": destination, "routing_key": key, "arguments": NONE}


class Making:
    """Makes bindings, and counts how often it was asked to."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, vhost: VirtualHost, row: Row) -> bool:
        self.asked.append(str(row["routing_key"]))
        if row["routing_key"] == "refused":
            raise PreconditionFailed("no")
        return restore_binding(vhost, row)


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()
    broker.check()
    broker.close()


@pytest.fixture
def making() -> Making:
    return Making()


@pytest.fixture
def lost(making: Making, broker: SimulatedBroker) -> LostBindings:
    lost = LostBindings(making)
    broker.broker.quarantine.bindings = lost
    return lost


def hold(broker: SimulatedBroker, lost: LostBindings, *rows: Row) -> None:
    for each in rows:
        lost.add("/", each)
    lost.restored(broker.broker.vhosts)


def keys_of(broker: SimulatedBroker, queue: str) -> list[str]:
    return [each.routing_key for each in broker.vhost.exchanges["amq.topic"].bindings if each.target.name == queue]


def test_who_declares_something_else_asks_about_none(
    broker: SimulatedBroker, lost: LostBindings, making: Making
) -> None:
    hold(broker, lost, *(row(f"lost {number}") for number in range(1000)))
    assert len(lost) == 1000
    making.asked.clear()
    for number in range(50):
        create_queue(broker.vhost, f"q{number}", durable=True)
    broker.broker.add_vhost("other", {})
    create_queue(broker.broker.vhosts["other"], "lost 1", durable=True)
    assert making.asked == []
    create_queue(broker.vhost, "lost 7", durable=True)
    assert making.asked == ["k"]
    assert len(lost) == 999


def test_who_has_lost_both_ends_waits_for_one_after_the_other(
    broker: SimulatedBroker, lost: LostBindings, making: Making
) -> None:
    client = broker.connect()
    hold(broker, lost, row("q", source="x"), row("y", source="x", kind="exchange"))
    client.declare("q", durable=True)
    assert list(lost) == [("/", row("q", source="x")), ("/", row("y", source="x", kind="exchange"))]
    client.send(1, methods.ExchangeDeclare(exchange="x", type="fanout", durable=True))
    assert list(lost) == [("/", row("y", source="x", kind="exchange"))]
    making.asked.clear()
    client.send(1, methods.ExchangeDeclare(exchange="z", type="fanout", durable=True))
    assert making.asked == []
    client.send(1, methods.ExchangeDeclare(exchange="y", type="fanout", durable=True))
    assert not lost
    assert len(broker.vhost.exchanges["x"].bindings) == 2


def test_many_come_bit_by_bit_in_their_order(broker: SimulatedBroker, lost: LostBindings, making: Making) -> None:
    hold(broker, lost, *(row("q", str(number)) for number in range(MANY)))
    making.asked.clear()
    create_queue(broker.vhost, "q", durable=True)
    turns = 0
    while broker.broker.chores:
        assert len(making.asked) == (turns + 1) * MADE_AT_ONCE
        broker.broker.end_turn()
        turns += 1
    assert turns == 3
    assert keys_of(broker, "q") == making.asked == [str(number) for number in range(MANY)]
    assert not lost


def test_the_end_may_go_again_meanwhile(broker: SimulatedBroker, lost: LostBindings) -> None:
    """What isn't made by then waits again."""
    client = broker.connect()
    hold(broker, lost, *(row("q", str(number)) for number in range(MANY)))
    create_queue(broker.vhost, "q", durable=True)
    client.send(1, methods.QueueDelete(queue="q"))
    broker.settle()
    assert len(lost) == MANY - MADE_AT_ONCE
    create_queue(broker.vhost, "q", durable=True)
    broker.settle()
    assert len(keys_of(broker, "q")) == MANY - MADE_AT_ONCE


def test_and_the_whole_virtual_host(broker: SimulatedBroker, lost: LostBindings, making: Making) -> None:
    hold(broker, lost, *(row("q", str(number)) for number in range(MANY)), row("other"))
    create_queue(broker.vhost, "q", durable=True)
    broker.broker.delete_vhost("/")
    assert not lost
    making.asked.clear()
    broker.settle()
    assert making.asked == []
    broker.broker.add_vhost("/", {})


def test_one_that_cannot_come_back_holds_nobody_up(
    broker: SimulatedBroker, lost: LostBindings, caplog: pytest.LogCaptureFixture
) -> None:
    hold(broker, lost, row("q", "refused"), row("q"))
    assert "can't come back: no" in caplog.text
    create_queue(broker.vhost, "q", durable=True)
    assert keys_of(broker, "q") == ["k"]


class Looked(list[int]):
    """Says no to whoever looks at each."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("a look at each")


def test_messages_that_come_back_are_not_looked_at_one_by_one(broker: SimulatedBroker) -> None:
    found = SetAside(7, ("queue", "/", "q"), range(100, 1_100), [10] * 1000)
    found.positions, found.sizes = Looked(found.positions), Looked(found.sizes)
    broker.broker.quarantine.hold(found)
    queue = create_queue(broker.vhost, "q", durable=True)
    assert queue.store_id == 7
    assert queue.ready_count == 1000
    assert queue.ready_bytes == 10_000
    assert broker.broker.quarantine.number_of(("queue", "/", "q")) == 0


def test_whose_it_was_is_found_at_once(broker: SimulatedBroker) -> None:
    quarantine = broker.broker.quarantine
    for number in (5, 6, 7):
        quarantine.hold(SetAside(number, ("queue", "/", "q"), [number], [1]))
    quarantine.hold(SetAside(8, ("mqtt_session", "/", "c"), [8], [1]))
    quarantine.hold(SetAside(9, None, [9], [1]))
    assert quarantine.number_of(("queue", "/", "q")) == 5
    quarantine.take(5)
    assert quarantine.number_of(("queue", "/", "q")) == 6
    assert quarantine.take(5) is None
    for number in (6, 7, 8, 9):
        assert quarantine.take(number) is not None
    assert quarantine.number_of(("queue", "/", "q")) == 0
    assert quarantine.number_of(("mqtt_session", "/", "c")) == 0
    assert not quarantine._numbers


def test_what_is_settled_of_it_counts_no_more() -> None:
    found = SetAside(7, None, range(10), [10] * 10)
    found.drop_first(4)
    assert (list(found.positions), len(found.sizes), found.body_bytes) == ([4, 5, 6, 7, 8, 9], 6, 60)
    assert len(found.sizes) == 6
