"""What an exchange holds until it is due: the order, what is in memory and what on disk, and restarts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.core_clients import (
    advance,
    bound_queue,
    delayed,
    guest,
    headers_of,
    held,
    persistent,
    publish,
    take,
    take_messages,
    with_headers,
)
from tests.support.simulated_broker import START_MS, SimulatedBroker
from warren.core.declaring.exchanges import delete_exchange
from warren.core.exchanges.delaying import messages as delayed_messages
from warren.core.routing.vhost import Outcome


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


@settings(max_examples=40)
@given(
    sent=st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.booleans()), max_size=40),
    batch=st.sampled_from([1, 2, 5, 512]),
)
def test_order_is_by_due_time_then_by_publishing(sent: list[tuple[int, bool, bool]], batch: int) -> None:
    """Stored and in memory, flushed and not: each message is its delay, whether it is stored, and a commit before."""
    with tempfile.TemporaryDirectory() as name:
        broker = SimulatedBroker(Path(name))
        broker.commits_by_itself = False
        delayed(broker, "fanout", durable=True)
        held(broker).batch_messages_max = batch
        target = bound_queue(broker, "q", "x")
        expected = []
        for number, (delay, stored, commits) in enumerate(sent):
            if commits:
                broker.begin_commit()
                broker.finish_commit()
            made = persistent if stored else with_headers
            publish(broker, "x", str(number).encode(), made(x_delay=delay))
            expected.append((delay, number))
        got: list[bytes] = []
        for _ in range(6):
            advance(broker, 1)
            got += take(target)
        assert got == [str(number).encode() for _, number in sorted(expected)]
        assert len(held(broker)) == 0
        broker.commits_by_itself = True
        broker.settle()
        assert broker.broker.store.statistics()["entries"] == 0
        broker.close()


def test_only_one_deadline_is_armed(broker: SimulatedBroker) -> None:
    delayed(broker, "fanout")
    before = len(broker.broker.deadlines)
    for number in range(1000):
        publish(broker, "x", b"", with_headers(x_delay=2000 - number))
    assert len(broker.broker.deadlines) == before + 1
    assert broker.broker.deadlines.next_at_ms == START_MS + 1001


def test_many_due_at_once_come_in_batches(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    target = bound_queue(disk, "q", "x")
    count = 5 * delayed_messages.BATCH_MESSAGES_MAX + 1
    for number in range(count):
        publish(disk, "x", b"%d" % number, persistent(x_delay=1000) if number % 2 else with_headers(x_delay=1000))
    disk.settle()
    disk.advance(1000)
    assert 0 < target.ready_count <= 2 * delayed_messages.BATCH_MESSAGES_MAX
    assert advance(disk, 0) >= 2
    assert take(target) == [b"%d" % number for number in range(count)]


def test_large_bodies_are_read_a_few_at_a_time(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    held(disk).batch_bytes_max = 2500
    target = bound_queue(disk, "q", "x")
    bodies = [bytes([number]) * 1000 for number in range(9)]
    for body in bodies:
        publish(disk, "x", body, persistent(x_delay=10))
    disk.settle()
    disk.advance(10)
    assert target.ready_count == 2
    advance(disk, 0)
    assert take(target) == bodies


def test_stored_messages_leave_memory_once_they_are_written(disk: SimulatedBroker) -> None:
    disk.commits_by_itself = False
    delayed(disk, "fanout", durable=True)
    target = bound_queue(disk, "q", "x")
    for number in range(10):
        publish(disk, "x", b"%d" % number, persistent(x_delay=1000))
    publish(disk, "x", b"transient", with_headers(x_delay=1000))
    found = held(disk)
    assert (len(found), found.resident_count) == (11, 11)
    disk.begin_commit()
    publish(disk, "x", b"after", persistent(x_delay=1000))
    disk.finish_commit()
    assert (len(found), found.resident_count) == (12, 2)
    disk.begin_commit()
    disk.finish_commit()
    assert (len(found), found.resident_count) == (12, 1)
    advance(disk, 1000)
    assert take(target) == [*(b"%d" % number for number in range(10)), b"transient", b"after"]


def test_keys_of_what_has_left_memory_do_not_pile_up(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    for _ in range(30):
        for _ in range(100):
            publish(disk, "x", b"", persistent(x_delay=10**6))
        disk.settle()
    found = held(disk)
    assert (len(found), found.resident_count) == (3000, 0)
    assert len(found._heap) <= delayed_messages.STALE_MIN + 100


def test_a_confirm_waits_for_the_disk(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    assert publish(disk, "x", b"m", persistent(x_delay=10)) == (True, Outcome.STORED)
    assert publish(disk, "x", b"m", with_headers(x_delay=10)) == (True, Outcome.TAKEN)


@pytest.mark.parametrize("ends", ["restart", "crash"])
def test_held_messages_outlive_the_broker(disk: SimulatedBroker, ends: str) -> None:
    delayed(disk, "fanout", durable=True)
    bound_queue(disk, "q", "x", durable=True)
    for delay_ms in (3000, 1000, 2000, 1000):
        publish(disk, "x", b"%d" % delay_ms, persistent(x_delay=delay_ms))
    publish(disk, "x", b"transient", with_headers(x_delay=1000))
    disk.settle()
    advance(disk, 500)
    getattr(disk, ends)()
    assert len(held(disk)) == 4
    advance(disk, 499)
    target = disk.queue("q")
    assert take(target) == []
    advance(disk, 1)
    assert take(target) == [b"1000", b"1000"]
    disk.settle()
    getattr(disk, ends)()
    target = disk.queue("q")
    advance(disk, 1000)
    assert [headers_of(message)["x-delay"] for message in take_messages(target)] == [-2000]
    advance(disk, 1000)
    assert take(target) == [b"3000"]
    disk.settle()
    getattr(disk, ends)()
    assert len(held(disk)) == 0


def test_what_became_due_meanwhile_comes_at_once_and_in_order(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    bound_queue(disk, "q", "x", durable=True)
    delays = [(number * 37) % 50 + 1 for number in range(100)]
    for number, delay_ms in enumerate(delays):
        publish(disk, "x", b"%d" % number, persistent(x_delay=delay_ms * 1000))
    disk.settle()
    disk._now_ms += 40_000
    disk.restart()
    held(disk).loaded_at_once = 7
    target = disk.queue("q")
    assert len(held(disk)) == 100
    disk.advance(0)
    assert target.ready_count == 0, "nothing is delivered before everything is read"
    assert len(held(disk)) == 100
    publish(disk, "x", b"new", persistent(x_delay=1))
    assert advance(disk, 0) > 100 // 7
    due = sorted((delay_ms, number) for number, delay_ms in enumerate(delays))
    overdue = [b"%d" % number for delay_ms, number in due if delay_ms <= 40]
    assert take(target) == overdue
    advance(disk, 1)
    assert take(target) == [b"new"]
    advance(disk, 10_000)
    assert take(target) == [b"%d" % number for delay_ms, number in due if delay_ms > 40]


def test_a_crash_before_the_commit_of_a_delivery_doubles_but_does_not_lose(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    bound_queue(disk, "q", "x", durable=True)
    publish(disk, "x", b"m", persistent(x_delay=10))
    disk.settle()
    disk.commits_by_itself = False
    advance(disk, 10)
    assert take(disk.queue("q")) == [b"m"]
    disk.crash()
    advance(disk, 0)
    assert take(disk.queue("q")) == [b"m"]


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from(["publish", "publish", "advance", "commit", "crash", "restart"]), st.integers(1, 30)),
        max_size=40,
    )
)
def test_nothing_committed_is_lost_and_nothing_comes_early(steps: list[tuple[str, int]]) -> None:
    """Against a model: due time by body, what is certainly on disk, and what may be."""
    with tempfile.TemporaryDirectory() as name:
        broker = SimulatedBroker(Path(name))
        delayed(broker, "fanout", durable=True)
        bound_queue(broker, "q", "x", durable=True)
        broker.settle()
        broker.commits_by_itself = False
        due: dict[bytes, int] = {}
        safe: set[bytes] = set()
        got: list[bytes] = []

        def look() -> None:
            for body in take(broker.queue("q")):
                assert due[body] <= broker.broker.now_ms
                got.append(body)

        for number, (action, amount) in enumerate([*steps, ("commit", 0), ("advance", 100)]):
            if action == "publish":
                body = b"%d" % number
                publish(broker, "x", body, persistent(x_delay=amount))
                due[body] = broker.broker.now_ms + amount
            elif action == "advance":
                advance(broker, amount)
                look()
            elif action == "commit":
                broker.begin_commit()
                broker.finish_commit()
                safe = set(due)
            elif action == "restart":
                broker.restart()
                safe = set(due)
                advance(broker, 0)
                look()
            else:
                broker.crash()
                due = {body: at_ms for body, at_ms in due.items() if body in safe}
                advance(broker, 0)
                look()
        assert set(got) >= safe
        broker.close()


def test_a_transient_exchange_stores_nothing(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout")
    publish(disk, "x", b"m", persistent(x_delay=10))
    assert not disk.broker.store.pending


def test_without_a_disk_all_is_in_memory(broker: SimulatedBroker) -> None:
    delayed(broker, "fanout", durable=True)
    target = bound_queue(broker, "q", "x", durable=True)
    assert publish(broker, "x", b"m", persistent(x_delay=10)) == (True, Outcome.TAKEN)
    assert broker.broker.store.statistics()["entries"] == 1
    advance(broker, 10)
    assert take(target) == [b"m"]
    assert broker.broker.store.statistics()["entries"] == 0


def test_a_damaged_record_costs_one_message(disk: SimulatedBroker, tmp_path: Path) -> None:
    delayed(disk, "fanout", durable=True)
    target = bound_queue(disk, "q", "x")
    for body in (b"one", b"two!two!two!", b"three"):
        publish(disk, "x", body, persistent(x_delay=10))
    disk.settle()
    (path,) = sorted((tmp_path / "messages").glob("*.log"))
    path.write_bytes(path.read_bytes().replace(b"two!two!two!", b"two!two!xxx!"))
    advance(disk, 10)
    assert take(target) == [b"one", b"three"]
    assert len(held(disk)) == 0


def test_deleting_the_exchange_drops_what_it_holds(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    target = bound_queue(disk, "q", "x")
    deadlines = len(disk.broker.deadlines)
    for number in range(3):
        publish(disk, "x", b"", persistent(x_delay=10 + number))
    disk.settle()
    publish(disk, "x", b"", persistent(x_delay=20))
    publish(disk, "x", b"", with_headers(x_delay=20))
    delete_exchange(guest(disk), "x")
    assert len(disk.broker.deadlines) == deadlines
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0
    advance(disk, 100)
    assert target.ready_count == 0
    disk.restart()
    advance(disk, 0)


def test_deleting_it_while_it_still_reads_drops_all(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    for number in range(9):
        publish(disk, "x", b"", persistent(x_delay=10 + number))
    disk.settle()
    disk.restart()
    held(disk).loaded_at_once = 2
    disk.advance(0)
    delete_exchange(guest(disk), "x")
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0


def test_deleting_the_virtual_host_drops_it_too(disk: SimulatedBroker) -> None:
    delayed(disk, "fanout", durable=True)
    deadlines = len(disk.broker.deadlines)
    publish(disk, "x", b"", persistent(x_delay=10))
    disk.settle()
    disk.broker.delete_vhost("/")
    assert len(disk.broker.deadlines) == deadlines
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0
