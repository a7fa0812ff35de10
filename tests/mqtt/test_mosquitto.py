"""Mosquitto's command-line clients, and its bridge."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.clients import need, run
from tests.mqtt.paho_client import PahoClient, paho, paho_client
from tests.support import child

VERSIONS = ["mqttv31", "mqttv311", "mqttv5"]


@pytest.fixture(autouse=True)
def _installed() -> None:
    need(shutil.which("mosquitto_pub") is not None and _mosquitto() is not None, "mosquitto")


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_publishing_and_subscribing(port: int, version: str, qos: str) -> None:
    where = ["-h", "127.0.0.1", "-p", str(port), "-V", version, "-q", qos, "-t", f"m/{version}/{qos}"]
    run(["mosquitto_pub", *where, "-r", "-m", "hello"])
    assert run(["mosquitto_sub", *where, "-C", "1", "-W", "20"]) == b"hello\n"
    run(["mosquitto_pub", *where, "-r", "-n"])


def test_answers_to_a_request(port: int) -> None:
    where = ["-h", "127.0.0.1", "-p", str(port), "-V", "mqttv5"]
    with paho_client(port, "worker") as worker:
        worker.subscribe("requests", 1)
        asking = subprocess.Popen(
            ["mosquitto_rr", *where, "-t", "requests", "-e", "answers", "-m", "ask", "-W", "20"], stdout=subprocess.PIPE
        )
        request = worker.next()
        properties: Any = request.properties
        worker.publish(properties.ResponseTopic, b"answer", 1)
        assert asking.communicate(timeout=30)[0] == b"answer\n"


@pytest.fixture
def bridge(port: int, tmp_path: Path) -> Iterator[int]:
    """The port of a mosquitto that is bridged to the broker: `up/#` out, `down/#` in, `both/#` both ways."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bridge_port = probe.getsockname()[1]
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(
        f"listener {bridge_port} 127.0.0.1\nallow_anonymous true\nconnection warren\naddress 127.0.0.1:{port}\n"
        "remote_username guest\nremote_password guest\ntopic up/# out 2\ntopic down/# in 2\ntopic both/# both 1\n"
        "notifications true\nnotification_topic bridge/state\nrestart_timeout 1\n"
    )
    log = tmp_path / "mosquitto.log"
    program = _mosquitto()
    assert program is not None
    running = child.start([program, "-c", str(configuration), "-v"], log, {}, tmp_path)
    try:
        with paho_client(port, "watch-bridge") as watcher:
            watcher.subscribe("bridge/state", 1)
            while watcher.next().payload != b"1":
                pass
        child.wait_until(lambda: "Received SUBACK" in log.read_text(), running, log, 20, "subscribing")
        yield bridge_port
    finally:
        child.stop(running, grace_s=5)


def test_the_bridge(port: int, bridge: int) -> None:
    near = PahoClient(port, "near", paho.MQTTv5)
    far = PahoClient(bridge, "far", paho.MQTTv311)
    try:
        near.subscribe("up/#", 2)
        far.subscribe("down/#", 2)
        near.subscribe("both/#", 1)
        far.subscribe("both/#", 1)
        far.publish("up/1", b"to Warren", 2)
        near.publish("down/1", b"to Mosquitto", 2)
        assert near.next().payload == b"to Warren"
        assert far.next().payload == b"to Mosquitto"
        near.publish("both/1", b"once", 1)
        far.publish("both/2", b"and back", 1)
        assert sorted(bytes(near.next().payload) for _ in range(2)) == [b"and back", b"once"]
        assert sorted(bytes(far.next().payload) for _ in range(2)) == [b"and back", b"once"]
        far.publish("up/end", b"end", 2)
        assert near.next().payload == b"end", "messages of both directions must not come round again"
    finally:
        near.stop()
        far.stop()
