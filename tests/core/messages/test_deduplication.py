"""The window of message deduplication, and exchanges that drop what they have seen before."""

from __future__ import annotations

from collections import OrderedDict
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
    publish,
    queue,
    take,
    with_headers,
)
from tests.support.simulated_broker import SimulatedBroker
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.duplicates import SIZE_DEFAULT
from warren.core.messages.deduplication import DeduplicationWindow, fingerprint
from warren.core.messages.field_table import Encodable, FieldValue
from warren.core.routing.vhost import Outcome

VALUES = ["a", "b", "c", "d", "e"]


class ModelWindow:
    """The window, the slow and obvious way."""

    def __init__(self, size: int | None, ttl_ms: int | None) -> None:
        self.size = size
        self.ttl_ms = ttl_ms
        self.first_seen_ms: OrderedDict[str, int] = OrderedDict()

    def seen(self, value: str, now_ms: int) -> bool:
        if self.ttl_ms is not None:
            for known, at_ms in list(self.first_seen_ms.items()):
                if at_ms + self.ttl_ms <= now_ms:
                    del self.first_seen_ms[known]
        if value in self.first_seen_ms:
            return True
        self.first_seen_ms[value] = now_ms
        while self.size is not None and len(self.first_seen_ms) > self.size:
            self.first_seen_ms.popitem(last=False)
        return False

    def forget(self, value: str) -> None:
        self.first_seen_ms.pop(value, None)


@given(
    size=st.none() | st.integers(1, 4),
    ttl_ms=st.none() | st.integers(1, 20),
    steps=st.lists(st.tuples(st.sampled_from(VALUES), st.integers(0, 8), st.booleans()), max_size=60),
)
def test_like_the_model(size: int | None, ttl_ms: int | None, steps: list[tuple[str, int, bool]]) -> None:
    window = DeduplicationWindow(size, ttl_ms)
    model = ModelWindow(size, ttl_ms)
    now_ms = 0
    for value, passed_ms, forgotten in steps:
        now_ms += passed_ms
        if forgotten:
            # A forgotten value is let through next time; a model's count may then keep an older one longer.
            window.forget(value)
            assert not window.seen(value, now_ms)
            model.forget(value)
            model.seen(value, now_ms)
            if size is not None:
                return
        else:
            assert window.seen(value, now_ms) == model.seen(value, now_ms)
        assert len(window) == len(model.first_seen_ms)


def test_a_duplicate_does_not_renew_the_window() -> None:
    window = DeduplicationWindow(None, 10)
    assert [window.seen("a", at_ms) for at_ms in (0, 6, 9, 10, 12)] == [False, True, True, False, True]


def test_memory_is_bounded_whatever_comes() -> None:
    window = DeduplicationWindow(100, None)
    for number in range(20_000):
        assert not window.seen(str(number), number)
        if number % 3 == 0:
            window.forget(str(number))
    assert len(window) <= 100
    assert len(window._order) <= 201


def test_a_large_window_takes_constant_time() -> None:
    """With a walk over the forgotten ones for each eviction, this would take a minute."""
    window = DeduplicationWindow(10_000, None)
    for number in range(200_000):
        window.seen(str(number), 0)
    assert len(window) == 10_000


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("a", "a", True), ("1", 1, True), ("a", "A", False), (1, 2, False), ("x" * 500, "x" * 500, True)],
)
def test_fingerprints(one: FieldValue, other: FieldValue, same: bool) -> None:
    assert (fingerprint(one) == fingerprint(other)) is same


def test_fingerprints_of_long_values_are_short_and_differ() -> None:
    prints = {fingerprint("x" * 10_000 + str(number)) for number in range(100)}
    assert len(prints) == 100
    assert all(found is not None and len(found) < 64 for found in prints)
    assert fingerprint(None) is None
    assert fingerprint("\udcff" * 100) is not None


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.settle()
    made.check()


