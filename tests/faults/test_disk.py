"""A disk that fails, reads badly, or takes very long, under a real broker: nothing is confirmed that isn't on it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.durability.broker import CHANNEL, PERSISTENT, Client, Starter, numbered
from tests.faults.conftest import Faults
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Close, DisconnectedError, SilenceError
from tests.support.until import until
from tests.support.warren_process import STOP_GRACE_S, WarrenProcess

MESSAGES = "/data/messages/"
DEFINITIONS = "/data/definitions.sqlite"


def client_with_queue(starter: Starter, broker: WarrenProcess) -> Client:
    client = starter.connect(broker)
    client.declare("q")
    return client


def check_loud_end(starter: Starter, broker: WarrenProcess, *words: str) -> None:
    """It ended by itself, and its last words say what and where."""
    assert broker.process.wait(STOP_GRACE_S) not in (0, None)
    last = starter.log.splitlines()[-1]
    assert last.startswith("Error: ")
    for each in words:
        assert each in last
    assert "[critical]" in starter.log


def wait_until(condition: Callable[[], bool]) -> None:
    until(condition, lambda _: time.sleep(0.02))


def send(client: Client, body: bytes) -> None:
    client.wire.send(wire.publish(CHANNEL, "", "q", body, properties=PERSISTENT))


def ends_unconfirmed(client: Client) -> None:
    """No confirm comes before the broker's goodbye, or the end of the connection."""
    try:
        assert client.wire.read_frame().name == "connection.close"
    except (DisconnectedError, ConnectionError):
        pass


@pytest.mark.parametrize("fault", ["sync-eio", "write-eio"])
def test_a_message_log_that_fails_ends_the_broker_and_confirms_nothing(
    starter: Starter, faults: Faults, fault: str
) -> None:
    broker = starter.start(environment=faults.environment)
    client = client_with_queue(starter, broker)
    client.publish("q", numbered(20))
    faults.begin(fault, MESSAGES)
    send(client, b"lost")
    ends_unconfirmed(client)
    check_loud_end(starter, broker, "Input/output error", str(starter.data_directory / "messages"))
    there = starter.restart_and_take("q")
    assert there[:20] == numbered(20)
    # What wasn't confirmed may be there: the write may have reached the disk before the sync failed.
    assert there[20:] in ([], [b"lost"])


def test_definitions_that_fail_answer_no_declaration(starter: Starter, faults: Faults) -> None:
    broker = starter.start(environment=faults.environment)
    client = client_with_queue(starter, broker)
    client.publish("q", numbered(5))
    faults.begin("sync-eio", DEFINITIONS)
    names = wire.short(0), wire.shortstr("lost")
    flags = wire.bits(False, True, False, False, False)
    client.wire.send(wire.method(CHANNEL, "queue.declare", *names, flags, wire.table()))
    ends_unconfirmed(client)
    check_loud_end(starter, broker, "definitions")
    assert starter.restart_and_take("q") == numbered(5)


def test_what_cannot_be_read_now_is_not_lost(starter: Starter, faults: Faults) -> None:
    """Behind a restart bodies are on disk alone: who polls is told that they can't be read (506), and others go on."""
    client = client_with_queue(starter, first := starter.start())
    bodies = numbered(400, 4096)
    client.publish("q", bodies)
    first.kill()
    broker = starter.start(environment=faults.environment)
    client, other = starter.connect(broker), starter.connect(broker)
    taken = [got.body for _ in range(10) if (got := client.get("q", no_ack=True)) is not None]
    faults.begin("read-eio", MESSAGES)
    while True:
        names = wire.short(0), wire.shortstr("q")
        client.wire.send(wire.method(CHANNEL, "basic.get", *names, wire.bits(True)))
        frame = client.wire.read_frame()
        if frame.name != "basic.get-ok":
            break
        taken.append(client.wire.expect_content(CHANNEL).body)
    assert frame.name == "connection.close"
    close = Close.of(frame)
    assert close.code == 506
    assert "can't be read: Input/output error" in close.text
    assert other.declare("q", passive=True) == len(bodies) - len(taken) > 0, "they are there"
    other.declare("more")
    other.publish("more", [b"goes on"])
    faults.end("read-eio")
    assert taken + other.take_all("q") == bodies


def test_a_sync_that_takes_long_holds_up_its_confirms_and_nobody_else(starter: Starter, faults: Faults) -> None:
    broker = starter.start(environment=faults.environment)
    client = client_with_queue(starter, broker)
    other = starter.connect(broker, confirms=False)
    other.declare("quick", durable=False)
    faults.begin("hold-sync", MESSAGES)
    send(client, b"slow")
    wait_until(faults.is_holding)
    other.publish("quick", numbered(100), persistent=False)
    assert other.declare("quick", durable=False, passive=True) == 100
    # Somebody new logs in and works, too.
    assert starter.connect(broker, confirms=False).take_all("quick") == numbered(100)
    # More is published meanwhile, and confirmed behind it.
    send(client, b"behind")
    with pytest.raises(SilenceError):
        client.wire.read_frame(0.3)
    # It is told while it lasts, after some seconds.
    wait_until(lambda: "the disk has been writing for" in starter.log)
    assert "the disk was done after" not in starter.log
    faults.end("hold-sync")
    confirmed = 0
    while confirmed < 2:
        frame = client.wire.expect("basic.ack", CHANNEL)
        confirmed = frame.longlong()
    wait_until(lambda: "the disk was done after" in starter.log)
    broker.kill()
    assert starter.restart_and_take("q") == [b"slow", b"behind"]


def test_killed_during_a_sync_only_what_was_confirmed_is_promised(starter: Starter, faults: Faults) -> None:
    broker = starter.start(environment=faults.environment)
    client = client_with_queue(starter, broker)
    client.publish("q", numbered(3))
    faults.begin("hold-sync", MESSAGES)
    send(client, b"maybe")
    wait_until(faults.is_holding)
    broker.kill()
    faults.end("hold-sync")
    there = starter.restart_and_take("q")
    assert there in (numbered(3), [*numbered(3), b"maybe"])
