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
    for delay_ms in (HOUR_MS, DELAY_MS, 10):
        body = str(delay_ms).encode()
        send(channel, "later", "k", body, headers={"x-delay": delay_ms}, delivery_mode=pika.DeliveryMode.Persistent)
    send(channel, "later", "k", b"transient", headers={"x-delay": DELAY_MS}, delivery_mode=1)
    inbox = Inbox(channel, "q")
    channel.basic_ack(inbox.wait(1)[0].tag)
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
