"""A disk that takes no more: publishers wait and declares are refused until there is room; nothing confirmed is lost.

Where a file itself can't grow, which no room on the disk mends, the broker stops loudly, and says what and where.

Two kinds of full: a limit on the size of files (RLIMIT_FSIZE, set on the running process), which works everywhere,
and a small tmpfs where this process may mount one.
"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.broker import CHANNEL, PERSISTENT, Client, Starter, numbered
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import DisconnectedError, SilenceError
from tests.support.warren_process import STOP_GRACE_S, WarrenProcess

MEBIBYTE = 1 << 20

DISK_BYTES = 24 * MEBIBYTE

WITHOUT_ALARM = ("--set", "disk_free_limit_bytes=0")
"""By default the disk alarm blocks publishers long before the disk is full."""

LOST_CONNECTION = (DisconnectedError, ConnectionError)

DECLARATIONS_MAX = 3000


def publish_until_it_ends(client: Client, size: int, count_max: int) -> list[bytes]:
    """Publish until the broker goes away; the bodies that were confirmed."""
    confirmed: list[bytes] = []
    for body in numbered(count_max, size):
        try:
            client.publish("q", [body])
        except LOST_CONNECTION:
            return confirmed
        except AssertionError as error:
            # The broker says goodbye before it ends.
            assert "expected basic.ack on channel 1, got Close(code=320" in str(error)  # noqa: PT017
            return confirmed
        confirmed.append(body)
    raise AssertionError("the disk never got full")


def declare_until_it_ends(client: Client) -> int:
    """Declare queues until the broker goes away; how many were declared."""
    for number in range(DECLARATIONS_MAX):
        try:
            client.declare(f"more.{number}")
        except LOST_CONNECTION:
            return number
        except AssertionError as error:
            assert "got Close(code=320" in str(error)  # noqa: PT017
            return number
    raise AssertionError("the disk never got full")


def client_with_queue(starter: Starter, broker: WarrenProcess) -> Client:
    client = starter.connect(broker)
    client.declare("q")
    return client


def check_confirmed_are_there(there: list[bytes], confirmed: list[bytes]) -> None:
    """All that were confirmed; the one that was under way may be there too."""
    assert there[: len(confirmed)] == confirmed
    assert len(there) <= len(confirmed) + 1


def check_loud_end(starter: Starter, broker: WarrenProcess, where: Path) -> None:
    """It ended by itself, and its last words say what and where."""
    assert broker.process.wait(STOP_GRACE_S) not in (0, None)
    assert "[critical]" in starter.log
    last = starter.log.splitlines()[-1]
    assert last.startswith("Error: ")
    assert str(where) in last


def test_the_message_log_cannot_grow(starter: Starter) -> None:
    broker = starter.start()
    client = client_with_queue(starter, broker)
    client.publish("q", numbered(10))
    resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (2 * MEBIBYTE, 2 * MEBIBYTE))
    confirmed = publish_until_it_ends(client, 64 * 1024, 200)
    assert len(confirmed) > 10
    check_loud_end(starter, broker, starter.data_directory / "messages")
    there = starter.restart_and_take("q")
    check_confirmed_are_there(there, numbered(10) + confirmed)


def test_the_definitions_cannot_grow(starter: Starter) -> None:
    """A declaration that can't be kept is not answered with declare-ok."""
    broker = starter.start()
    client = client_with_queue(starter, broker)
    client.publish("q", numbered(10))
    resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (256 * 1024, 256 * 1024))
    made = declare_until_it_ends(client)
    check_loud_end(starter, broker, starter.data_directory / "definitions.sqlite")
    again = starter.start()
    client = starter.connect(again)
    for number in range(made):
        client.declare(f"more.{number}", passive=True)
    assert client.take_all("q") == numbered(10)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of DISK_BYTES."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this process may not mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={4 * DISK_BYTES}", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all space that is left; removing the file gives it back."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65536)):
                pass
        except OSError:
            pass
    return filler


def publish_until_silence(client: Client, size: int, count_max: int) -> list[bytes]:
    """Publish until no confirm comes; the bodies that were confirmed, and the one that waits."""
    sent: list[bytes] = []
    for body in numbered(count_max, size):
        sent.append(body)
        client.wire.send(wire.publish(CHANNEL, "", "q", body, properties=PERSISTENT))
        try:
            client.wire.expect("basic.ack", CHANNEL)
        except SilenceError:
            return sent
    raise AssertionError("the disk never got full")


def test_on_a_full_disk_publishers_wait_until_there_is_room(starter: Starter, disk: Path) -> None:
    """Without the alarm of a disk that is low, the disk itself says so."""
    broker = starter.start(*WITHOUT_ALARM, data_directory=disk / "data")
    client = client_with_queue(starter, broker)
    sent = publish_until_silence(client, 64 * 1024, 1000)
    assert len(sent) > 10
    assert "[error] the message log in" in starter.log
    assert "Publishing is blocked" in starter.log
    enlarge(disk)
    client.wire.expect("basic.ack", CHANNEL)
    client.publish("q", [b"more"])
    broker.kill()
    again = starter.start(*WITHOUT_ALARM, data_directory=disk / "data")
    assert starter.connect(again).take_all("q") == [*sent, b"more"]


def test_a_start_on_a_full_disk_says_so(tmp_path: Path, disk: Path) -> None:
    fill(disk)
    code, said = Starter(tmp_path).attempt(*WITHOUT_ALARM, data_directory=disk / "data")
    assert code == 78
    assert str(disk / "data") in said.splitlines()[-1]
    assert "Traceback" not in said


def test_a_declaration_on_a_full_disk_is_refused_and_stops_nobody(starter: Starter, disk: Path) -> None:
    broker = starter.start(*WITHOUT_ALARM, data_directory=disk / "data")
    client = client_with_queue(starter, broker)
    client.publish("q", numbered(10))
    filler = fill(disk)
    made = declare_until_refused(client)
    other = starter.connect(broker, confirms=False)
    assert other.declare("q", passive=True) == 10
    filler.unlink()
    other.declare("later")
    broker.kill()
    again = starter.start(*WITHOUT_ALARM, data_directory=disk / "data")
    client = starter.connect(again)
    for name in [*(f"more.{number}" for number in range(made)), "later"]:
        client.declare(name, passive=True)
    assert client.take_all("q") == numbered(10)


def declare_until_refused(client: Client) -> int:
    """Declare queues until one is refused; how many were declared."""
    for number in range(DECLARATIONS_MAX):
        try:
            client.declare(f"more.{number}")
        except AssertionError as error:
            assert "Close(code=406, text='PRECONDITION_FAILED - low on disk" in str(error)  # noqa: PT017
            return number
    raise AssertionError("the disk never got full")


def test_the_disk_alarm_blocks_publishers_before_that(starter: Starter, disk: Path) -> None:
    """50 MB must be free by default, and are not here: nothing is taken until there are."""
    broker = starter.start(data_directory=disk / "data")
    client = client_with_queue(starter, broker)
    client.wire.send(wire.publish(CHANNEL, "", "q", b"early", properties=PERSISTENT))
    with pytest.raises(SilenceError):
        client.wire.read_frame(0.5)
    assert "[warning] disk alarm: publishing is blocked" in starter.log
    assert starter.connect(broker, confirms=False).declare("q") == 0
    enlarge(disk)
    client.wire.expect("basic.ack", CHANNEL)
    assert "[warning] disk alarm cleared" in starter.log
    assert starter.connect(broker).take_all("q") == [b"early"]
