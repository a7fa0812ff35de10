"""What comes and goes is counted: connections, channels and queues."""

from __future__ import annotations

from tests.support.simulated_broker import SimulatedBroker


def test_what_comes_and_goes_is_counted() -> None:
    broker = SimulatedBroker()
    client = broker.connect(channels=2)
    client.declare("q", durable=True)
    client.declare("q", durable=True)
    client.declare("mine", exclusive=True)
    assert broker.broker.churn.snapshot() == {
        "connection_created": 1,
        "connection_closed": 0,
        "channel_created": 2,
        "channel_closed": 0,
        "queue_created": 2,
        "queue_declared": 3,
        "queue_deleted": 0,
    }
    client.lose()
    broker.settle()
    found = broker.broker.churn.snapshot()
    assert (found["connection_closed"], found["channel_closed"], found["queue_deleted"]) == (1, 2, 1)


def test_what_a_restart_finds_was_not_made_since() -> None:
    broker = SimulatedBroker()
    broker.connect().declare("q", durable=True)
    broker.restart()
    assert broker.broker.churn.snapshot()["queue_created"] == 0
    broker.close()
