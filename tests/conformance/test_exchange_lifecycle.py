"""Declaring and deleting exchanges: flags, equivalence, passive, auto-delete, if-unused (A.5, A.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Refusal,
    Workbench,
    assert_refused,
    channel_refusal,
    drain,
    exchange_exists,
    refusal_of,
    send,
    synchronise,
)
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Address, wire_client


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("kind", ["direct", "fanout", "topic", "headers"])
def test_declaring_again_alike_is_fine(bench: Workbench, channel: BlockingChannel, kind: str, durable: bool) -> None:
    flags: dict[str, Any] = {"durable": durable, "arguments": {"alternate-exchange": "amq.fanout"}}
    exchange = bench.exchange(channel, kind, **flags)
    channel.exchange_declare(exchange, kind, **flags)
    synchronise(channel)


DIFFERENT: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "type",
        {"exchange_type": "direct"},
        {"exchange_type": "topic"},
        "received 'topic' but current is 'direct'",
    ),
    ("durable", {}, {"durable": True}, "received 'true' but current is 'false'"),
    ("durable", {"durable": True}, {}, "received 'false' but current is 'true'"),
    ("auto_delete", {}, {"auto_delete": True}, "received 'true' but current is 'false'"),
    ("internal", {}, {"internal": True}, "received 'true' but current is 'false'"),
    (
        "alternate-exchange",
        {},
        {"arguments": {"alternate-exchange": "amq.fanout"}},
        "received the value 'amq.fanout' of type 'longstr' but current is none",
    ),
    (
        "alternate-exchange",
        {"arguments": {"alternate-exchange": "amq.fanout"}},
        {},
        "received none but current is the value 'amq.fanout' of type 'longstr'",
    ),
    (
        "alternate-exchange",
        {"arguments": {"alternate-exchange": "amq.fanout"}},
        {"arguments": {"alternate-exchange": "amq.direct"}},
        "received 'amq.direct' but current is 'amq.fanout'",
    ),
]


@pytest.mark.parametrize(("argument", "first", "second", "words"), DIFFERENT)
def test_declaring_again_differently_is_refused(
    bench: Workbench,
    channel: BlockingChannel,
    argument: str,
    first: dict[str, Any],
    second: dict[str, Any],
    words: str,
) -> None:
    exchange = bench.name("exchange")
    channel.exchange_declare(exchange, **first)
    subject = f"inequivalent arg '{argument}' for exchange '{exchange}' in vhost '/'"
    with channel_refusal(406, f"PRECONDITION_FAILED - {subject}: {words}"):
        channel.exchange_declare(exchange, **second)


def test_unlisted_arguments_are_not_compared(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, arguments={"note": "one"})
    channel.exchange_declare(exchange, arguments={"note": "two"})
    synchronise(channel)


def test_passive_declare_ignores_everything_but_the_name(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "topic", durable=True)
    channel.exchange_declare(exchange, "fanout", passive=True, auto_delete=True, internal=True)
    synchronise(channel)


def test_passive_declare_of_a_missing_exchange(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.name("missing")
    with channel_refusal(404, f"NOT_FOUND - no exchange '{name}' in vhost '/'"):
        channel.exchange_declare(name, passive=True)


@pytest.mark.parametrize(
    "name", ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace"]
)
def test_predeclared_exchanges(channel: BlockingChannel, name: str) -> None:
    types = {"amq.match": "headers", "amq.rabbitmq.trace": "topic"}
    kind = types.get(name, name.removeprefix("amq."))
    internal = name == "amq.rabbitmq.trace"
    channel.exchange_declare(name, kind, durable=True, internal=internal)
    channel.exchange_declare(name, passive=True)
    synchronise(channel)


@pytest.mark.parametrize("kind", ["nonsense", "", "Direct"], ids=lambda kind: kind or "empty")
def test_unknown_type(
    bench: Workbench, channel: BlockingChannel, expected: Callable[[Refusal], Refusal], kind: str
) -> None:
    name = bench.name("exchange")
    refusal = Refusal("channel", 406, f"PRECONDITION_FAILED - unknown exchange type '{kind}'")
    assert_refused(refusal_of(lambda: channel.exchange_declare(name, kind), channel), expected(refusal))
    assert not exchange_exists(bench, name)


def test_deleting_a_missing_exchange_is_fine(bench: Workbench, channel: BlockingChannel) -> None:
    channel.exchange_delete(bench.name("missing"))
    channel.exchange_delete(bench.name("missing"), if_unused=True)
    synchronise(channel)


def test_deleting_removes_bindings_in_both_directions(bench: Workbench, channel: BlockingChannel) -> None:
    source, middle, target = (bench.exchange(channel, "fanout") for _ in range(3))
    channel.exchange_bind(middle, source)
    channel.exchange_bind(target, middle)
    queue = bench.bound_queue(channel, target, "")
    channel.exchange_delete(middle)
    channel.exchange_declare(middle, "fanout")
    send(channel, source, "", b"message")
    send(channel, middle, "", b"message")
    synchronise(channel)
    assert drain(channel, queue) == []


def test_if_unused_refuses_while_it_is_a_source(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel)
    bench.bound_queue(channel, exchange, "key")
    with channel_refusal(406, f"PRECONDITION_FAILED - exchange '{exchange}' in vhost '/' in use"):
        channel.exchange_delete(exchange, if_unused=True)
    assert exchange_exists(bench, exchange)


def test_if_unused_deletes_a_destination(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel)
    channel.exchange_bind(exchange, "amq.fanout")
    channel.exchange_delete(exchange, if_unused=True)
    assert not exchange_exists(bench, exchange)


def test_auto_delete_goes_with_its_last_binding(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, auto_delete=True)
    queue = bench.bound_queue(channel, exchange, "a", "b")
    channel.queue_unbind(queue, exchange, "a")
    assert exchange_exists(bench, exchange)
    channel.queue_unbind(queue, exchange, "b")
    assert not exchange_exists(bench, exchange)


def test_auto_delete_goes_with_its_last_queue(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, auto_delete=True)
    queue = bench.bound_queue(channel, exchange, "a", "b")
    channel.queue_delete(queue)
    assert not exchange_exists(bench, exchange)


def test_auto_delete_stays_without_ever_a_binding(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, auto_delete=True)
    queue = bench.queue(channel)
    channel.queue_unbind(queue, exchange, "never bound")
    channel.exchange_bind(exchange, "amq.fanout")
    channel.exchange_unbind(exchange, "amq.fanout")
    assert exchange_exists(bench, exchange)


def test_auto_delete_cascades(bench: Workbench, channel: BlockingChannel) -> None:
    first, second = (bench.exchange(channel, "fanout", auto_delete=True) for _ in range(2))
    channel.exchange_bind(second, first)
    queue = bench.bound_queue(channel, second, "")
    channel.queue_delete(queue)
    assert not exchange_exists(bench, second)
    assert not exchange_exists(bench, first)


DEFAULT_EXCHANGE: list[tuple[str, Callable[[BlockingChannel, str], object]]] = [
    ("declare", lambda channel, queue: channel.exchange_declare("", "direct", durable=True)),
    ("declare passively", lambda channel, queue: channel.exchange_declare("", passive=True)),
    ("delete", lambda channel, queue: channel.exchange_delete("")),
    ("bind a queue", lambda channel, queue: channel.queue_bind(queue, "", "key")),
    ("unbind a queue", lambda channel, queue: channel.queue_unbind(queue, "", queue)),
    ("bind as source", lambda channel, queue: channel.exchange_bind("amq.fanout", "", "key")),
    ("bind as destination", lambda channel, queue: channel.exchange_bind("", "amq.fanout", "key")),
    ("unbind as source", lambda channel, queue: channel.exchange_unbind("amq.fanout", "", "key")),
]


@pytest.mark.parametrize("action", [pytest.param(row[1], id=row[0]) for row in DEFAULT_EXCHANGE])
def test_the_default_exchange_is_out_of_reach(
    bench: Workbench,
    channel: BlockingChannel,
    expected: Callable[[Refusal], Refusal],
    action: Callable[[BlockingChannel, str], object],
) -> None:
    queue = bench.queue(channel)
    refusal = Refusal("channel", 403, "ACCESS_REFUSED - operation not permitted on the default exchange")
    assert_refused(refusal_of(lambda: action(channel, queue), channel), expected(refusal))


def test_reserved_exchange_names(channel: BlockingChannel) -> None:
    words = "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'"
    with channel_refusal(403, words):
        channel.exchange_declare("amq.mine")


@pytest.mark.parametrize("name", ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"])
def test_system_exchanges_cannot_be_deleted(bench: Workbench, channel: BlockingChannel, name: str) -> None:
    with channel_refusal(403, f"ACCESS_REFUSED - deletion of system exchange '{name}' in vhost '/' not allowed"):
        channel.exchange_delete(name)
    assert exchange_exists(bench, name)


def test_line_ends_are_stripped_from_names(bench: Workbench, channel: BlockingChannel, broker_address: Address) -> None:
    """By hand, because pika waits for a declare-ok with the name that it sent."""
    exchange, queue = bench.exchange(channel, "fanout"), bench.name("queue")
    with wire_client(broker_address) as client:
        assert client.declare_queue(1, f"\r{queue}\r\n", exclusive=False) == queue
        names = wire.shortstr(f"\n{queue}"), wire.shortstr(f"{exchange}\r"), wire.shortstr("")
        client.send(wire.method(1, "queue.bind", wire.short(0), *names, wire.bits(False), wire.table()))
        client.expect("queue.bind-ok")
    send(channel, exchange, "", b"message")
    assert drain(channel, queue) == [b"message"]
