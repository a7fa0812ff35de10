"""The exchange x-delayed-message: what it holds, when it gives it away, and what a restart leaves of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import delayed_messages
from core.declaration_binding import unbind
from core.declaration_exchange import delete_exchange
from core.delayed_messages import DelayedMessages
from core.errors import PreconditionFailed
from core.exchanges.delayed import DelayedMessageExchange
from core.field_table import Encodable, FieldValue, Timestamp
from core.message import Message
from core.vhost import Outcome
from tests.support.core_clients import (
    advance,
    bind,
    bound_queue,
    exchange,
    guest,
    headers_of,
    persistent,
    properties,
    publish,
    queue,
    take,
    take_messages,
    with_headers,
)
from tests.support.simulated_broker import START_MS, SimulatedBroker

TYPE = "x-delayed-message"


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


def delayed(
    broker: SimulatedBroker,
    inner: str = "direct",
    *,
    durable: bool = False,
    arguments: dict[str, Encodable] | None = None,
) -> DelayedMessageExchange:
    """The exchange "x"."""
    declared = exchange(broker, "x", TYPE, {"x-delayed-type": inner, **(arguments or {})}, durable=durable)
    assert isinstance(declared, DelayedMessageExchange)
    return declared


def held(broker: SimulatedBroker) -> DelayedMessages:
    """What "x" holds."""
    found = broker.vhost.exchanges["x"]
    assert isinstance(found, DelayedMessageExchange)
    return found.delayed


# Holding and giving away


def test_a_message_arrives_when_its_delay_is_over(broker: SimulatedBroker) -> None:
    declared = delayed(broker)
    target = bound_queue(broker, "q", "x", "key")
    assert publish(broker, "x", b"m", with_headers(x_delay=5000), "key") == (True, Outcome.TAKEN)
    assert declared.messages_delayed == 1
    advance(broker, 4999)
    assert target.ready_count == 0
    advance(broker, 1)
    assert take(target) == [b"m"]
    assert declared.messages_delayed == 0


@pytest.mark.parametrize("headers", [{}, {"x-delay": 0}, {"x-delay": -5000}, {"x-delay": "soon"}, {"x-deliver-at": 1}])
def test_without_a_usable_delay_it_arrives_at_once(broker: SimulatedBroker, headers: dict[str, Encodable]) -> None:
    delayed(broker)
    target = bound_queue(broker, "q", "x")
    sent = properties(headers=headers)
    publish(broker, "x", b"m", sent)
    (message,) = take_messages(target)
    assert message.properties == sent


@pytest.mark.parametrize("value", [START_MS + 60_000, str(START_MS + 60_000), Timestamp(START_MS // 1000 + 60)])
def test_a_point_in_time(broker: SimulatedBroker, value: Encodable) -> None:
    delayed(broker)
    target = bound_queue(broker, "q", "x")
    publish(broker, "x", b"m", with_headers(x_deliver_at=value))
    advance(broker, 59_999)
    assert target.ready_count == 0
    advance(broker, 1)
    (message,) = take_messages(target)
    assert str(headers_of(message)["x-deliver-at"]) == str(value)


def test_a_century_is_no_problem(broker: SimulatedBroker) -> None:
    century_ms = 100 * 366 * 24 * 3600 * 1000
    delayed(broker)
    target = bound_queue(broker, "q", "x")
    publish(broker, "x", b"m", with_headers(x_delay=century_ms))
    publish(broker, "x", b"never", with_headers(x_delay="9" * 50))
    advance(broker, century_ms - 1)
    assert target.ready_count == 0
    advance(broker, 1)
    assert take(target) == [b"m"]


def test_content_and_address_survive_and_the_delay_is_negated(broker: SimulatedBroker) -> None:
    delayed(broker)
    target = bound_queue(broker, "q", "x", "key")
    sent = properties(headers={"a": 1, "x-delay": 5000, "b": "x"}, message_id="7", priority=3, expiration="60000")
    publish(broker, "x", b"body", sent, "key")
    advance(broker, 5000)
    (message,) = take_messages(target)
    assert (message.address.exchange, message.address.routing_key, message.body) == ("x", "key", b"body")
    assert message.published_at_ms == START_MS + 5000
    assert headers_of(message) == {"a": 1, "x-delay": -5000, "b": "x"}
    assert list(headers_of(message)) == ["a", "x-delay", "b"]
    assert message.properties.with_changes(headers=None) == sent.with_changes(headers=None)


def test_published_again_as_it_came_it_is_not_delayed_again(broker: SimulatedBroker) -> None:
    delayed(broker)
    target = bound_queue(broker, "q", "x")
    publish(broker, "x", b"m", with_headers(x_delay=10))
    advance(broker, 10)
    (message,) = take_messages(target)
    publish(broker, "x", b"again", message.properties)
    assert take(target) == [b"again"]


def test_expiration_counts_from_the_delivery(broker: SimulatedBroker) -> None:
    delayed(broker)
    target = bound_queue(broker, "q", "x")
    publish(broker, "x", b"m", properties(headers={"x-delay": 5000}, expiration="1000"))
    advance(broker, 5000)
    advance(broker, 999)
    assert target.ready_count == 1
    advance(broker, 1)
    assert target.ready_count == 0


def test_bindings_count_when_it_is_due(broker: SimulatedBroker) -> None:
    delayed(broker)
    before = bound_queue(broker, "before", "x")
    publish(broker, "x", b"m", with_headers(x_delay=10))
    unbind(guest(broker), "queue", "before", "x", "", {})
    after = bound_queue(broker, "after", "x")
    advance(broker, 10)
    assert (take(before), take(after)) == ([], [b"m"])


def test_a_held_message_counts_as_routed_whoever_will_take_it(broker: SimulatedBroker) -> None:
    """So a mandatory one isn't returned, as RabbitMQ's plugin does with every held message."""
    declared = delayed(broker)
    assert publish(broker, "x", b"held", with_headers(x_delay=10))[0]
    assert not publish(broker, "x", b"not held")[0]
    advance(broker, 10)
    assert declared.messages_delayed == 0


@pytest.mark.parametrize("inner", ["direct", "topic", "fanout", "headers", "x-modulus-hash", "x-random"])
def test_the_inner_type_says_where_to(broker: SimulatedBroker, inner: str) -> None:
    delayed(broker, inner)
    wanted = bound_queue(broker, "wanted", "x", "a.b")
    for body, headers in ((b"1", with_headers()), (b"2", with_headers(x_delay=10))):
        publish(broker, "x", body, headers, "a.b")
    advance(broker, 10)
    assert take(wanted) == [b"1", b"2"]
    publish(broker, "x", b"3", with_headers(x_delay=10), "other")
    advance(broker, 10)
    assert take(wanted) == ([] if inner in ("direct", "topic") else [b"3"])


def test_inside_a_consistent_hash_delayed_and_not_delayed_go_alike(broker: SimulatedBroker) -> None:
    delayed(broker, "x-consistent-hash", arguments={"hash-property": "message_id"})
    queues = [bound_queue(broker, f"q{number}", "x", "1") for number in range(5)]
    for number in range(30):
        publish(broker, "x", b"now", properties(message_id=str(number)))
        publish(broker, "x", b"later", properties(message_id=str(number), headers={"x-delay": 10}))
    found = [sorted(take(each)) for each in queues]
    advance(broker, 10)
    later = [take(each) for each in queues]
    assert [len(bodies) for bodies in found] == [len(bodies) for bodies in later]
    assert sum(map(len, later)) == 30


def test_inside_a_recent_history_the_history_is_of_what_was_delivered(broker: SimulatedBroker) -> None:
    delayed(broker, "x-recent-history")
    publish(broker, "x", b"1")
    publish(broker, "x", b"2", with_headers(x_delay=10))
    assert take(bound_queue(broker, "early", "x")) == [b"1"]
    advance(broker, 10)
    assert take(bound_queue(broker, "late", "x")) == [b"1", b"2"]


def test_copies_by_cc_and_bcc_are_routed_when_due_and_bcc_stays_hidden(disk: SimulatedBroker) -> None:
    delayed(disk, durable=True)
    queues = [bound_queue(disk, key, "x", key, durable=True) for key in ("key", "cc", "bcc", "other")]
    sent = properties(delivery_mode=2, headers={"CC": ["cc"], "x-delay": 10})
    publish(disk, "x", b"m", sent, "key", ["cc", "bcc"])
    disk.settle()
    advance(disk, 10)
    got = [take_messages(each) for each in queues]
    assert [len(messages) for messages in got] == [1, 1, 1, 0]
    assert headers_of(got[2][0]) == {"CC": ["cc"], "x-delay": -10}


def test_behind_another_exchange_it_delays_too(broker: SimulatedBroker) -> None:
    exchange(broker, "front", "fanout")
    delayed(broker, "topic")
    bind(broker, "x", "front", "#", kind="exchange")
    at_once = bound_queue(broker, "at-once", "front")
    later = bound_queue(broker, "later", "x", "#")
    assert publish(broker, "front", b"m", with_headers(x_delay=10), "key") == (True, Outcome.TAKEN)
    assert (take(at_once), take(later)) == ([b"m"], [])
    advance(broker, 10)
    (message,) = take_messages(later)
    assert (message.address.exchange, message.address.routing_key) == ("front", "key")
    assert take(at_once) == []


def test_two_in_a_row_delay_once(broker: SimulatedBroker) -> None:
    delayed(broker, "fanout")
    exchange(broker, "y", TYPE, {"x-delayed-type": "fanout"})
    bind(broker, "y", "x", kind="exchange")
    target = bound_queue(broker, "q", "y")
    publish(broker, "x", b"m", with_headers(x_delay=10))
    publish(broker, "x", b"n", with_headers(x_deliver_at=START_MS + 10))
    advance(broker, 10)
    assert take(target) == [b"m", b"n"]


def test_the_alternate_exchange_gets_what_nothing_takes_when_due(broker: SimulatedBroker) -> None:
    exchange(broker, "else", "fanout")
    delayed(broker, "direct", arguments={"alternate-exchange": "else"})
    target = bound_queue(broker, "q", "else")
    publish(broker, "x", b"m", with_headers(x_delay=10))
    assert target.ready_count == 0
    advance(broker, 10)
    assert take(target) == [b"m"]


def test_a_dead_letter_exchange_may_delay(broker: SimulatedBroker) -> None:
    delayed(broker, "fanout")
    retry = bound_queue(broker, "retry", "x")
    work = queue(broker, "work", {"x-dead-letter-exchange": "x", "x-message-ttl": 1})
    exchange(broker, "in", "fanout")
    bind(broker, "work", "in")
    publish(broker, "in", b"m", with_headers(x_delay=500))
    advance(broker, 1)
    assert (work.ready_count, retry.ready_count) == (0, 0)
    advance(broker, 500)
    (message,) = take_messages(retry)
    assert headers_of(message)["x-delay"] == -500
    assert headers_of(message)["x-first-death-queue"] == "work"


def test_duplicates_are_dropped_when_published_not_when_due(broker: SimulatedBroker) -> None:
    declared = delayed(broker, "fanout", arguments={"x-message-deduplication": True})
    target = bound_queue(broker, "q", "x")
    for body, value in ((b"1", "a"), (b"2", "a"), (b"3", "b")):
        publish(broker, "x", body, with_headers(x_delay=10, x_deduplication_header=value))
    assert declared.messages_delayed == 2
    advance(broker, 10)
    assert take(target) == [b"1", b"3"]


# Order


@settings(max_examples=40)
@given(
    sent=st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.booleans()), max_size=40),
    batch=st.sampled_from([1, 2, 5, 512]),
)
def test_order_is_by_due_time_then_by_publishing(sent: list[tuple[int, bool, bool]], batch: int) -> None:
    """Stored and in memory, flushed and not: each message is its delay, whether it is stored, and a commit before."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(delayed_messages, "BATCH_MESSAGES_MAX", batch)
        broker = SimulatedBroker(Path(name))
        broker.commits_by_itself = False
        delayed(broker, "fanout", durable=True)
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


