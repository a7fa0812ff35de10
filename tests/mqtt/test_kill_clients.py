"""Real client processes that are killed while messages come and go; what was acknowledged is there, what wasn't comes
again (QoS 1: paho-mqtt with a session that outlives it)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.mqtt.paho_client import paho, paho_client
from tests.support.until import killed_after, until

KILLS = 4

TAKER = """
import os, sys
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

def on_message(client, userdata, message):
    os.write(1, message.payload + b"\\n")

client = paho.Client(CallbackAPIVersion.VERSION2, client_id="taker", protocol=paho.MQTTv311, clean_session=False)
client.on_message = on_message
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
"""

GIVER = """
import os, sys
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

client = paho.Client(CallbackAPIVersion.VERSION2, client_id="giver", protocol=paho.MQTTv311)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_start()
for number in range(int(sys.argv[2]), 1_000_000):
    client.publish("given", b"%d" % number, 1).wait_for_publish(20)
    os.write(1, b"%d\\n" % number)
"""


class ClientProcess:
    """A client in a process of its own, which writes a line for each number; `lines` are those that were read."""

    def __init__(self, program: str, *arguments: object) -> None:
        self.lines: list[int] = []
        self._process = subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE)

    def read(self, count: int) -> None:
        """Wait for so many more lines."""
        assert self._process.stdout is not None
        with killed_after(self._process):
            for _ in range(count):
                self.lines.append(int(self._process.stdout.readline()))

    def kill(self) -> None:
        """Kill it, and read what it had written."""
        self._process.kill()
        assert self._process.stdout is not None
        with self._process.stdout:
            self.lines += [int(line) for line in self._process.stdout.read().split(b"\n")[:-1]]
        self._process.wait(30)


@contextmanager
def client_process(program: str, *arguments: object) -> Iterator[ClientProcess]:
    """One that is killed at the end."""
    running = ClientProcess(program, *arguments)
    try:
        yield running
    finally:
        running.kill()


def test_a_killed_subscriber_gets_everything(port: int) -> None:
    with paho_client(port, "taker", paho.MQTTv311, clean=False) as first:
        first.subscribe("work", 1)
    taken: list[int] = []
    number = 0
    with paho_client(port, "boss") as boss:
        for _ in range(KILLS):
            with client_process(TAKER, port) as taker:
                for _ in range(150):
                    boss.client.publish("work", b"%d" % number, 1)
                    number += 1
                taker.read(20)
            taken += taker.lines
        boss.publish("work", b"%d" % number, 1)
        with client_process(TAKER, port) as taker:
            until(lambda: taker.lines[-1:] == [number], lambda _: taker.read(1))
        taken += taker.lines
    assert list(dict.fromkeys(taken)) == list(range(number + 1)), "everything at least once, in order"
    with paho_client(port, "taker", paho.MQTTv311):
        pass


def test_what_a_killed_publisher_was_told_is_there(port: int) -> None:
    told: list[int] = []
    with paho_client(port, "keeper") as keeper:
        keeper.subscribe("given", 1)
        for _ in range(KILLS):
            with client_process(GIVER, port, told[-1] + 1 if told else 0) as giver:
                giver.read(20)
            told += giver.lines
        received: list[int] = []
        while not received or received[-1] < told[-1]:
            received.append(int(keeper.next().payload))
    assert told == list(range(len(told)))
    assert list(dict.fromkeys(received))[: len(told)] == told
