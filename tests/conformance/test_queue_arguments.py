"""Arguments for other types of queue, or for consumers; and what quorum queues make of theirs (A.5, A.7)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    OK,
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    get,
    process_until,
    queue_exists,
    ready_count,
    refusal_of,
    send,
    synchronise,
)

QUORUM = {"x-queue-type": "quorum"}


def invalid(argument: str) -> Refusal:
    return Refusal("channel", 406, f"PRECONDITION_FAILED - invalid arg '{argument}' for queue")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x-quorum-initial-group-size", 1),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-max-in-memory-length", 3),
        ("x-max-age", "1h"),
        ("x-stream-max-segment-size-bytes", 100),
        ("x-initial-cluster-size", 1),
    ],
)
def test_classic_queues_refuse_what_only_others_know(
    bench: Workbench, channel: BlockingChannel, argument: str, value: object
) -> None:
    name = bench.name()
    refusal = refusal_of(lambda: channel.queue_declare(name, arguments={argument: value}), channel)
    assert_refused(refusal, invalid(argument))


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x-max-priority", 3),
        ("x-queue-mode", "lazy"),
        ("x-queue-version", 2),
        ("x-queue-master-locator", "min-masters"),
        ("x-max-age", "1h"),
        ("x-quorum-initial-group-size", 0),
        ("x-dead-letter-strategy", "sometimes"),
    ],
)
def test_quorum_queues_refuse_what_they_do_not_know(
    bench: Workbench, channel: BlockingChannel, argument: str, value: object
) -> None:
    name = bench.name()
    arguments = {**QUORUM, argument: value}
    refusal = refusal_of(lambda: channel.queue_declare(name, durable=True, arguments=arguments), channel)
    assert_refused(refusal, invalid(argument))


@pytest.mark.parametrize(
    ("first", "second", "argument"),
    [
        ({}, QUORUM, "x-queue-type"),
        (QUORUM, {}, "x-queue-type"),
        ({"x-queue-mode": "lazy"}, {}, "x-queue-mode"),
        ({"x-queue-version": 1}, {}, "x-queue-version"),
        ({**QUORUM, "x-delivery-limit": 3}, QUORUM, "x-delivery-limit"),
        ({**QUORUM, "x-max-in-memory-length": 3}, QUORUM, "x-max-in-memory-length"),
        ({**QUORUM, "x-dead-letter-strategy": "at-most-once"}, QUORUM, "x-dead-letter-strategy"),
    ],
)
def test_arguments_that_a_redeclaration_must_repeat(
    bench: Workbench, channel: BlockingChannel, first: dict[str, Any], second: dict[str, Any], argument: str
) -> None:
    name = bench.queue(channel, durable=True, arguments=first)
    refusal = refusal_of(lambda: channel.queue_declare(name, durable=True, arguments=second), channel)
    assert_refused(refusal, Refusal("channel", 406, f"inequivalent arg '{argument}' for queue '{name}'"))


@pytest.mark.parametrize(
    ("argument", "value"),
    [("x-priority", "high"), ("x-priority", True), ("x-stream-offset", "first"), ("x-cancel-on-ha-failover", 1)],
)
def test_invalid_consumer_arguments(bench: Workbench, channel: BlockingChannel, argument: str, value: object) -> None:
    queue = bench.queue(channel)
    refusal = refusal_of(lambda: Inbox(channel, queue, arguments={argument: value}), channel)
    assert_refused(refusal, invalid(argument))


def test_quorum_queues_ignore_the_exclusive_flag_of_consumers(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, durable=True, arguments=QUORUM)
    inboxes = [Inbox(channel, queue, exclusive=True, auto_ack=True) for _ in range(2)]
    send(channel, "", queue, b"1", b"2")
    process_until(channel, lambda: sum(len(inbox.deliveries) for inbox in inboxes) == 2)


@pytest.mark.parametrize("condition", [{"if_unused": True}, {"if_empty": True}])
def test_quorum_queues_are_not_deleted_on_conditions(
    bench: Workbench, channel: BlockingChannel, condition: dict[str, bool]
) -> None:
    queue = bench.queue(channel, durable=True, arguments=QUORUM)
    refusal = refusal_of(lambda: channel.queue_delete(queue, **condition), channel)
    assert_refused(refusal, Refusal("connection", 540, "NOT_IMPLEMENTED"))


def test_quorum_queues_know_no_global_prefetch(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, durable=True, arguments=QUORUM)
    channel.basic_qos(prefetch_count=1, global_qos=True)
    refusal = refusal_of(lambda: Inbox(channel, queue), channel)
    assert_refused(refusal, Refusal("connection", 540, "NOT_IMPLEMENTED"))


@pytest.mark.parametrize("passive", [False, True])
def test_looking_at_a_queue_puts_off_its_expiry(bench: Workbench, channel: BlockingChannel, passive: bool) -> None:
    """For three times as long as it may be unused; then it is left alone."""
    arguments = {"x-expires": 400}
    queue = bench.queue(channel, arguments=arguments)
    end_s = time.monotonic() + 1.2
    while time.monotonic() < end_s:
        channel.queue_declare(queue, passive=passive, arguments=arguments)
        channel.connection.process_data_events(time_limit=0.02)
    other = bench.channel()
    process_until(other, lambda: not queue_exists(bench, queue))


def test_what_is_rejected_after_its_queue_is_gone_is_dropped(bench: Workbench, channel: BlockingChannel) -> None:
    graveyard = bench.queue(channel)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard}
    queue = bench.queue(channel, arguments=arguments)
    send(channel, "", queue, b"x")
    synchronise(channel)
    held = get(channel, queue, auto_ack=False)
    assert held is not None
    channel.queue_delete(queue)
    assert refusal_of(lambda: channel.basic_reject(held.tag, requeue=False), channel) == OK
    assert ready_count(channel, graveyard) == 0


NO_NUMBERS = ("5", True, None, [5], {"a": 5}, b"\xff")
BELOW_0 = (-1, -(2**40))
INVALID: dict[str, tuple[dict[str, Any], tuple[object, ...]]] = {
    "x-message-ttl": ({}, (*NO_NUMBERS, *BELOW_0, 315_360_000_001, 2**62)),
    "x-expires": ({}, (*NO_NUMBERS, *BELOW_0, 0, 315_360_000_001)),
    "x-max-length": ({}, (*NO_NUMBERS, *BELOW_0)),
    "x-max-length-bytes": ({}, (*NO_NUMBERS, *BELOW_0)),
    "x-max-priority": ({}, (*NO_NUMBERS, *BELOW_0, 256)),
    "x-overflow": ({}, ("explode", "", 1, True, ["drop-head"])),
    "x-dead-letter-exchange": ({}, (1, True, ["x"], {"a": "x"})),
    "x-dead-letter-routing-key": ({"x-dead-letter-exchange": ""}, (1, True, ["x"])),
    "x-single-active-consumer": ({}, ("yes", "true", 1, 0, ["x"])),
    "x-queue-mode": ({}, ("eager", 1)),
    "x-queue-version": ({}, (0, 3, "2")),
    "x-queue-type": ({}, ("imaginary", "", 1, True)),
    "x-delivery-limit": (QUORUM, ("5", True, [5])),
    "x-dead-letter-strategy": (QUORUM, ("sometimes", 1, "")),
    "x-quorum-initial-group-size": (QUORUM, ("3", -1, 0)),
    "x-max-in-memory-length": (QUORUM, ("3", -1)),
    "x-max-in-memory-bytes": (QUORUM, ("3", -1)),
}
"""What a queue refuses of each argument, beside these others."""


@pytest.mark.parametrize(
    ("argument", "value"),
    [pytest.param(name, value, id=f"{name}={value!r}") for name, (_, values) in INVALID.items() for value in values],
)
def test_invalid_values_of_every_argument(
    bench: Workbench,
    channel: BlockingChannel,
    expected: Callable[[Refusal], Refusal | None],
    argument: str,
    value: object,
) -> None:
    name = bench.name()
    arguments = {**INVALID[argument][0], argument: value}
    refusal = refusal_of(lambda: channel.queue_declare(name, durable=True, arguments=arguments), channel)
    assert_refused(refusal, expected(Refusal("channel", 406, f"arg '{argument}'")))
    assert queue_exists(bench, name) == (refusal is None)