def test_large_bodies_are_read_a_few_at_a_time(disk: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delayed_messages, "BATCH_BYTES_MAX", 2500)
    delayed(disk, "fanout", durable=True)
    target = bound_queue(disk, "q", "x")
    bodies = [bytes([number]) * 1000 for number in range(9)]
    for body in bodies:
        publish(disk, "x", body, persistent(x_delay=10))
    disk.settle()
    disk.advance(10)
    assert target.ready_count == 2
    advance(disk, 0)
    assert take(target) == bodies


# Memory and disk


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


def test_what_became_due_meanwhile_comes_at_once_and_in_order(
    disk: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delayed_messages, "LOADED_AT_ONCE", 7)
    delayed(disk, "fanout", durable=True)
    bound_queue(disk, "q", "x", durable=True)
    delays = [(number * 37) % 50 + 1 for number in range(100)]
    for number, delay_ms in enumerate(delays):
        publish(disk, "x", b"%d" % number, persistent(x_delay=delay_ms * 1000))
    disk.settle()
    disk._now_ms += 40_000
    disk.restart()
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


def test_deleting_it_while_it_still_reads_drops_all(disk: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delayed_messages, "LOADED_AT_ONCE", 2)
    delayed(disk, "fanout", durable=True)
    for number in range(9):
        publish(disk, "x", b"", persistent(x_delay=10 + number))
    disk.settle()
    disk.restart()
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


