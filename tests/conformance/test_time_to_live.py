"""Messages and queues that expire (A.7 TTL and expiry).  What waits here waits for something to arrive."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    drain,
    fill,
    get,
    process_until,
    queue_exists,
    ready_count,
    refusal_of,
    send,
    synchronise,
)


def dead_letter_queue(bench: Workbench, channel: BlockingChannel, **arguments: object) -> tuple[str, str]:
    """A queue with these arguments whose dead letters go to another one; both names."""
    graveyard = bench.queue(channel, "graveyard")
    routing = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard}
    queue = bench.queue(channel, arguments=routing | arguments)
    return queue, graveyard


def test_a_queues_ttl_expires_its_messages(bench: Workbench, channel: BlockingChannel) -> None:
    queue, graveyard = dead_letter_queue(bench, channel, **{"x-message-ttl": 50})
    bodies = fill(channel, queue, 3)
    assert Inbox(channel, graveyard, auto_ack=True).bodies(3) == bodies
    assert ready_count(channel, queue) == 0


def test_a_messages_own_expiration(bench: Workbench, channel: BlockingChannel) -> None:
    queue, graveyard = dead_letter_queue(bench, channel)
    send(channel, "", queue, b"short", expiration="30")
    delivery = Inbox(channel, graveyard, auto_ack=True).wait(1)[0]
    assert delivery.body == b"short"
    assert delivery.properties.expiration is None
    death = delivery.properties.headers["x-death"][0]
    assert death["original-expiration"] == "30"
    assert (death["reason"], death["queue"], death["count"]) == ("expired", queue, 1)


def test_the_smaller_of_both_ttls_counts(bench: Workbench, channel: BlockingChannel) -> None:
    queue, graveyard = dead_letter_queue(bench, channel, **{"x-message-ttl": 40})
    send(channel, "", queue, b"long", expiration="3600000")
    assert Inbox(channel, graveyard, auto_ack=True).bodies(1) == [b"long"]


def test_only_the_head_of_a_queue_expires(bench: Workbench, channel: BlockingChannel) -> None:
    """A message behind one that lives waits for its turn, but is never delivered after its time."""
    queue, graveyard = dead_letter_queue(bench, channel)
    send(channel, "", queue, b"lives")
    send(channel, "", queue, b"expires", expiration="0")
    synchronise(channel)
    assert ready_count(channel, queue) == 2
    first = get(channel, queue)
    assert first is not None
    assert first.body == b"lives"
    assert Inbox(channel, graveyard, auto_ack=True).bodies(1) == [b"expires"]


def test_a_ttl_of_zero_reaches_a_waiting_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue, graveyard = dead_letter_queue(bench, channel, **{"x-message-ttl": 0})
    inbox = Inbox(channel, queue, auto_ack=True)
    send(channel, "", queue, b"now")
    assert inbox.bodies(1) == [b"now"]
    assert ready_count(channel, graveyard) == 0


def test_a_ttl_of_zero_without_a_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue, graveyard = dead_letter_queue(bench, channel, **{"x-message-ttl": 0})
    send(channel, "", queue, b"never")
    assert Inbox(channel, graveyard, auto_ack=True).bodies(1) == [b"never"]
    assert ready_count(channel, queue) == 0


def test_a_returned_message_keeps_its_deadline(bench: Workbench, channel: BlockingChannel) -> None:
    queue, graveyard = dead_letter_queue(bench, channel)
    send(channel, "", queue, b"held", expiration="60")
    held = get(channel, queue, auto_ack=False)
    assert held is not None
    channel.basic_nack(held.tag, requeue=True)
    assert Inbox(channel, graveyard, auto_ack=True).bodies(1) == [b"held"]


def test_an_unused_queue_expires(bench: Workbench, channel: BlockingChannel) -> None:
    """Its contents are not dead-lettered."""
    queue, graveyard = dead_letter_queue(bench, channel, **{"x-expires": 60})
    fill(channel, queue, 2)
    process_until(channel, lambda: not queue_exists(bench, queue))
    assert ready_count(channel, graveyard) == 0


def test_a_consumer_keeps_its_queue(bench: Workbench, channel: BlockingChannel) -> None:
    """A second queue with the same expiry and no consumer shows that the time has passed."""
    arguments = {"x-expires": 60}
    used = bench.queue(channel, arguments=arguments)
    inbox = Inbox(channel, used)
    unused = bench.queue(channel, arguments=arguments)
    process_until(channel, lambda: not queue_exists(bench, unused))
    assert queue_exists(bench, used)
    channel.basic_cancel(inbox.tag)
    process_until(channel, lambda: not queue_exists(bench, used))


@pytest.mark.parametrize("text", ["abc", "-1", "10x", "", "1.5", "315360000001"])
def test_invalid_expirations(bench: Workbench, channel: BlockingChannel, text: str) -> None:
    queue = bench.queue(channel)
    refusal = refusal_of(lambda: send(channel, "", queue, b"x", expiration=text), channel)
    assert_refused(refusal, Refusal("channel", 406, f"PRECONDITION_FAILED - invalid expiration '{text}'"))


def test_expired_messages_are_never_polled(bench: Workbench, channel: BlockingChannel) -> None:
    queue, graveyard = dead_letter_queue(bench, channel)
    send(channel, "", queue, b"gone", expiration="1")
    Inbox(channel, graveyard, auto_ack=True).wait(1)
    assert drain(channel, queue) == []
