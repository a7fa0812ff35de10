"""Real client processes that are killed while messages come and go; what was acknowledged is there, what wasn't comes
again (QoS 1: paho-mqtt with a session that outlives it)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mqtt.paho_client import paho, paho_client
from tests.support.time_limit import time_limit

KILLS = 4

TAKER = """
import os, sys
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

def on_message(client, userdata, message):
    os.write(1, message.payload + b"\\n")

client = paho.Client(CallbackAPIVersion.VERSION2, client_id="taker", protocol=paho.MQTTv311, clean_session=False)
client.on_connect = lambda client, *_: client.subscribe("work", 1)
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


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    with time_limit(120.0):
        yield


def start(program: str, output: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """A client in a process of its own, whose output is appended to a file."""
    with output.open("ab") as appended:
        return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=appended)


def kill(running: subprocess.Popen[bytes]) -> None:
    running.send_signal(signal.SIGKILL)
    running.wait(30)


def lines(output: Path) -> list[int]:
    """The numbers of the whole lines."""
    return [int(line) for line in output.read_bytes().split(b"\n")[:-1]]


def wait_for(output: Path, count: int) -> None:
    """Until so many lines are there."""
    deadline = time.monotonic() + 60
    while len(lines(output)) < count:
        assert time.monotonic() < deadline, f"{output} has {len(lines(output))} lines, not {count}"
        os.sched_yield()


def test_a_killed_subscriber_gets_everything(port: int, tmp_path: Path) -> None:
    output = tmp_path / "taken"
    output.touch()
    running = start(TAKER, output, port)
    try:
        with paho_client(port, "boss") as boss:
            boss.subscribe("$SYS/broker/subscriptions/count", 0)
            number = 0
            while not lines(output):
                boss.publish("work", b"0", 1)
            seen = len(lines(output))
            for _ in range(KILLS):
                for _ in range(150):
                    number += 1
                    boss.client.publish("work", b"%d" % number, 1)
                wait_for(output, seen + 20)
                kill(running)
                seen = len(lines(output))
                running = start(TAKER, output, port)
            number += 1
            boss.publish("work", b"%d" % number, 1)
            deadline = time.monotonic() + 60
            while number not in lines(output):
                assert time.monotonic() < deadline, sorted(set(range(number)) - set(lines(output)))
                os.sched_yield()
    finally:
        kill(running)
    taken = list(dict.fromkeys(lines(output)))
    assert taken == list(range(number + 1)), "everything at least once, in order"
    with paho_client(port, "taker", paho.MQTTv311):
        pass


def test_what_a_killed_publisher_was_told_is_there(port: int, tmp_path: Path) -> None:
    output = tmp_path / "told"
    output.touch()
    with paho_client(port, "keeper") as keeper:
        keeper.subscribe("given", 1)
        for _ in range(KILLS):
            told = lines(output)
            running = start(GIVER, output, port, told[-1] + 1 if told else 0)
            try:
                wait_for(output, len(told) + 20)
            finally:
                kill(running)
        told = lines(output)
        received: list[int] = []
        while not received or received[-1] < told[-1]:
            received.append(int(keeper.next().payload))
    assert told == list(range(len(told)))
    assert list(dict.fromkeys(received))[: len(told)] == told
