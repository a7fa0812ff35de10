"""The exchange x-recent-history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core_clients import (
    advance,
    bind,
    bound_queue,
    exchange,
    persistent,
    properties,
    publish,
    queue,
    take,
    take_messages,
    with_headers,
)
from tests.support.simulated_broker import SimulatedBroker
from warren.core.declaring.queues import remove_queue
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.recent_history import DELIVERED_PER_SLICE, LENGTH_DEFAULT, LENGTH_MAX
from warren.core.exchanges.registry import create
from warren.core.messages.field_names import term
from warren.core.messages.field_table import Encodable, FieldValue


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.settle()
    made.check()


def numbered(first: int, last: int) -> list[bytes]:
    return [str(number).encode() for number in range(first, last + 1)]


@pytest.mark.parametrize("ends", ["", "binding", "queue"])
def test_a_long_history_comes_in_slices(broker: SimulatedBroker, ends: str) -> None:
    count = 3 * DELIVERED_PER_SLICE
    source = exchange(broker, "x", "x-recent-history", {"x-recent-history-length": count})
    for number in range(1, count + 1):
        publish(broker, "x", b"%d" % number)
    target = queue(broker, "q")
    bind(broker, "q", "x")
    assert target.ready_count == DELIVERED_PER_SLICE
    most, more, turns = 0, True, 0
    while more:
        before = target.ready_count
        more = broker.broker.end_turn()
        most = max(most, target.ready_count - before)
        turns += 1
        if ends and turns == 1:
            if ends == "queue":
                remove_queue(broker.vhost, target)
            else:
                source.remove(next(iter(source.bindings)).key)
    if ends:
        assert target.ready_count in (0, 2 * DELIVERED_PER_SLICE)
    else:
        assert most == DELIVERED_PER_SLICE
        assert take(target) == numbered(1, count)


def test_it_is_a_fanout(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-recent-history")
    queues = [bound_queue(broker, name, "x", key) for name, key in (("a", ""), ("b", "key"))]
    publish(broker, "x", b"m", None, "any")
    assert [take(each) for each in queues] == [[b"m"], [b"m"]]


def test_a_new_queue_gets_the_latest_messages_in_order(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-recent-history")
    for body in numbered(1, 50):
        assert not publish(broker, "x", body)[0]
    target = bound_queue(broker, "q", "x")
    assert take(target) == numbered(51 - LENGTH_DEFAULT, 50)
    publish(broker, "x", b"51")
    assert take(target) == [b"51"]


@given(length=st.integers(1, 12), count=st.integers(0, 30))
def test_the_length_is_an_argument(length: int, count: int) -> None:
    broker = SimulatedBroker()
    exchange(broker, "x", "x-recent-history", {"x-recent-history-length": length})
    for body in numbered(1, count):
        publish(broker, "x", body)
    assert take(bound_queue(broker, "q", "x")) == numbered(max(1, count - length + 1), count)


def test_messages_can_ask_not_to_be_remembered(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-recent-history")
    marks: list[tuple[bytes, Encodable]] = [(b"1", True), (b"2", False), (b"3", "true"), (b"4", 1), (b"5", None)]
    for body, value in marks:
        publish(broker, "x", body, with_headers(x_recent_history_no_store=value))
    assert take(bound_queue(broker, "q", "x")) == [b"2", b"3", b"4", b"5"]


def test_every_new_binding_brings_the_history(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-recent-history")
    publish(broker, "x", b"m")
    target = bound_queue(broker, "q", "x")
    bind(broker, "q", "x")
    assert take(target) == [b"m"]
    bind(broker, "q", "x", "another key")
    assert take(target) == [b"m"]


def test_a_new_exchange_gets_it_and_passes_it_on(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-recent-history")
    exchange(broker, "behind", "direct")
    wanted = bound_queue(broker, "wanted", "behind", "a")
    other = bound_queue(broker, "other", "behind", "b")
    publish(broker, "x", b"1", None, "a")
    publish(broker, "x", b"2", None, "c")
    bind(broker, "behind", "x", kind="exchange")
    assert (take(wanted), take(other)) == ([b"1"], [])
    publish(broker, "x", b"3", None, "b")
    assert (take(wanted), take(other)) == ([], [b"3"])


def test_behind_another_exchange_it_remembers_too(broker: SimulatedBroker) -> None:
    exchange(broker, "front", "direct")
    exchange(broker, "x", "x-recent-history")
    bind(broker, "x", "front", "a", kind="exchange")
    publish(broker, "front", b"1", None, "a")
    publish(broker, "front", b"2", None, "b")
    assert take(bound_queue(broker, "q", "x")) == [b"1"]


def test_in_a_cycle_history_ends(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-recent-history")
    publish(broker, "x", b"m")
    bind(broker, "x", "x", kind="exchange")
    assert take(bound_queue(broker, "q", "x")) == [b"m", b"m"]


def test_content_and_order_survive_and_time_starts_anew(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-recent-history")
    sent = properties(message_id="1", expiration="1000")
    publish(broker, "x", b"m", sent, "key")
    advance(broker, 5000)
    target = bound_queue(broker, "q", "x")
    advance(broker, 999)
    (message,) = take_messages(target)
    assert message.properties == sent
    assert (message.address.exchange, message.address.routing_key, message.body) == ("x", "key", b"m")


def test_copies_are_stored_on_their_own(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    exchange(broker, "x", "x-recent-history", durable=True)
    first = bound_queue(broker, "first", "x", durable=True)
    publish(broker, "x", b"m", persistent())
    broker.settle()
    second = bound_queue(broker, "second", "x", durable=True)
    assert take(first) == [b"m"]
    broker.settle()
    assert second.ready_count == 1
    broker.restart()
    assert take(broker.queue("second")) == [b"m"]
    assert take(broker.queue("first")) == []
    third = bound_queue(broker, "third", "x", durable=True)
    assert take(third) == [], "the history is kept in memory only"
    broker.close()


def test_a_full_queue_is_not_overfilled_by_history(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-recent-history")
    for body in numbered(1, 5):
        publish(broker, "x", body)
    target = queue(broker, "q", {"x-max-length": 2, "x-overflow": "reject-publish"})
    bind(broker, "q", "x")
    assert take(target) == [b"1", b"2"]


@pytest.mark.parametrize("value", [0, -1, "20", True, None, 1.5, LENGTH_MAX + 1])
def test_a_length_that_is_none_is_refused(value: FieldValue) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        create("x-recent-history", "x", arguments={"x-recent-history-length": value})
    text = f"Invalid argument {term(value)}, 'x-recent-history-length' must be a positive integer; at most {LENGTH_MAX}"
    assert caught.value.text == text
