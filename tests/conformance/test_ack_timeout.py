"""Consumers that keep messages too long (A.5, A.7 delivery ack timeout), through a real client.

RabbitMQ looks once a minute and knows no timeout of a consumer's own before 3.12 (4.3 cancels the consumer, releases
before close its channel), so these tests talk to Warren only.
"""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from tests.conformance.scenario import Inbox, Workbench, fill, process_until, ready_count, send
from tests.support.brokers import Broker, run_warren
from tests.support.until import until

TIMEOUT_MS = 300

GENEROUS_TIMEOUT_MS = 3_000
"""Where somebody has to be in time: a busy machine may take longer than the other one for a round trip."""


@pytest.fixture(autouse=True)
def warren_only(broker_process: Broker) -> None:
    if not broker_process.is_warren:
        pytest.skip("Debian's RabbitMQ looks once a minute, and closes the channel")


def test_the_consumer_is_cancelled_and_its_messages_return(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    slow = Inbox(channel, queue, arguments={"x-consumer-timeout": TIMEOUT_MS})
    fill(channel, queue, 2)
    held = slow.wait(2)
    slow.wait_for_cancel()
    assert ready_count(channel, queue) == 2
    channel.basic_ack(held[0].tag)
    again = Inbox(channel, queue)
    assert [(delivery.body, delivery.redelivered) for delivery in again.wait(2)] == [(b"1", True), (b"2", True)]
    channel.basic_ack(again.deliveries[1].tag, multiple=True)
    assert ready_count(channel, queue) == 0


def exchange_one(channel: BlockingChannel, inbox: Inbox) -> None:
    """Send a message to a consumer, which acknowledges it."""
    send(channel, "", inbox.queue, b"x")
    count = len(inbox.deliveries)
    process_until(channel, lambda: len(inbox.deliveries) > count)
    channel.basic_ack(inbox.deliveries[-1].tag)


def test_who_acknowledges_in_time_goes_on(bench: Workbench, channel: BlockingChannel) -> None:
    """For longer than one delivery may take; the ends of other consumers show that time has passed, and then some."""
    quick_queue, slow_queue = bench.queue(channel), bench.queue(channel)
    quick = Inbox(channel, quick_queue, arguments={"x-consumer-timeout": GENEROUS_TIMEOUT_MS})
    for timeout_ms in (GENEROUS_TIMEOUT_MS, TIMEOUT_MS):
        slow = Inbox(channel, slow_queue, arguments={"x-consumer-timeout": timeout_ms})
        send(channel, "", slow_queue, b"x")
        slow.wait(len(slow.deliveries) or 1)
        until(lambda slow=slow: slow.cancelled, lambda _: exchange_one(channel, quick))  # type: ignore[misc]
        channel.queue_purge(slow_queue)
    assert not quick.cancelled


def test_the_queue_may_set_the_timeout(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-consumer-timeout": TIMEOUT_MS})
    slow = Inbox(channel, queue)
    fill(channel, queue, 1)
    slow.wait_for_cancel()


def test_a_policy_may_set_the_timeout_for_those_who_hold_messages_already(
    bench: Workbench, channel: BlockingChannel, broker: Broker
) -> None:
    queue = bench.queue(channel, "impatient")
    slow = Inbox(channel, queue)
    fill(channel, queue, 1)
    slow.wait(1)
    broker.ctl("set_policy", "impatient", "^impatient-", f'{{"consumer-timeout": {TIMEOUT_MS}}}')
    try:
        slow.wait_for_cancel()
        assert ready_count(channel, queue) == 1
    finally:
        broker.ctl("clear_policy", "impatient")


def test_of_argument_and_policy_the_shorter_counts_and_the_consumers_own_wins(
    bench: Workbench, channel: BlockingChannel, broker: Broker
) -> None:
    queue = bench.queue(channel, "patient", arguments={"x-consumer-timeout": 3_600_000})
    broker.ctl("set_policy", "patient", "^patient-", f'{{"consumer-timeout": {TIMEOUT_MS}}}')
    try:
        unhurried = Inbox(channel, queue, arguments={"x-consumer-timeout": 0, "x-priority": 1})
        channel.basic_qos(prefetch_count=1)
        slow = Inbox(channel, queue)
        fill(channel, queue, 1)
        unhurried.wait(1)
        channel.basic_cancel(unhurried.tag)
        fill(channel, queue, 1)
        slow.wait_for_cancel()
        assert ready_count(channel, queue) == 1
        channel.basic_ack(unhurried.deliveries[0].tag)
    finally:
        broker.ctl("clear_policy", "patient")


def test_a_timeout_does_not_count_towards_the_delivery_limit(bench: Workbench, channel: BlockingChannel) -> None:
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 0, "x-consumer-timeout": TIMEOUT_MS}
    queue = bench.queue(channel, durable=True, arguments=arguments)
    slow = Inbox(channel, queue)
    fill(channel, queue, 1)
    slow.wait_for_cancel()
    assert ready_count(channel, queue) == 1


def test_a_client_without_cancel_notify_has_its_channel_closed(bench: Workbench) -> None:
    """It would wait for ever."""
    connection = bench.connect(client_properties={"capabilities": {"consumer_cancel_notify": False}})
    channel = connection.channel()
    queue = bench.queue(channel)
    slow = Inbox(channel, queue, arguments={"x-consumer-timeout": TIMEOUT_MS})
    fill(channel, queue, 1)
    with pytest.raises(ChannelClosedByBroker) as caught:
        channel.start_consuming()
    assert not slow.cancelled
    assert caught.value.reply_code == 406
    assert f"Timeout value used: {TIMEOUT_MS} ms" in caught.value.reply_text
    other = connection.channel()
    assert ready_count(other, queue) == 1


def test_the_log_warns_at_half_the_time(bench: Workbench, channel: BlockingChannel, broker: Broker) -> None:
    queue = bench.queue(channel)
    slow = Inbox(channel, queue, consumer_tag="sleepy", arguments={"x-consumer-timeout": TIMEOUT_MS})
    send(channel, "", queue, b"x", delivery_mode=pika.DeliveryMode.Transient)
    slow.wait_for_cancel()
    lines = [line for line in broker.read_log().splitlines() if "consumer 'sleepy'" in line]
    assert len(lines) == 2
    assert f"at {TIMEOUT_MS} ms it will be cancelled" in lines[0]
    assert "cancelling it" in lines[1]


def test_the_configuration_sets_what_counts_where_nobody_says_anything() -> None:
    """And 0 in an argument means none, whatever it is."""
    with run_warren("--set", f"consumer_timeout_ms={TIMEOUT_MS}") as broker:
        bench = Workbench(broker.address)
        channel = bench.channel()
        usual, unhurried = bench.queue(channel), bench.queue(channel, arguments={"x-consumer-timeout": 0})
        inboxes = [Inbox(channel, queue) for queue in (unhurried, usual)]
        for queue in (unhurried, usual):
            fill(channel, queue, 1)
        inboxes[1].wait_for_cancel()
        assert ready_count(channel, usual) == 1
        assert not inboxes[0].cancelled
        bench.clean_up()
