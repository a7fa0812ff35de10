"""Mosquitto's command-line clients, and its bridge."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes

from tests.interop.clients import need, run
from tests.mqtt.paho_client import PahoClient, Properties, paho, paho_client
from tests.support import child
from tests.support.ports import free_ports
from tests.support.until import killed_after, until
from tests.support.warren_process import WarrenProcess, start_warren

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


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_wait_for_a_session(port: int, version: str) -> None:
    where = ["-h", "127.0.0.1", "-p", str(port), "-V", version]
    session = [*where, "-c", "-i", f"away-{version}", "-q", "2", "-t", f"waiting/{version}"]
    if version == "mqttv5":
        session += ["-x", "100"]
    run(["mosquitto_sub", *session, "-E"])
    for qos in ("1", "2"):
        run(["mosquitto_pub", *where, "-q", qos, "-t", f"waiting/{version}", "-m", qos])
    assert run(["mosquitto_sub", *session, "-C", "2", "-W", "20"]) == b"1\n2\n"
    run(["mosquitto_sub", *where, "-i", f"away-{version}", "-t", "x", "-E"])


def test_lines_from_a_pipe_to_a_group(port: int) -> None:
    where = ["-h", "127.0.0.1", "-p", str(port), "-V", "mqttv311"]
    group = ["-c", "-q", "1", "-t", "$share/g/lines"]
    for name in ("a", "b"):
        run(["mosquitto_sub", *where, "-i", name, *group, "-E"])
    run(["mosquitto_pub", *where, "-q", "1", "-t", "lines", "-l"], stdin=b"".join(b"%d\n" % n for n in range(10)))
    taken = run(["mosquitto_sub", *where, "-i", "a", *group, "-C", "5", "-W", "20"]).split()
    assert taken == [b"0", b"1", b"2", b"3", b"4"]
    # It had been sent all ten.  What it had no time to acknowledge comes again, behind that what it didn't take.
    with subprocess.Popen(["mosquitto_sub", *where, "-i", "b", *group], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        with killed_after(other):
            while taken[-1] != b"9" and (line := other.stdout.readline()):
                taken.append(line.strip())
        other.kill()
    assert list(dict.fromkeys(taken)) == [b"%d" % number for number in range(10)]
    for name in ("a", "b"):
        run(["mosquitto_sub", *where, "-i", name, "-t", "x", "-E"])


def test_properties(port: int) -> None:
    where = ["-h", "127.0.0.1", "-p", str(port), "-V", "mqttv5", "-t", "properties"]
    properties = ["content-type text/plain", "user-property k 1", "user-property k 2", "response-topic answers/1"]
    carried = [word for each in properties for word in ("-D", "publish", *each.split())]
    run(["mosquitto_pub", *where, "-r", "-m", "x", *carried, "-D", "publish", "message-expiry-interval", "1000"])
    shown = run(["mosquitto_sub", *where, "-C", "1", "-W", "20", "-F", "%C|%P|%R|%p|%r"])
    assert shown == b"text/plain|k:1 k:2|answers/1|x|1\n"
    run(["mosquitto_pub", *where, "-r", "-n"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_killed_client_leaves_its_will(port: int, version: str) -> None:
    where = ["-h", "127.0.0.1", "-p", str(port), "-V", version, "-t", "alive", "-q", "1"]
    will = ["--will-topic", "wills/killed", "--will-payload", "gone", "--will-qos", "2"]
    with paho_client(port, "watch-wills") as watcher:
        watcher.subscribe("wills/#", 2)
        dying = subprocess.Popen(["mosquitto_sub", *where, *will], stdout=subprocess.PIPE)
        assert dying.stdout is not None
        watcher.publish("alive", b"yes", 1, retain=True)
        assert dying.stdout.readline() == b"yes\n"
        dying.kill()
        assert bytes(watcher.next().payload) == b"gone"
        dying.communicate()
        watcher.publish("alive", b"", 1, retain=True)


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


BRIDGE_STATE = "$SYS/broker/connection/+/state"
"""Where a bridge says whether it is connected, unless it is told another topic."""

KEEPS_ITS_SESSION = "remote_username guest\nremote_password guest\nrestart_timeout 1\ncleansession false\n"
"""For a bridge that is to lose nothing, and not to wait long."""


def is_state(message: Any, tmp_path: Path, payload: bytes, *, retain: bool | None = None) -> bool:
    """Whether this is what the test's own bridge says of itself."""
    return (
        message.topic.endswith(f".{tmp_path.name}/state")
        and bytes(message.payload) == payload
        and retain in (None, message.retain)
    )


