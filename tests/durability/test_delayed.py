"""Delayed messages outlive the broker, however it ends; those that became due meanwhile come at once."""

from __future__ import annotations

import json
from typing import Any

import pika
import pytest
from pika.exceptions import AMQPConnectionError

from tests.conformance.scenario import Inbox, Workbench, drain, ready_count, send, synchronise
from tests.durability.broker import Starter
from tests.support.ctl import ctl
from tests.support.warren_process import WarrenProcess

DELAY_MS = 1500
HOUR_MS = 3_600_000


def pending(broker: WarrenProcess) -> list[dict[str, Any]]:
    """The delayed messages of the exchange `later`."""
    return list(json.loads(ctl(broker.data_directory, "list_delayed_messages", "later", "--formatter", "json")))


@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_delays_go_on_over_a_restart(starter: Starter, ends: str) -> None:
    broker = starter.start()
    channel = Workbench(("127.0.0.1", broker.amqp_port)).channel()
    channel.confirm_delivery()
    channel.exchange_declare("later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"})
    channel.queue_declare("q", durable=True)
    channel.queue_bind("q", "later", "k")

    def publish(delay_ms: int) -> None:
        body = str(delay_ms).encode()
        send(channel, "later", "k", body, headers={"x-delay": delay_ms}, delivery_mode=pika.DeliveryMode.Persistent)

    publish(HOUR_MS)
    publish(10)
    inbox = Inbox(channel, "q", auto_ack=True)
    assert inbox.bodies(1) == [b"10"]
    channel.basic_cancel(inbox.tag)
    # However long it takes from here to the end: what is due by then is in the queue, and nobody has it.
    publish(DELAY_MS)
    send(channel, "later", "k", b"transient", headers={"x-delay": DELAY_MS}, delivery_mode=1)
    channel.queue_declare("other", durable=True)
    send(channel, "", "other", b"confirmed: what came before is on disk", delivery_mode=2)
    if ends == "kill":
        broker.kill()
        with pytest.raises(AMQPConnectionError):
            synchronise(channel)
    else:
        channel.connection.close()
        assert starter.stop(broker) == 0

    broker = starter.start()
    channel = Workbench(("127.0.0.1", broker.amqp_port)).channel()
    assert Inbox(channel, "q", auto_ack=True).bodies(1) == [str(DELAY_MS).encode()]
    (row,) = pending(broker)
    assert row["routing_key"] == "k"
    assert ready_count(channel, "q") == 0
    assert drain(channel, "q") == []
    channel.connection.close()
    assert starter.stop(broker) == 0