# Looking and cancelling


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


def test_listing_a_large_backlog_reads_in_batches(disk: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delayed_messages, "BATCH_BYTES_MAX", 25)
    delayed(disk, "fanout", durable=True)
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


# Refusals


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Invalid argument, 'x-delayed-type' must be an existing exchange type: it is missing"),
        ({"x-delayed-type": 5}, "Invalid argument, 'x-delayed-type' must be an existing exchange type: 5 is no string"),
        (
            {"x-delayed-type": "round-robin"},
            "Invalid argument, 'x-delayed-type' must be an existing exchange type: unknown exchange type 'round-robin'",
        ),
        (
            {"x-delayed-type": "x-delayed-message"},
            "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'",
        ),
        (
            {"x-delayed-type": "x-consistent-hash", "hash-property": "size"},
            "Unsupported property: size; use one of correlation_id",
        ),
    ],
)
def test_refused_arguments(broker: SimulatedBroker, arguments: dict[str, FieldValue], text: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        exchange(broker, "x", TYPE, arguments)
    assert caught.value.text.startswith(text)


def test_another_inner_type_is_another_exchange(broker: SimulatedBroker) -> None:
    delayed(broker, "direct")
    delayed(broker, "direct")
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'x-delayed-type'"):
        delayed(broker, "fanout")


def test_bindings_are_refused_as_the_inner_type_does(broker: SimulatedBroker) -> None:
    delayed(broker, "x-consistent-hash")
    queue(broker, "q")
    with pytest.raises(PreconditionFailed, match="The binding key must be an integer"):
        bind(broker, "q", "x", "heavy")
    exchange(broker, "y", TYPE, {"x-delayed-type": "x-local-random"})
    with pytest.raises(PreconditionFailed, match="not valid for this exchange type"):
        bind(broker, "x", "y", kind="exchange")


def test_a_bug_while_delivering_one_does_not_stop_the_others(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    delayed(broker, "fanout")
    target = bound_queue(broker, "q", "x")
    for body in (b"1", b"2", b"3"):
        publish(broker, "x", body, with_headers(x_delay=10))
    deliver = type(broker.vhost).deliver

    def failing(self: object, route: object, message: Message, barred: object = ()) -> object:
        if message.body == b"2":
            raise LookupError("a bug")
        return deliver(self, route, message)  # type: ignore[arg-type]

    monkeypatch.setattr(type(broker.vhost), "deliver", failing)
    advance(broker, 10)
    assert take(target) == [b"1", b"3"]
    assert "exchange 'x' in vhost '/' could not deliver a delayed message" in caplog.text
