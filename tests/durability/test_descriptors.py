"""File descriptors: the soft limit is raised to the hard one, and running out of them hurts nobody who is connected.

Linux only: /proc says what the limits are.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.durability.broker import PERSISTENT, Starter
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import SilenceError, WireClient
from tests.support.until import TIME_LIMIT_S, until
from tests.support.warren_process import WarrenProcess

HARD_LIMIT = 128
SOFT_LIMIT = 100
CLIENTS = 150

SEGMENT_BYTES = 1 << 20
"""Small, so that the store needs new files during the test."""

ESTABLISHED = "01"
"""A connection's state, in /proc/net/tcp."""

LOOK_S = 0.02

PATIENCE_S = 0.3
"""How long nothing must come for a connection that has to wait."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="needs Linux's /proc")


def start_with_few_descriptors(starter: Starter) -> WarrenProcess:
    """A broker below these limits, and with small segments."""
    limits = f"ulimit -S -n {SOFT_LIMIT}", f"ulimit -H -n {HARD_LIMIT}"
    return starter.start_with_small_segments(SEGMENT_BYTES, *limits)


def open_files_limits(pid: int) -> tuple[int, int]:
    """(soft, hard)."""
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max open files"):
            soft, hard = line.split()[3:5]
            return int(soft), int(hard)
    raise AssertionError("no limit of open files")


def accepted(port: int) -> int:
    """How many connections to a loopback port a program has: those that wait to be accepted are nobody's (inode 0)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED and row[9] != "0" for row in rows)


def is_served(client: WireClient, patience_s: float = TIME_LIMIT_S) -> bool:
    """Whether the broker answers the protocol header (sent before) in time."""
    try:
        client.read_any_frame(patience_s)
    except SilenceError:
        return False
    return True


def test_the_soft_limit_is_raised_to_the_hard_one(starter: Starter) -> None:
    broker = start_with_few_descriptors(starter)
    assert open_files_limits(broker.process.pid) == (HARD_LIMIT, HARD_LIMIT)


def test_more_clients_than_descriptors(starter: Starter) -> None:
    broker = start_with_few_descriptors(starter)
    address = broker.addresses["amqp"]
    with ExitStack() as stack:
        publisher = stack.enter_context(WireClient(address))
        publisher.handshake()
        publisher.open_channel()
        publisher.declare_queue(1, "q", exclusive=False)
        durable = wire.bits(False, True, False, False, False)
        names = wire.short(0), wire.shortstr("kept")
        publisher.send(wire.method(1, "queue.declare", *names, durable, wire.table()))
        publisher.expect("queue.declare-ok", 1)
        publisher.send(wire.method(1, "confirm.select", wire.bits(False)))
        publisher.expect("confirm.select-ok", 1)

        crowd = [stack.enter_context(WireClient(address)) for _ in range(CLIENTS)]
        for client in crowd:
            client.send(wire.PROTOCOL_HEADER)
        until(lambda: "new connections wait" in starter.log, lambda _: time.sleep(LOOK_S))
        # They are accepted in the order in which they came, the publisher first.
        served, waiting = crowd[: (room := accepted(address[1]) - 1)], crowd[room:]
        assert 20 <= len(served) <= HARD_LIMIT - 20
        assert all(is_served(client) for client in served)

        confirmed = publish_confirmed(publisher, 100)
        segments = list((starter.data_directory / "messages").glob("*.log"))
        assert len(segments) > 3
        publisher.round_trip(1)
        assert not is_served(waiting[0], PATIENCE_S)

        for client in served[:10]:
            client.socket.close()
        for client in waiting[:10]:
            assert is_served(client)
        assert not is_served(waiting[10], PATIENCE_S)
        assert publish_confirmed(publisher, 10) == 10
        assert starter.log.count("new connections wait") <= 12, "more than a line each time the room was used up again"

    assert starter.stop(broker) == 0
    assert "[critical]" not in starter.log
    again = starter.start()
    with WireClient(again.addresses["amqp"]) as client:
        client.handshake()
        client.open_channel()
        client.send(wire.method(1, "queue.declare", *names, durable, wire.table()))
        found = client.expect("queue.declare-ok", 1)
        found.shortstr()
        assert found.long() == confirmed + 10


def publish_confirmed(client: WireClient, count: int) -> int:
    """Publish persistent messages of 100,000 bytes, one after the other; how many were confirmed."""
    body = bytes(100_000)
    for _ in range(count):
        client.send(wire.publish(1, "", "kept", body, properties=PERSISTENT))
        client.expect("basic.ack", 1)
    return count
