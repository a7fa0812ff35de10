"""Declaring a queue again: what must be the same, and how a difference is put into words (A.5, A.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Refusal, Workbench, assert_refused, channel_refusal, refusal_of, synchronise
from tests.support import amqp_bytes as wire
from tests.support.amqp_bytes import Tagged
from tests.support.amqp_wire import Address, WireClient, wire_client

DIFFERENT: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("durable", {}, {"durable": True}, "received 'true' but current is 'false'"),
    ("durable", {"durable": True}, {}, "received 'false' but current is 'true'"),
    ("auto_delete", {}, {"auto_delete": True}, "received 'true' but current is 'false'"),
    ("auto_delete", {"auto_delete": True}, {}, "received 'false' but current is 'true'"),
]


@pytest.mark.parametrize(("argument", "first", "second", "words"), DIFFERENT)
def test_different_flags(
    bench: Workbench,
    channel: BlockingChannel,
    argument: str,
    first: dict[str, Any],
    second: dict[str, Any],
    words: str,
) -> None:
    queue = bench.queue(channel, **first)
    subject = f"inequivalent arg '{argument}' for queue '{queue}' in vhost '/'"
    with channel_refusal(406, f"PRECONDITION_FAILED - {subject}: {words}"):
        channel.queue_declare(queue, **second)


INTEGER_ARGUMENTS = ["x-expires", "x-message-ttl", "x-max-length", "x-max-length-bytes", "x-max-priority"]


@pytest.mark.parametrize("argument", INTEGER_ARGUMENTS)
def test_different_integer_arguments(bench: Workbench, channel: BlockingChannel, argument: str) -> None:
    """TTLs are long enough that nothing expires while the test runs."""
    queue = bench.queue(channel, arguments={argument: 100_000 if argument != "x-max-priority" else 10})
    current = 100_000 if argument != "x-max-priority" else 10
    subject = f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue '{queue}' in vhost '/'"
    with channel_refusal(406, f"{subject}: received none but current is the value '{current}' of type 'signedint'"):
        channel.queue_declare(queue)
    channel = channel.connection.channel()
    with channel_refusal(406, f"{subject}: received '7' but current is '{current}'"):
        channel.queue_declare(queue, arguments={argument: 7})


def test_an_added_argument(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    subject = f"PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '{queue}' in vhost '/'"
    with channel_refusal(406, f"{subject}: received the value '5' of type 'signedint' but current is none"):
        channel.queue_declare(queue, arguments={"x-max-length": 5})


@pytest.mark.parametrize("argument", ["x-dead-letter-exchange", "x-overflow"])
def test_different_text_arguments(bench: Workbench, channel: BlockingChannel, argument: str) -> None:
    values = {"x-dead-letter-exchange": ("one", "two"), "x-overflow": ("drop-head", "reject-publish")}[argument]
    queue = bench.queue(channel, arguments={argument: values[0]})
    subject = f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue '{queue}' in vhost '/'"
    with channel_refusal(406, f"{subject}: received '{values[1]}' but current is '{values[0]}'"):
        channel.queue_declare(queue, arguments={argument: values[1]})


def test_unlisted_arguments_are_not_compared(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"note": 1, "x-note": 1})
    channel.queue_declare(queue, arguments={"note": 2})
    synchronise(channel)


def test_classic_is_the_same_as_no_type(bench: Workbench, channel: BlockingChannel) -> None:
    first, second = bench.queue(channel), bench.queue(channel, arguments={"x-queue-type": "classic"})
    channel.queue_declare(first, arguments={"x-queue-type": "classic"})
    channel.queue_declare(second)
    synchronise(channel)


WIDTHS = {
    "b": b"\x05",
    "B": b"\x05",
    "s": b"\0\x05",
    "u": b"\0\x05",
    "I": b"\0\0\0\x05",
    "i": b"\0\0\0\x05",
    "l": b"\0\0\0\0\0\0\0\x05",
}
"""The number five in every integer type of the dialect (A.1)."""


@pytest.mark.parametrize("tag", WIDTHS)
def test_integers_compare_across_widths(broker_address: Address, bench: Workbench, tag: str) -> None:
    with wire_client(broker_address) as client:
        queue = bench.name("queue")
        declare(client, queue, {"x-max-length": 5})
        client.expect("queue.declare-ok")
        declare(client, queue, {"x-max-length": Tagged(tag, WIDTHS[tag])})
        client.expect("queue.declare-ok")


INVALID: list[tuple[str, dict[str, object], str]] = [
    ("negative", {"x-message-ttl": -1}, "invalid arg 'x-message-ttl' for queue '{queue}' in vhost '/'"),
    ("text for a number", {"x-max-length": "5"}, "invalid arg 'x-max-length' for queue '{queue}' in vhost '/'"),
    ("zero expiry", {"x-expires": 0}, "invalid arg 'x-expires' for queue '{queue}' in vhost '/'"),
    ("number for text", {"x-dead-letter-exchange": 5}, "invalid type 'signedint' for arg 'x-dead-letter-exchange' in"),
    ("no such overflow", {"x-overflow": "spill"}, "invalid arg 'x-overflow' for queue '{queue}' in vhost '/'"),
    ("too many priorities", {"x-max-priority": 256}, "invalid arg 'x-max-priority' for queue"),
    ("key without exchange", {"x-dead-letter-routing-key": "k"}, "invalid arg 'x-dead-letter-routing-key'"),
    ("no such type", {"x-queue-type": "nonsense"}, "invalid arg 'x-queue-type' for queue"),
]


@pytest.mark.parametrize(("arguments", "words"), [pytest.param(*row[1:], id=row[0]) for row in INVALID])
def test_invalid_arguments(
    bench: Workbench,
    channel: BlockingChannel,
    expected: Callable[[Refusal], Refusal],
    arguments: dict[str, object],
    words: str,
) -> None:
    queue = bench.name("queue")
    refusal = Refusal("channel", 406, "PRECONDITION_FAILED - " + words.format(queue=queue))
    actual = refusal_of(lambda: channel.queue_declare(queue, arguments=arguments), channel)
    assert_refused(actual, expected(refusal))


def declare(client: WireClient, queue: str, arguments: dict[str, object]) -> None:
    names, flags = wire.short(0) + wire.shortstr(queue), wire.bits(False)
    client.send(wire.method(1, "queue.declare", names, flags, wire.table(arguments)))
