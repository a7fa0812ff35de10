"""The exchange x-delayed-message: what it holds, and where it goes when it is due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.core_clients import (
    advance,
    bind,
    bound_queue,
    delayed,
    exchange,
    guest,
    headers_of,
    properties,
    publish,
    queue,
    take,
    take_messages,
    with_headers,
)
from tests.support.simulated_broker import START_MS, SimulatedBroker
from warren.core.declaring.bindings import unbind
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.binding import Destination
from warren.core.exchanges.fanout import FanoutExchange
from warren.core.messages.field_table import Encodable, FieldValue, Timestamp
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
    exchange(broker, "y", "x-delayed-message", {"x-delayed-type": "fanout"})
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
        exchange(broker, "x", "x-delayed-message", arguments)
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
    exchange(broker, "y", "x-delayed-message", {"x-delayed-type": "x-local-random"})
    with pytest.raises(PreconditionFailed, match="not valid for this exchange type"):
        bind(broker, "x", "y", kind="exchange")


def test_a_bug_while_delivering_one_does_not_stop_the_others(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FanoutExchange):
        """Can't route one key."""

        def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
            if routing_key == "2":
                raise LookupError("a bug")
            return super().targets(routing_key, headers)

    delayed(broker, "fanout")
    broken = broker.vhost.exchanges["broken"] = Broken("broken")
    broken.attached(broker.vhost)
    bind(broker, "broken", "x", kind="exchange")
    target = bound_queue(broker, "q", "broken")
    for key in ("1", "2", "3"):
        publish(broker, "x", key.encode(), with_headers(x_delay=10), key)
    advance(broker, 10)
    assert take(target) == [b"1", b"3"]
    assert "exchange 'x' in vhost '/' could not deliver a delayed message" in caplog.text
