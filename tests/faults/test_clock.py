"""A wall clock that jumps: connections, lifetimes of messages and what is stored don't mind."""

from __future__ import annotations

import pytest

from tests.durability.broker import CHANNEL, Starter, numbered
from tests.faults.conftest import Faults
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import WireClient

DAY_S = 86_400

AN_HOUR_MS = b"\x11\x00\x02" + b"\x073600000"
"""A property list: persistent (delivery mode 2), and an expiration of an hour (A.1)."""

YEARS = (10 * 365 * DAY_S, -10 * 365 * DAY_S)


@pytest.mark.parametrize("jump_s", YEARS, ids=["forwards", "backwards"])
def test_a_jump_while_the_broker_runs_changes_nothing(starter: Starter, faults: Faults, jump_s: int) -> None:
    """Heartbeats and lifetimes go by a clock that can't be set."""
    broker = starter.start(environment=faults.environment)
    client = starter.connect(broker)
    client.declare("q")
    with_heartbeat = WireClient(broker.addresses["amqp"])
    with_heartbeat.handshake(heartbeat_s=60)
    with_heartbeat.open_channel(CHANNEL)
    client.wire.send(wire.publish(CHANNEL, "", "q", b"soon over", properties=AN_HOUR_MS))
    client.wire.expect("basic.ack", CHANNEL)
    faults.begin("clock", str(jump_s))
    client.publish("q", numbered(3))
    assert client.take_all("q") == [b"soon over", *numbered(3)], "its hour isn't over"
    # Whoever has heartbeats is still there, and served.
    with_heartbeat.send(wire.method(CHANNEL, "confirm.select", wire.bits(False)))
    with_heartbeat.expect("confirm.select-ok", CHANNEL)
    with_heartbeat.socket.close()


@pytest.mark.parametrize("jump_s", YEARS, ids=["forwards", "backwards"])
def test_a_start_with_another_time_loses_nothing(starter: Starter, faults: Faults, jump_s: int) -> None:
    """A machine without a battery for its clock starts in 1970, or with the day that its clock was set to last."""
    broker = starter.start(environment=faults.environment)
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(20))
    broker.kill()
    faults.begin("clock", str(jump_s))
    again = starter.start(environment=faults.environment)
    client = starter.connect(again)
    client.publish("q", [b"then"])
    assert client.take_all("q") == [*numbered(20), b"then"]
    assert starter.stop(again) == 0
    faults.end("clock")
    client = starter.connect(starter.start(environment=faults.environment))
    assert client.take_all("q") == []


def test_a_lifetime_that_ended_while_the_broker_was_away_is_over(starter: Starter, faults: Faults) -> None:
    broker = starter.start(environment=faults.environment)
    client = starter.connect(broker)
    client.declare("q")
    client.wire.send(wire.publish(CHANNEL, "", "q", b"over by then", properties=AN_HOUR_MS))
    client.wire.expect("basic.ack", CHANNEL)
    client.publish("q", [b"stays"])
    broker.kill()
    faults.begin("clock", str(DAY_S))
    assert starter.connect(starter.start(environment=faults.environment)).take_all("q") == [b"stays"]
