"""The rows of table A.5 that no other file covers: which code, which scope, which words.

Every refusal of a channel leaves the connection and its other channels alone; every refusal of a connection
leaves other connections alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    drain,
    fill,
    refusal_of,
    send,
)

Action = Callable[[BlockingChannel], Any]

ROWS: list[tuple[str, Action, Refusal]] = [
    (
        "consume from a missing queue",
        lambda channel: channel.basic_consume("missing", lambda *delivery: None),
        Refusal("channel", 404, "NOT_FOUND - no queue 'missing' in vhost '/'"),
    ),
    (
        "get from a missing queue",
        lambda channel: channel.basic_get("missing"),
        Refusal("channel", 404, "NOT_FOUND - no queue 'missing' in vhost '/'"),
    ),
    (
        "bind a missing queue",
        lambda channel: channel.queue_bind("missing", "amq.direct", "key"),
        Refusal("channel", 404, "NOT_FOUND - no queue 'missing' in vhost '/'"),
    ),
    (
        "bind to a missing exchange",
        lambda channel: (channel.queue_declare("", exclusive=True), channel.queue_bind("", "missing", "key")),
        Refusal("channel", 404, "NOT_FOUND - no exchange 'missing' in vhost '/'"),
    ),
    (
        "bind exchanges, source missing",
        lambda channel: channel.exchange_bind("amq.fanout", "missing"),
        Refusal("channel", 404, "NOT_FOUND - no exchange 'missing' in vhost '/'"),
    ),
    (
        "bind exchanges, destination missing",
        lambda channel: channel.exchange_bind("missing", "amq.fanout"),
        Refusal("channel", 404, "NOT_FOUND - no exchange 'missing' in vhost '/'"),
    ),
    (
        "publish to a missing exchange",
        lambda channel: send(channel, "missing", "key", b"message"),
        Refusal("channel", 404, "NOT_FOUND - no exchange 'missing' in vhost '/'"),
    ),
    (
        "headers binding with another x-match",
        lambda channel: bind_headers(channel, {"x-match": "some"}),
        Refusal("channel", 406, "PRECONDITION_FAILED"),
    ),
    (
        "headers binding with a number as x-match",
        lambda channel: bind_headers(channel, {"x-match": 5}),
        Refusal("channel", 406, "PRECONDITION_FAILED"),
    ),
    (
        "channel.flow off",
        lambda channel: channel.flow(False),
        Refusal("connection", 540, "NOT_IMPLEMENTED - active=false"),
    ),
    (
        "prefetch by size",
        lambda channel: channel.basic_qos(prefetch_size=4096),
        Refusal("connection", 540, "NOT_IMPLEMENTED - prefetch_size!=0 (4096)"),
    ),
    (
        "recover without requeue",
        lambda channel: channel.basic_recover(requeue=False),
        Refusal("connection", 540, "NOT_IMPLEMENTED - requeue=false"),
    ),
]
"""What is done, and what it is answered with.  A hard error says so to the channel's whole connection."""


@pytest.mark.parametrize(("action", "refusal"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_refusals(
    bench: Workbench,
    channel: BlockingChannel,
    expected: Callable[[Refusal], Refusal],
    action: Action,
    refusal: Refusal,
) -> None:
    bystander = channel.connection.channel()
    elsewhere = bench.channel()
    assert_refused(refusal_of(lambda: action(channel), channel), expected(refusal))
    if refusal.scope == "channel":
        assert_works(bystander)
        assert_works(channel.connection.channel())
    else:
        assert channel.connection.is_closed
    assert_works(elsewhere)


def test_a_refusal_leaves_the_other_channels_consumers(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 2)
    inbox.wait(2)
    failing = channel.connection.channel()
    assert_refused(refusal_of(lambda: failing.queue_declare("missing", passive=True), failing), Refusal("channel", 404))
    channel.basic_ack(1)
    fill(channel, queue, 1)
    assert len(inbox.wait(3)) == 3


def bind_headers(channel: BlockingChannel, arguments: dict[str, Any]) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "amq.headers", "", arguments=arguments)


def assert_works(channel: BlockingChannel) -> None:
    """The channel can declare, publish and get."""
    queue = channel.queue_declare("", exclusive=True).method.queue
    fill(channel, queue, 1)
    assert drain(channel, queue) == [b"1"]
    channel.queue_delete(queue)
