"""Counts of failed deliveries survive `kill -9`, so that a message that brings everything down does so no more often
than its queue's delivery limit says.  What was with a consumer when the broker was killed has failed, too.
"""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPConnectionError

from tests.conformance.scenario import Delivery, Inbox, Workbench, get, ready_count, send, synchronise
from tests.durability.broker import Starter
from tests.support.warren_process import WarrenProcess

LIMIT = 3


def use(broker: WarrenProcess) -> Workbench:
    return Workbench(("127.0.0.1", broker.amqp_port))


def kill(broker: WarrenProcess, channel: BlockingChannel) -> None:
    """The client notices, and lets go of its sockets."""
    broker.kill()
    with pytest.raises(AMQPConnectionError):
        synchronise(channel)


def count_of(delivery: Delivery) -> int:
    return int((delivery.properties.headers or {}).get("x-delivery-count", 0))


@pytest.mark.parametrize("kind", ["quorum", "classic"])
def test_a_poisonous_message_dies_in_the_end(starter: Starter, kind: str) -> None:
    broker = starter.start()
    channel = use(broker).channel()
    channel.confirm_delivery()
    arguments = {
        "x-queue-type": kind,
        "x-delivery-limit": LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "graveyard",
    }
    for name, its in (("q", arguments), ("graveyard", {}), ("other", {})):
        channel.queue_declare(name, durable=True, arguments=its)
    send(channel, "", "q", b"poison", b"harmless", delivery_mode=2)
    channel.basic_qos(prefetch_count=1)
    inbox = Inbox(channel, "q")
    for attempt in (1, 2):
        channel.basic_reject(inbox.wait(attempt)[-1].tag, requeue=True)
    assert count_of(inbox.wait(3)[-1]) == 2
    send(channel, "", "other", b"confirmed: what came before is on disk", delivery_mode=2)
    kill(broker, channel)

    broker = starter.start()
    channel = use(broker).channel()
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=1)
    (held,) = Inbox(channel, "q").wait(1)
    assert (held.body, held.redelivered, count_of(held)) == (b"poison", True, 3)
    send(channel, "", "other", b"confirmed", delivery_mode=2)
    kill(broker, channel)

    broker = starter.start()
    channel = use(broker).channel()
    assert ready_count(channel, "q") == 1
    left = get(channel, "q")
    assert left is not None
    assert (left.body, count_of(left)) == (b"harmless", 0)
    letter = get(channel, "graveyard")
    assert letter is not None
    assert letter.body == b"poison"
    assert letter.properties.headers["x-death"][0]["reason"] == "delivery_limit"
    channel.connection.close()
    assert starter.stop(broker) == 0
