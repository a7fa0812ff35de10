"""Listing, reading and cancelling what an exchange holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.core_clients import advance, bound_queue, delayed, held, persistent, publish, take, with_headers
from tests.support.simulated_broker import START_MS, SimulatedBroker


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.settle()
    made.check()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker(tmp_path)
    yield made
    made.settle()
    made.check()
    made.close()


def test_what_is_pending_can_be_listed_in_order_and_read(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    for delay_ms, made in ((30, persistent), (10, with_headers), (20, persistent), (20, with_headers)):
        publish(disk, "x", b"x" * delay_ms, made(x_delay=delay_ms), f"key{delay_ms}")
    disk.settle()
    listed = list(held(disk).pending())
    assert [each.due_at_ms - START_MS for each in listed] == [10, 20, 20, 30]
    assert [each.body_size for each in listed] == [10, 20, 20, 30]
    assert [each.position > 0 for each in listed] == [False, True, False, True]
    assert [each.id.startswith(str(each.due_at_ms)) for each in listed] == [True] * 4
    assert len({each.id for each in listed}) == 4
    read = [message for _, message in held(disk).with_content(listed)]
    assert [message and message.address.routing_key for message in read] == ["key10", "key20", "key20", "key30"]


def test_listing_a_large_backlog_reads_in_batches(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    held(disk).batch_bytes_max = 25
    for number in range(10):
        publish(disk, "x", b"%010d" % number, persistent(x_delay=10) if number % 3 else with_headers(x_delay=10))
    disk.settle()
    read = [message for _, message in held(disk).with_content(held(disk).pending())]
    assert [message and message.body for message in read] == [b"%010d" % number for number in range(10)]


def test_a_pending_message_can_be_cancelled(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    target = bound_queue(disk, "q", "x")
    for number in range(6):
        publish(disk, "x", b"%d" % number, persistent(x_delay=10) if number % 2 else with_headers(x_delay=10))
    disk.settle()
    found = held(disk)
    ids = [each.id for each in found.pending()]
    assert [found.cancel(each) for each in (ids[2], ids[3], ids[2], ids[3])] == [True, True, False, False]
    assert len(found) == 4
    advance(disk, 10)
    assert take(target) == [b"0", b"1", b"4", b"5"]
    assert not found.cancel(ids[0])
    assert disk.broker.store.statistics()["entries"] == 0


def test_an_unwritten_message_can_be_cancelled(disk: SimulatedBroker) -> None:
    disk.commits_by_itself = False
    delayed(disk, "fanout", durable=True)
    publish(disk, "x", b"m", persistent(x_delay=10))
    (pending,) = held(disk).pending()
    disk.begin_commit()
    assert held(disk).cancel(pending.id)
    disk.finish_commit()
    assert list(held(disk).pending()) == []
    disk.commits_by_itself = True
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0


def test_ids_of_stored_messages_outlive_a_restart(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    for number in range(5):
        publish(disk, "x", b"%d" % number, persistent(x_delay=10))
    disk.settle()
    ids = [each.id for each in held(disk).pending()]
    disk.crash()
    assert held(disk).cancel(ids[3])
    assert [each.id for each in held(disk).pending()] == [*ids[:3], ids[4]]
    disk.settle()
    disk.crash()
    assert len(held(disk)) == 4


@pytest.mark.parametrize(
    "message_id", ["", "-", "1", "1-", "-1", "1-2", "1-m2", "1-m", "a-b", "1-2-3", "1-" + "9" * 99]
)
def test_unknown_ids_are_no_messages(broker: SimulatedBroker, message_id: str) -> None:
    delayed(broker)
    publish(broker, "x", b"m", with_headers(x_delay=10))
    assert not held(broker).cancel(message_id)
    assert len(held(broker)) == 1
