"""Queues with a maximum length (A.7 Length limits)."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError

from tests.conformance.scenario import (
    Inbox,
    Workbench,
    drain,
    fill,
    get,
    numbered,
    ready_count,
    send,
    synchronise,
)
from tests.support.brokers import Broker


def test_the_head_is_dropped(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length": 3})
    fill(channel, queue, 5)
    assert drain(channel, queue) == [b"3", b"4", b"5"]


def test_the_limit_in_bytes_counts_bodies(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length-bytes": 10})
    send(channel, "", queue, b"aaaa", b"bbbb", b"cccc", headers={"not": "counted" * 20})
    assert drain(channel, queue) == [b"bbbb", b"cccc"]


def test_a_body_larger_than_the_limit_is_dropped_itself(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length-bytes": 3})
    send(channel, "", queue, b"aa", b"bbbb")
    assert drain(channel, queue) == []


def test_only_ready_messages_count(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length": 2})
    fill(channel, queue, 2)
    held = [get(channel, queue, auto_ack=False) for _ in range(2)]
    assert all(held)
    send(channel, "", queue, b"3", b"4")
    assert drain(channel, queue) == [b"3", b"4"]


def test_a_length_of_zero_delivers_only_at_once(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length": 0})
    send(channel, "", queue, b"nobody waits")
    synchronise(channel)
    assert ready_count(channel, queue) == 0
    inbox = Inbox(channel, queue, auto_ack=True)
    send(channel, "", queue, b"somebody waits")
    assert inbox.bodies(1) == [b"somebody waits"]


def test_what_is_dropped_is_dead_lettered(bench: Workbench, channel: BlockingChannel) -> None:
    graveyard = bench.queue(channel)
    queue = bench.queue(
        channel,
        arguments={"x-max-length": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard},
    )
    fill(channel, queue, 3)
    letters = Inbox(channel, graveyard, auto_ack=True).wait(2)
    assert [letter.body for letter in letters] == [b"1", b"2"]
    assert letters[0].properties.headers["x-death"][0]["reason"] == "maxlen"
    assert drain(channel, queue) == [b"3"]


def test_reject_publish_nacks(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    channel.confirm_delivery()
    for body in numbered(2):
        channel.basic_publish("", queue, body)
    with pytest.raises(NackError):
        channel.basic_publish("", queue, b"3")
    assert get(channel, queue) is not None
    channel.basic_publish("", queue, b"4")
    assert drain(channel, queue) == [b"2", b"4"]


def test_reject_publish_without_confirms_drops_silently(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    fill(channel, queue, 3)
    assert drain(channel, queue) == [b"1"]


def test_one_full_queue_of_several_nacks_and_the_others_keep_the_message(
    bench: Workbench, channel: BlockingChannel
) -> None:
    exchange = bench.exchange(channel, "fanout")
    roomy = bench.bound_queue(channel, exchange, "")
    full = bench.queue(channel, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.queue_bind(full, exchange, "")
    channel.confirm_delivery()
    channel.basic_publish(exchange, "", b"1")
    with pytest.raises(NackError):
        channel.basic_publish(exchange, "", b"2")
    assert drain(channel, roomy) == [b"1", b"2"]
    assert drain(channel, full) == [b"1"]


def test_reject_publish_dlx_dead_letters_what_it_refuses(bench: Workbench, channel: BlockingChannel) -> None:
    graveyard = bench.queue(channel)
    queue = bench.queue(
        channel,
        arguments={
            "x-max-length": 1,
            "x-overflow": "reject-publish-dlx",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": graveyard,
        },
    )
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"1")
    with pytest.raises(NackError):
        channel.basic_publish("", queue, b"2")
    letter = Inbox(channel, graveyard, auto_ack=True).wait(1)[0]
    assert letter.body == b"2"
    assert letter.properties.headers["x-death"][0]["reason"] == "maxlen"


def test_a_refused_persistent_publish_is_never_confirmed(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.confirm_delivery()
    persistent = pika.BasicProperties(delivery_mode=2)
    outcomes = []
    for body in numbered(4):
        try:
            channel.basic_publish("", queue, body, persistent)
            outcomes.append(True)
        except NackError:
            outcomes.append(False)
    assert outcomes == [True, False, False, False]
    assert drain(channel, queue) == [b"1"]


@pytest.mark.parametrize("lowest_first", [False, True])
def test_which_priority_a_full_queue_drops(
    bench: Workbench, channel: BlockingChannel, broker: Broker, lowest_first: bool
) -> None:
    """The head, which is the most urgent message; from the other end where that is asked for."""
    if lowest_first and not broker.is_warren:
        pytest.skip("RabbitMQ always drops the head")
    arguments = {"x-max-priority": 5, "x-max-length": 2}
    if lowest_first:
        arguments["x-drop-lowest-priority-first"] = True
    queue = bench.queue(channel, arguments=arguments)
    for body, priority in ((b"low", 0), (b"high", 5), (b"middle", 3)):
        send(channel, "", queue, body, priority=priority)
        synchronise(channel)
    assert drain(channel, queue) == ([b"high", b"middle"] if lowest_first else [b"middle", b"low"])


def test_both_limits_hold(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length": 3, "x-max-length-bytes": 10})
    send(channel, "", queue, b"a", b"b", b"c", b"d")
    synchronise(channel)
    assert ready_count(channel, queue) == 3
    send(channel, "", queue, b"0123456789")
    assert drain(channel, queue) == [b"0123456789"]
    send(channel, "", queue, b"0123456789a")
    assert drain(channel, queue) == []


def test_a_full_queue_takes_what_somebody_waits_for(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    channel.confirm_delivery()
    with pytest.raises(NackError):
        channel.basic_publish("", queue, b"nobody waits")
    inbox = Inbox(channel, queue, auto_ack=True)
    channel.basic_publish("", queue, b"somebody waits")
    assert inbox.bodies(1) == [b"somebody waits"]