@contextmanager
def bridged(port: int, tmp_path: Path, settings: str = "") -> Iterator[int]:
    """The port of a mosquitto that is bridged to the broker: `up/#` out, `down/#` in, `both/#` both ways.

    settings: lines of its configuration; without, everything is at its default but what is bridged to what.  The name
    of the connection, which its session goes by, is the test's: a mosquitto that was stopped in between has forgotten
    what its session knows.
    """
    (bridge_port,) = free_ports(1)
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(
        f"listener {bridge_port} 127.0.0.1\nallow_anonymous true\n"
        f"connection {tmp_path.name}\naddress 127.0.0.1:{port}\n"
        f"topic up/# out 2\ntopic down/# in 2\ntopic both/# both 1\n{settings}"
    )
    log = tmp_path / "mosquitto.log"
    program = _mosquitto()
    assert program is not None
    running = child.start([program, "-c", str(configuration), "-v"], log, {}, tmp_path)
    try:
        with paho_client(port, "watch-bridge") as watcher:
            watcher.subscribe(BRIDGE_STATE, 1)
            until(lambda: is_state(watcher.next(), tmp_path, b"1"), lambda _: None)
        child.wait_until(lambda: "Received SUBACK" in log.read_text(), running, log, 20, "subscribing")
        yield bridge_port
    finally:
        child.stop(running, grace_s=5)


@pytest.fixture(
    params=["", "bridge_protocol_version mqttv50\n", "try_private false\n", KEEPS_ITS_SESSION],
    ids=["defaults", "MQTT 5", "not private", "with a session"],
)
def bridge(request: pytest.FixtureRequest, port: int, tmp_path: Path) -> Iterator[int]:
    """The port of a bridged mosquitto."""
    with bridged(port, tmp_path, request.param) as bridge_port:
        yield bridge_port


def test_the_bridges_state_is_retained_and_its_will(port: int, tmp_path: Path) -> None:
    with paho_client(port, "watch-state") as watcher:
        with bridged(port, tmp_path):
            watcher.subscribe(BRIDGE_STATE, 1)
            until(lambda: is_state(watcher.next(), tmp_path, b"1", retain=True), lambda _: None)
        until(lambda: is_state(watcher.next(), tmp_path, b"0"), lambda _: None)
    with paho_client(port, "looks-later") as later:
        later.subscribe(BRIDGE_STATE, 1)
        until(lambda: is_state(later.next(), tmp_path, b"0", retain=True), lambda _: None)


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


def test_the_bridge_bridges_a_crash_of_the_broker(tmp_path: Path) -> None:
    def start(port: int) -> WarrenProcess:
        return start_warren(tmp_path, data_directory=tmp_path / "data", listen=(f"mqtt=127.0.0.1:{port}",))

    session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    session.SessionExpiryInterval = 1000
    broker = start(0)
    port = broker.addresses["mqtt"][1]
    try:
        with (
            bridged(port, tmp_path, KEEPS_ITS_SESSION) as bridge_port,
            paho_client(bridge_port, "far", paho.MQTTv311) as far,
        ):
            with paho_client(port, "near", clean=False, properties=session) as near:
                near.subscribe("up/#", 2)
            far.subscribe("down/#", 2)
            for number in range(30):
                far.publish("up/1", b"%d" % number, 2)
                if number == 10:
                    broker.kill()
                elif number == 20:
                    broker = start(port)
            with paho_client(port, "near", clean=False, properties=session) as near:
                assert near.session_present
                assert [int(near.next().payload) for _ in range(30)] == list(range(30)), "each once, in order"
                near.publish("down/1", b"back", 2)
            assert bytes(far.next().payload) == b"back"
    finally:
        broker.kill()