@pytest.mark.parametrize(
    ("type_name", "arguments"),
    [
        ("direct", {}),
        ("fanout", {}),
        ("topic", {}),
        ("headers", {}),
        ("x-consistent-hash", {}),
        ("x-random", {}),
        ("x-local-random", {}),
        ("x-modulus-hash", {}),
        ("x-recent-history", {}),
        ("x-delayed-message", {"x-delayed-type": "direct"}),
    ],
)
def test_every_type_drops_duplicates(broker: SimulatedBroker, type_name: str, arguments: dict[str, Encodable]) -> None:
    exchange(broker, "x", type_name, {"x-message-deduplication": True, **arguments})
    key = "1" if type_name == "x-consistent-hash" else ""
    target = bound_queue(broker, "q", "x", key)
    for value, body in [("a", b"1"), ("b", b"2"), ("a", b"3"), ("a", b"4"), ("c", b"5")]:
        assert publish(broker, "x", body, with_headers(x_deduplication_header=value), key) == (True, Outcome.TAKEN)
    assert take(target) == [b"1", b"2", b"5"]


def test_messages_without_the_header_are_never_duplicates(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "fanout", {"x-message-deduplication": True})
    target = bound_queue(broker, "q", "x")
    for sent in (None, with_headers(), with_headers(other="a"), with_headers(x_deduplication_header=None)):
        publish(broker, "x", b"m", sent)
        publish(broker, "x", b"m", sent)
    assert len(take(target)) == 8


def test_the_window_by_count(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "fanout", {"x-message-deduplication": True, "x-cache-size": 2})
    target = bound_queue(broker, "q", "x")
    for value in "abacab":
        publish(broker, "x", value.encode(), with_headers(x_deduplication_header=value))
    assert take(target) == [b"a", b"b", b"c", b"a", b"b"]


def test_the_window_by_time(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "fanout", {"x-message-deduplication": True, "x-cache-ttl": 1000})
    target = bound_queue(broker, "q", "x")
    for passed_ms in (0, 999, 1, 500):
        advance(broker, passed_ms)
        publish(broker, "x", str(passed_ms).encode(), with_headers(x_deduplication_header="a"))
    assert take(target) == [b"0", b"1"]


def test_the_window_has_a_size_by_itself(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "fanout", {"x-message-deduplication": True})
    target = bound_queue(broker, "q", "x")
    for number in [*range(SIZE_DEFAULT + 1), 1, 0]:
        publish(broker, "x", str(number).encode(), with_headers(x_deduplication_header=number))
    assert take(target)[-2:] == [str(SIZE_DEFAULT).encode(), b"0"]


def test_another_header_can_be_named(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "fanout", {"x-message-deduplication": True, "x-deduplication-header": "order"})
    target = bound_queue(broker, "q", "x")
    for order, other in [(1, "a"), (1, "b"), (2, "b")]:
        publish(broker, "x", b"%d" % order, with_headers(order=order, x_deduplication_header=other))
    assert take(target) == [b"1", b"2"]


