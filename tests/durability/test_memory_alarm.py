"""A broker process that comes to its memory watermark: publishers are held back until there is room, nobody else is."""

from __future__ import annotations

from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingConnection

from tests.support.until import until
from tests.support.warren_process import WarrenProcess, warren_process

WATERMARK_BYTES = 160 * 2**20
BODY = b"x" * 4096
AT_ONCE = 200
MOST = 200_000
"""Messages, of which a fifth would be enough."""

OVERSHOOT = 1.5
"""What is in the sockets when publishers are stopped is taken, and a look is had once a second."""


def connect(process: WarrenProcess) -> BlockingConnection:
    return BlockingConnection(pika.ConnectionParameters("127.0.0.1", process.amqp_port, heartbeat=0))


def peak_bytes(process: WarrenProcess) -> int:
    for line in Path(f"/proc/{process.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("Linux says how much memory a process had")


@pytest.mark.limits(seconds=300)
def test_publishers_wait_for_memory_and_consumers_make_room() -> None:
    options = ("--set", f"memory_high_watermark={WATERMARK_BYTES}", "--set", "backlog_bytes_max=1GiB")
    with warren_process(options=options) as process:
        publisher, consumer = connect(process), connect(process)
        held: list[str] = []
        publisher.add_on_connection_blocked_callback(lambda _, frame: held.append(frame.method.reason))
        publisher.add_on_connection_unblocked_callback(lambda _, frame: held.clear())
        channel = publisher.channel()
        channel.queue_declare("q")
        count = 0
        while not held and count < MOST:
            for _ in range(AT_ONCE):
                channel.basic_publish("", "q", b"%08d" % count + BODY)
                count += 1
            publisher.process_data_events(0)
        assert "memory" in held[0]
        assert peak_bytes(process) < OVERSHOOT * WATERMARK_BYTES
        taken: list[int] = []
        taking = consumer.channel()
        taking.basic_consume("q", lambda _, method, properties, body: taken.append(int(body[:8])), auto_ack=True)
        until(lambda: len(taken) == count, consumer.process_data_events)
        assert taken == list(range(count))
        until(lambda: not held, publisher.process_data_events)
        channel.basic_publish("", "q", b"%08d" % count)
        until(lambda: len(taken) == count + 1, consumer.process_data_events)
        for connection in (publisher, consumer):
            connection.close()
