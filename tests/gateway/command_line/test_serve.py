"""`warren serve` as a process: what it says, how it ends, what it refuses, and the commands on the real broker."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from tests.support import ctl as command_line
from tests.support.warren_process import REPOSITORY, WarrenProcess, start_warren


@pytest.fixture
def warren(tmp_path: Path) -> Iterator[WarrenProcess]:
    """A broker that keeps its data in tmp_path/data; it is stopped, and its log must show no traceback."""
    running = start_warren(tmp_path, data_directory=tmp_path / "data")
    try:
        yield running
    finally:
        running.stop()
    assert "Traceback" not in running.log.read_text()


def run(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of `warren ...`; it may not take long."""
    command = [sys.executable, "-m", "warren", *arguments]
    found = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return found.returncode, found.stdout, found.stderr


def ctl(running: WarrenProcess, *arguments: str) -> str:
    """What a command that succeeds prints."""
    return command_line.ctl(running.data_directory, "-q", *arguments)


def answers_on(port: int) -> bool:
    """Whether something listens there and speaks AMQP (it answers a wrong header with the right one)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"AMQP\x00\x00\x09\x09")
            return client.recv(4) == b"AMQP"
    except ConnectionError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    running = start_warren(tmp_path, data_directory=tmp_path / "data")
    try:
        os.kill(running.process.pid, number)
        assert running.process.wait(timeout=60) == 0
    finally:
        running.kill()
    log = running.log.read_text()
    assert "listening for AMQP on 127.0.0.1:" in log
    assert f"got {number.name}" in log
    assert log.endswith("[info] stopped\n")
    assert not (tmp_path / "ready.json").exists()
    assert not (tmp_path / "data" / "control.sock").exists()


def test_a_second_start_is_told_who_is_there(warren: WarrenProcess) -> None:
    code, _, err = run("serve", "--data-dir", str(warren.data_directory), "--listen-only", "amqp=127.0.0.1:0")
    assert code == 75
    assert err.startswith(f"Error: the data directory {warren.data_directory} is in use by another Warren")
    assert f"process {warren.process.pid}," in err
    assert f"listening on amqp 127.0.0.1:{warren.amqp_port}" in err
    assert answers_on(warren.amqp_port)


def test_an_address_that_is_taken(warren: WarrenProcess, tmp_path: Path) -> None:
    address = f"127.0.0.1:{warren.amqp_port}"
    code, _, err = run("serve", "--data-dir", str(tmp_path / "other"), "--listen-only", f"amqp={address}")
    assert code == 78
    assert f"can't listen on amqp={address}: Address already in use" in err
    assert "Traceback" not in err


def test_a_data_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = run("serve", "--data-dir", str(tmp_path / "file"), "--listen-only", "amqp=127.0.0.1:0")
    assert (code, err.count("\n")) == (78, 1)
    assert "file is not a directory" in err


def test_the_command_stop(warren: WarrenProcess) -> None:
    assert ctl(warren, "stop") == ""
    assert warren.process.wait(timeout=60) == 0
    code, _, err = run("ping", "--data-dir", str(warren.data_directory))
    assert (code, "no Warren broker is running on" in err) == (69, True)


def test_users_and_virtual_hosts_outlive_a_kill(tmp_path: Path) -> None:
    running = start_warren(tmp_path, data_directory=tmp_path / "data")
    try:
        ctl(running, "add_user", "ann", "secret")
        ctl(running, "add_vhost", "prod", "--description", "the real one")
        ctl(running, "set_permissions", "-p", "prod", "ann", "^a", "b", ".*")
    finally:
        running.kill()
    again = start_warren(tmp_path, data_directory=tmp_path / "data")
    try:
        assert ctl(again, "authenticate_user", "ann", "secret") == "Success\n"
        assert ctl(again, "list_vhosts", "name", "description", "-s") == "/\t\nprod\tthe real one\n"
        assert ctl(again, "list_permissions", "-p", "prod", "-s") == "ann\t^a\tb\t.*\n"
    finally:
        again.stop()


def test_stop_reset_start(warren: WarrenProcess) -> None:
    """What the test suites of many client libraries do between tests, with rabbitmqctl."""
    ctl(warren, "add_user", "ann", "secret")
    ctl(warren, "stop_app")
    assert not answers_on(warren.amqp_port)
    assert json.loads(ctl(warren, "status", "--formatter", "json"))["running"] is False
    assert run("list_users", "-q", "--data-dir", str(warren.data_directory))[0] == 69
    ctl(warren, "reset")
    ctl(warren, "start_app")
    assert answers_on(warren.amqp_port)
    assert ctl(warren, "list_users", "-s") == "guest\t[administrator]\n"


def test_a_reset_takes_streams_with_it(warren: WarrenProcess) -> None:
    assert warren.data_directory is not None
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", warren.amqp_port)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("s", durable=True, arguments={"x-queue-type": "stream"})
        channel.basic_publish("", "s", b"message")
    streams = warren.data_directory / "streams"
    assert list(streams.iterdir())
    ctl(warren, "stop_app")
    ctl(warren, "reset")
    assert not streams.exists()


def test_reset_while_running_is_refused(warren: WarrenProcess) -> None:
    code, _, err = run("reset", "-q", "--data-dir", str(warren.data_directory))
    assert (code, "stop it first" in err) == (70, True)
    assert answers_on(warren.amqp_port)


def test_in_memory_touches_no_default_directory(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path / "home")}
    running = start_warren(tmp_path, data_directory=None, environment=environment)
    try:
        assert answers_on(running.amqp_port)
    finally:
        assert running.stop() == 0
    assert not (tmp_path / "home").exists()
    assert "in memory only" in running.log.read_text()


def test_configuration_reaches_the_broker(tmp_path: Path) -> None:
    config = tmp_path / "rabbitmq.conf"
    config.write_text(
        "default_user = admin\ndefault_pass = swordfish\nprometheus.path = /figures\n"
        "auth_ldap.servers.1 = ldap.example\ncollect_statistics = fine\n"
    )
    options = ["--config", str(config), "--set", "heartbeat_s=7"]
    environment = {"RABBITMQ_DEFAULT_VHOST": "/start", "WARREN_CHANNEL_MAX": "9"}
    running = start_warren(tmp_path, data_directory=tmp_path / "data", options=options, environment=environment)
    try:
        assert ctl(running, "list_permissions", "-p", "/start", "-s") == "admin\t.*\t.*\t.*\n"
        shown = json.loads(ctl(running, "environment", "--formatter", "json"))
        assert (shown["heartbeat_s"], shown["channel_max"], shown["default_pass"]) == (7, 9, "********")
    finally:
        running.stop()
    log = running.log.read_text()
    assert f"configuration read from {config}" in log
    assert f"[error] SECURITY: {config}: auth_ldap.servers.1: ignored: no LDAP directory is asked" in log
    assert f"[warning] {config}: prometheus.path: ignored: metrics are at /metrics" in log
    assert f"[info] {config}: collect_statistics: ignored: counts are kept as things happen" in log
    assert "swordfish" not in log


def test_the_ready_line_says_what_to_type(tmp_path: Path) -> None:
    directory = tmp_path / "my data"
    kept = start_warren(tmp_path, data_directory=directory)
    kept.stop()
    assert f"control with `warren ctl --data-dir '{directory}'`; Ctrl-C stops it" in kept.log.read_text()


def test_and_that_there_is_nothing_to_type_where_nothing_is_kept(tmp_path: Path) -> None:
    forgetful = start_warren(tmp_path, data_directory=None)
    forgetful.stop()
    assert "so there is no control socket for `warren ctl` (--data-dir DIR beside" in forgetful.log.read_text()
    both = tmp_path / "both"
    both.mkdir()
    with_socket = start_warren(both, data_directory=None, options=["--data-dir", str(both / "data")])
    try:
        line = next(line for line in with_socket.log.read_text().splitlines() if "is ready" in line)
        assert f"in memory only, control with `warren ctl --data-dir {both / 'data'}`" in line
        assert "guest" in command_line.ctl(both / "data", "-q", "list_users")
    finally:
        with_socket.stop()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("sevre", "warren serve"),
        ("plugin", "warren plugins"),
        ("install_shims", "warren install-shims"),
        ("lis_queues", "list_queues"),
        ("Version2", "warren version"),
    ],
)
def test_a_word_mistyped_offers_commands_and_words_alike(typed: str, meant: str) -> None:
    code, _, error = run(typed)
    assert code == 64
    assert error.startswith(f"Error: unknown command '{typed}'; did you mean {meant}"), error