@pytest.mark.parametrize("arguments", [{}, {"x-message-deduplication": False}, {"x-cache-size": 5}])
def test_nothing_is_dropped_unless_asked_for(broker: SimulatedBroker, arguments: dict[str, Encodable]) -> None:
    declared = exchange(broker, "x", "fanout", arguments)
    target = bound_queue(broker, "q", "x")
    for _ in range(2):
        publish(broker, "x", b"m", with_headers(x_deduplication_header="a"))
    assert take(target) == [b"m", b"m"]
    assert not declared.observes
    assert broker.vhost.route("x", "").plain


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"x-message-deduplication": "yes"}, "invalid arg 'x-message-deduplication' for an exchange: 'yes' is neither"),
        ({"x-cache-size": "5"}, "invalid arg 'x-cache-size' for an exchange: '5' is no integer"),
        ({"x-cache-size": 0}, "invalid arg 'x-cache-size' for an exchange: 0 is not within 1 and"),
        ({"x-cache-ttl": True}, "invalid arg 'x-cache-ttl' for an exchange: True is no integer"),
        ({"x-cache-ttl": -1}, "invalid arg 'x-cache-ttl' for an exchange: -1 is not within 1 and"),
        ({"x-cache-ttl": 2**40}, "invalid arg 'x-cache-ttl' for an exchange: 1099511627776 is not within 1 and"),
        ({"x-deduplication-header": 1}, "invalid arg 'x-deduplication-header' for an exchange: 1 is no string"),
    ],
)
def test_refusals(broker: SimulatedBroker, arguments: dict[str, Encodable], text: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        exchange(broker, "x", "fanout", arguments)
    assert caught.value.text.startswith(text)
    assert "x" not in broker.vhost.exchanges


def test_declaring_again_must_say_the_same(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "fanout", {"x-message-deduplication": True, "x-cache-size": 5})
    exchange(broker, "x", "fanout", {"x-message-deduplication": True, "x-cache-size": 5})
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'x-cache-size' for exchange 'x'"):
        exchange(broker, "x", "fanout", {"x-message-deduplication": True, "x-cache-size": 6})


def test_behind_another_exchange_only_that_branch_drops(broker: SimulatedBroker) -> None:
    exchange(broker, "front", "fanout")
    exchange(broker, "strict", "fanout", {"x-message-deduplication": True})
    exchange(broker, "behind", "fanout")
    bind(broker, "strict", "front", kind="exchange")
    bind(broker, "behind", "strict", kind="exchange")
    everything = bound_queue(broker, "everything", "front")
    distinct = bound_queue(broker, "distinct", "strict")
    further = bound_queue(broker, "further", "behind")
    for body in (b"1", b"2"):
        assert publish(broker, "front", body, with_headers(x_deduplication_header="a"))[0]
    assert (take(everything), take(distinct), take(further)) == ([b"1", b"2"], [b"1"], [b"1"])


def test_a_queue_reached_in_two_ways_still_gets_a_duplicate_of_one(broker: SimulatedBroker) -> None:
    exchange(broker, "front", "fanout")
    exchange(broker, "strict", "fanout", {"x-message-deduplication": True})
    bind(broker, "strict", "front", kind="exchange")
    target = bound_queue(broker, "q", "front")
    bind(broker, "q", "strict")
    for body in (b"1", b"2"):
        publish(broker, "front", body, with_headers(x_deduplication_header="a"))
    assert take(target) == [b"1", b"2"]


def test_what_nothing_took_may_be_sent_again(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "fanout", {"x-message-deduplication": True})
    sent = with_headers(x_deduplication_header="a")
    assert publish(broker, "x", b"lost", sent) == (False, Outcome.TAKEN)
    target = bound_queue(broker, "q", "x")
    publish(broker, "x", b"again", sent)
    publish(broker, "x", b"duplicate", sent)
    assert take(target) == [b"again"]


def test_what_a_full_queue_refused_may_be_sent_again(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "fanout", {"x-message-deduplication": True})
    target = queue(broker, "q", {"x-max-length": 1, "x-overflow": "reject-publish"})
    bind(broker, "q", "x")
    publish(broker, "x", b"1", with_headers(x_deduplication_header="a"))
    second = with_headers(x_deduplication_header="b")
    assert publish(broker, "x", b"2", second)[1] is Outcome.REFUSED
    assert take(target) == [b"1"]
    assert publish(broker, "x", b"2", second)[1] is Outcome.TAKEN
    assert publish(broker, "x", b"2", second)[1] is Outcome.TAKEN
    assert take(target) == [b"2"]


def test_a_duplicate_is_confirmed_when_the_original_is_on_disk(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    exchange(broker, "x", "fanout", {"x-message-deduplication": True}, durable=True)
    target = bound_queue(broker, "q", "x", durable=True)
    assert publish(broker, "x", b"1", persistent(x_deduplication_header="a"))[1] is Outcome.STORED
    assert publish(broker, "x", b"2", persistent(x_deduplication_header="a"))[1] is Outcome.STORED
    broker.settle()
    broker.crash()
    target = broker.queue("q")
    assert take(target) == [b"1"]
    assert publish(broker, "x", b"3", persistent(x_deduplication_header="a"))[1] is Outcome.STORED
    broker.settle()
    assert take(target) == [b"3"]
    broker.close()
