"""Stopping in good order and starting again: what is kept, what is not, and who may hold the directory."""

from __future__ import annotations

import os
import signal

from tests.durability.broker import CHANNEL, Client, Starter, numbered
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import wire_client


def test_a_clean_stop_loses_nothing(starter: Starter) -> None:
    """Not even what was never confirmed, once the broker has taken it."""
    broker = starter.start()
    client = starter.connect(broker, confirms=False)
    client.declare("kept")
    client.publish("kept", numbered(500, 2000))
    assert client.declare("kept") == 500
    os.kill(broker.process.pid, signal.SIGTERM)
    assert client.wire.expect_connection_close().code == 320
    client.close()
    assert broker.process.wait(20) == 0
    assert starter.restart_and_take("kept") == numbered(500, 2000)


def test_clients_are_told_320_even_in_the_middle_of_things(starter: Starter) -> None:
    broker = starter.start()
    address = broker.addresses["amqp"]
    with (
        wire_client(address) as consuming,
        wire_client(address) as publishing,
        wire_client(address, channel=None) as idle,
    ):
        consuming.consume(1, consuming.declare_queue(1, ""))
        names = wire.short(0), wire.shortstr(""), wire.shortstr("nowhere")
        publishing.send(wire.method(1, "basic.publish", *names, wire.bits(False, False)), wire.header(1, 5))
        os.kill(broker.process.pid, signal.SIGTERM)
        for client in (consuming, publishing, idle):
            close = client.expect_connection_close()
            assert (close.code, "shutdown" in close.text) == (320, True)
    assert broker.process.wait(20) == 0


def test_transient_messages_and_transient_queues_end_with_the_broker(starter: Starter) -> None:
    broker = starter.start()
    client = starter.connect(broker)
    client.declare("durable")
    client.declare("transient", durable=False)
    client.publish("durable", [b"transient"], persistent=False)
    client.publish("durable", [b"persistent"])
    client.publish("transient", [b"persistent in a transient queue"])
    assert client.declare("transient", passive=True) == 1
    assert starter.stop(broker) == 0

    again = starter.start()
    client = starter.connect(again)
    assert client.take_all("durable") == [b"persistent"]
    assert not_found(client, "transient")


def test_only_what_was_delivered_is_marked_as_redelivered(starter: Starter) -> None:
    """A transient message among the delivered ones is no reason to forget about them."""
    broker = starter.start()
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(4))
    client.publish("q", [b"transient"], persistent=False)
    client.publish("q", numbered(3))
    for _ in range(5):
        assert client.get("q") is not None
    assert starter.stop(broker) == 0

    client = starter.connect(starter.start())
    flags = []
    for _ in range(7):
        got = client.get("q")
        assert got is not None
        flags.append(got.redelivered)
    assert flags == [True] * 4 + [False] * 3


def test_several_restarts_keep_the_order(starter: Starter) -> None:
    expected: list[bytes] = []
    for run in range(3):
        broker = starter.start()
        client = starter.connect(broker)
        client.declare("q")
        bodies = [b"%d %s" % (run, body) for body in numbered(20)]
        client.publish("q", bodies)
        expected += bodies
        got = client.get("q")
        assert got is not None
        assert got.body == expected.pop(0)
        client.acknowledge(got)
        assert starter.stop(broker) == 0
    assert starter.restart_and_take("q") == expected


def test_in_memory_keeps_nothing(starter: Starter) -> None:
    broker = starter.start(in_memory=True)
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(10))
    assert client.declare("q", passive=True) == 10
    assert starter.stop(broker) == 0
    client = starter.connect(starter.start(in_memory=True))
    assert not_found(client, "q")


def test_in_memory_with_a_directory_puts_no_data_there(starter: Starter) -> None:
    broker = starter.start("--data-dir", str(starter.data_directory), in_memory=True)
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(10))
    assert client.declare("q", passive=True) == 10
    assert starter.stop(broker) == 0
    assert {each.name for each in starter.data_directory.iterdir()} <= {"warren.lock", "control.sock"}


def test_in_memory_leaves_the_data_of_an_earlier_run_alone(starter: Starter) -> None:
    broker = starter.start()
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(10))
    assert starter.stop(broker) == 0
    broker = starter.start("--data-dir", str(starter.data_directory), in_memory=True)
    assert not_found(starter.connect(broker), "q")
    assert starter.stop(broker) == 0
    assert starter.restart_and_take("q") == numbered(10)


def test_a_second_broker_on_the_directory_is_refused_and_does_no_harm(starter: Starter) -> None:
    broker = starter.start()
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(10))
    code, said = starter.attempt()
    assert code == 75
    assert said.startswith(f"Error: the data directory {starter.data_directory} is in use by another Warren")
    assert f"process {broker.process.pid}" in said
    assert f"127.0.0.1:{broker.amqp_port}" in said
    assert said.count("\n") == 1
    client.publish("q", numbered(10))
    broker.kill()
    assert starter.restart_and_take("q") == numbered(10) * 2


def not_found(client: Client, queue: str) -> bool:
    """Whether a passive declaration closes the channel with 404."""
    names = wire.short(0), wire.shortstr(queue)
    passive = wire.bits(True, False, False, False, False)
    client.wire.send(wire.method(CHANNEL, "queue.declare", *names, passive, wire.table()))
    return client.wire.expect_channel_close(CHANNEL).code == 404
