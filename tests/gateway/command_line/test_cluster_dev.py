"""`warren cluster dev`: a cluster on one machine by one command, which ends with it and is there again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pika
import pytest

from tests.support.cluster import QUORUM
from tests.support.ctl import ctl
from tests.support.nats_servers import nats_server_path
from tests.support.warren_process import PYTHON_PATH
from warren.gateway.command_line.cluster_dev import LOOPBACK, free_ports, instructions

WAIT_S = 120.0


def command(directory: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "warren", "cluster", "dev", "--directory", str(directory), *options]


@contextmanager
def running(directory: Path, *options: str) -> Iterator[str]:
    """A cluster that is ready, until Ctrl-C; what it has printed."""
    process = subprocess.Popen(
        command(directory, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Ctrl-C stops everything" in line:
                break
        assert "Ctrl-C stops everything" in said, said
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        with process.stdout:
            assert "stopping" in process.stdout.read()
        assert process.wait(WAIT_S) == 0


def port_of(directory: Path, node: str) -> int:
    return int(json.loads((directory / f"{node}.ready.json").read_text())["amqp"][1])


def test_one_command_is_a_cluster_that_is_there_again(tmp_path: Path) -> None:
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    directory = tmp_path / "cluster"
    with running(directory) as said:
        assert f"amqp://guest:guest@{LOOPBACK}:{port_of(directory, 'n3')}/" in said
        nodes = json.loads(ctl(directory / "n1", "cluster_status", "--formatter", "json"))["cluster"]["nodes"]
        assert [each["name"] for each in nodes] == ["n1", "n2", "n3"]
        with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, port_of(directory, "n2"))) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare("q", durable=True, arguments=QUORUM)
            channel.basic_publish("", "q", b"a")
    with (
        running(directory),
        pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, port_of(directory, "n3"))) as connection,
    ):
        channel = connection.channel()
        _, _, body = next(channel.consume("q", auto_ack=True, inactivity_timeout=WAIT_S))
        assert body == b"a"


def runs(pid: int) -> bool:
    """Whether a process is there that isn't only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.limits(seconds=300)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells which processes run by /proc")
def test_where_it_is_killed_what_it_started_ends(tmp_path: Path) -> None:
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    process = subprocess.Popen(
        command(tmp_path / "cluster"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    pids: list[int] = []
    said = ""
    try:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                said += line
                if "kill -9 PID" in line:
                    pids = [int(pid) for pid in re.findall(r"(?:n|nats)\d (\d+)", line)]
                    break
        assert len(pids) == 6, said
        assert all(runs(pid) for pid in pids)
        process.kill()
        process.wait()
        give_up_s = time.monotonic() + WAIT_S
        while any(runs(pid) for pid in pids):
            assert time.monotonic() < give_up_s, "they run still"
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def test_without_a_server_of_nats_it_says_what_to_install(tmp_path: Path) -> None:
    # A Python that has nothing beside it.
    program = (
        f"import sys; sys.executable = {str(tmp_path / 'python')!r}; sys.argv[1:] = ['cluster', 'dev']\n"
        "from warren.gateway.command_line.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 70
    assert done.stderr == "Error: a cluster needs nats-server: pip install 'warren-mq[cluster]'\n"


def test_what_a_node_can_not_do_is_said(tmp_path: Path) -> None:
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    (tmp_path / "file").touch()
    done = subprocess.run(
        command(tmp_path / "file" / "below"),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
    )
    assert done.returncode == 70
    assert "file" in done.stderr


def test_free_ports_are_different_ones() -> None:
    assert len(set(free_ports(5))) == 5


def test_how_to_connect_is_said_of_each_node() -> None:
    ports = {"amqp": 1, "mqtt": 2, "stomp": 3, "http": 4}
    said = instructions({"n1": ports, "n2": {**ports, "amqp": 5}}, {"n1": 77}, Path("/d"))
    assert "n2   amqp://guest:guest@127.0.0.1:5/" in said
    assert "warren ctl --data-dir /d/n1 cluster_status" in said
    assert "n1 77" in said
