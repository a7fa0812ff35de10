"""Where `warren serve` listens, as strangers would try it: on usual ports, and what it says where they can't be had."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import child, own_network
from tests.support.ctl import ctl
from tests.support.ports import free_ports
from tests.support.warren_process import PYTHON_PATH, READY_TIMEOUT_S, STOP_GRACE_S, WarrenProcess, start_warren

TIME_LIMIT_S = 60

ATTEMPTS_MAX = 5
"""A port that was free when it was offered may be somebody else's by now, and then another one is offered."""

needs_network = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not own_network.is_to_be_had(),
    reason="this machine gives nobody a network of their own (unshare)",
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A $PATH with a `warren` in it, which is this working tree."""
    directory = tmp_path / "bin"
    directory.mkdir()
    program = directory / "warren"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(PYTHON_PATH)} exec {sys.executable} -m warren "$@"\n')
    program.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


def refused(command: Sequence[str], path: str, directory: Path) -> str:
    """What a command says that fails for its configuration."""
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": path, "HOME": str(directory)},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT_S,
    )
    assert (done.returncode, done.stdout) == (78, ""), done.stderr
    return done.stderr


@contextmanager
def started(command: Sequence[str], path: str, directory: Path) -> Iterator[dict[str, list[object]]]:
    """Run a command that starts a broker, until it is ready; the addresses in its ready file.

    Raises child.ChildError, with what it says, when it doesn't start.
    """
    ready, log = directory / "ready.json", directory / "started.log"
    ready.unlink(missing_ok=True)
    environment = {**os.environ, "PATH": path, "HOME": str(directory)}
    process = child.start([*command, "--ready-file", str(ready)], log, environment, directory)
    try:
        child.wait_until(ready.exists, process, log, READY_TIMEOUT_S, "starting Warren")
        yield json.loads(ready.read_text())
    finally:
        child.stop(process, STOP_GRACE_S)


def whole_line(told: str) -> list[str]:
    """The command that the error ends with."""
    found = re.search(r"\nThe whole line:\n    (warren serve .*)\n", told)
    assert found is not None, told
    return shlex.split(found[1])


def in_its_own(*command: str) -> list[str]:
    return [*own_network.IN_ITS_OWN, *command]


@needs_network
def test_one_protocol_moves_and_the_others_stay_where_they_are(tmp_path: Path, path: str) -> None:
    command = in_its_own("warren", "serve", "--in-memory", "--listen", "mqtt=127.0.0.1:1884", "--listen", "stream=none")
    with started(command, path, tmp_path) as addresses:
        ports = {name: address[1] for name, address in addresses.items()}
    of_first_family = {name: port for name, port in ports.items() if "." not in name}
    assert of_first_family == {
        "amqp": 5672,
        "stomp": 61613,
        "mqtt": 1884,
        "ws": 15674,
        "http": 15672,
        "metrics": 15692,
    }


@needs_network
def test_only_what_is_named_is_there(tmp_path: Path, path: str) -> None:
    with started(
        in_its_own("warren", "serve", "--in-memory", "--listen-only", "mqtt=127.0.0.1:1883"), path, tmp_path
    ) as (addresses):
        assert addresses == {"mqtt": ["127.0.0.1", 1883]}


@needs_network
def test_a_second_broker_is_told_all_at_once_and_its_line_works(tmp_path: Path, path: str) -> None:
    """Both of them as `warren serve`, but for the data: what anybody does who tries it twice."""
    with started(in_its_own("warren", "serve", "--data-dir", str(tmp_path / "first")), path, tmp_path) as addresses:
        holder = json.loads((tmp_path / "first" / "warren.lock").read_text())["pid"]
        beside = ["nsenter", "--target", str(holder), "--user", "--preserve-credentials", "--net"]
        second = tmp_path / "second"
        second.mkdir()
        told = refused([*beside, "warren", "serve", "--data-dir", str(second / "data")], path, second)
        assert "\nError: can't listen on 6 of 8 addresses:\n" in told
        for name in ("amqp", "stomp", "mqtt", "stream", "ws"):
            assert (
                f"  {name}=localhost:{addresses[name][1]} (127.0.0.1): Address already in use by another Warren" in told
            )
        assert f"another Warren (process {holder})" in told
        assert "can't listen on http=127.0.0.1:15672: Address already in use; going on without it. Elsewhere" in told
        assert "    --listen ws=localhost:15676 --listen ws=localhost:15677\n" in told
        line = whole_line(told)
        assert line[:4] == ["warren", "serve", "--data-dir", str(second / "data")]
        with started([*beside, *line], path, second) as others:
            assert {name: address[1] for name, address in others.items() if "." not in name} == {
                "amqp": 5673,
                "stomp": 61614,
                "mqtt": 1884,
                "stream": 5553,
                "ws": 15676,
            }


@contextmanager
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 that somebody listens on."""
    with socket.socket() as sock:
        (port,) = free_ports(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen()
        yield sock.getsockname()[1]


@pytest.mark.parametrize("flag", ["--listen", "--listen-only"])
def test_the_line_keeps_what_was_typed(tmp_path: Path, path: str, flag: str) -> None:
    (tmp_path / "warren.toml").write_text('listen = ["amqp=127.0.0.1:0", "mqtt=127.0.0.1:0"]\n')
    with taken() as amqp, taken() as stomp:
        wanted = [f"amqp=127.0.0.1:{amqp}", f"stomp=127.0.0.1:{stomp}", "ws=127.0.0.1:0"]
        line = ["warren", "serve", "--in-memory", "--log-level", "error", "--set", "heartbeat_s=7"]
        line += [part for each in wanted for part in (flag, each)]
        for _ in range(ATTEMPTS_MAX):
            told = refused(line, path, tmp_path)
            assert told.startswith("Error: can't listen on "), told
            line = whole_line(f"{told}\n")
            assert line[:7] == ["warren", "serve", "--in-memory", "--log-level", "error", "--set", "heartbeat_s=7"]
            try:
                with started(line, path, tmp_path) as addresses:
                    names = {"amqp", "stomp", "ws"} | ({"mqtt"} if flag == "--listen" else set())
                    assert set(addresses) == names
                    assert {addresses["amqp"][1], addresses["stomp"][1]}.isdisjoint({amqp, stomp})
                break
            except child.ChildError:
                continue
        else:
            raise AssertionError("no line that was told worked")
    said = f"\nThe same for good, in {tmp_path / 'warren.toml'}:\n    listen_by_protocol = [" in told
    assert said == (flag == "--listen")


def test_passwords_are_not_said_again(tmp_path: Path, path: str) -> None:
    with taken() as port:
        address = f"amqp=127.0.0.1:{port}"
        told = refused(
            ["warren", "serve", "--in-memory", "--set", "default_pass=secret", "--listen-only", address], path, tmp_path
        )
    assert "secret" not in told
    assert "--set default_pass=... " in told


def test_addresses_that_this_machine_has_not(tmp_path: Path, path: str) -> None:
    listen = ["amqp=198.51.100.7:5672", "mqtt=nowhere.invalid:1883"]
    command = ["warren", "serve", "--in-memory", *(part for each in listen for part in ("--listen-only", each))]
    told = refused(command, path, tmp_path)
    assert "amqp=198.51.100.7:5672: Cannot assign requested address: this machine has no address 198.51.100.7. " in told
    assert "this machine knows no address of the name nowhere.invalid." in told
    assert "--listen-only mqtt=localhost:1883" in told


def test_a_port_that_takes_a_right(tmp_path: Path, path: str) -> None:
    lowest = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not lowest.exists() or int(lowest.read_text()) <= 81:
        pytest.skip("anybody may have any port here")
    without = (
        ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"] if not os.geteuid() else []
    )
    told = refused([*without, "warren", "serve", "--in-memory", "--listen-only", "ws=127.0.0.1:81"], path, tmp_path)
    assert "ws=127.0.0.1:81: Permission denied: ports below 1024 need a right. `sudo setcap cap_net_bind_" in told
    assert whole_line(told)[-2] == "--listen-only"


# Who may come


@pytest.fixture
def open_to_others(tmp_path: Path) -> Iterator[WarrenProcess]:
    running = start_warren(tmp_path, data_directory=tmp_path / "the data", listen=["amqp=*:0", "mqtt=127.0.0.1:0"])
    try:
        yield running
    finally:
        running.stop()


NOBODY = "can be reached from other machines, but nobody may log in from there: guest, the only user, may connect from"


def test_a_port_for_others_and_nobody_who_may_come(open_to_others: WarrenProcess, tmp_path: Path, path: str) -> None:
    """The remedy is the line that the log has, with a name; afterwards nothing is said any more."""
    log = open_to_others.log.read_text()
    assert f"[warning] amqp=0.0.0.0:{open_to_others.amqp_port}" in log
    assert f"{NOBODY} this machine alone. Add one: " in log
    assert "mqtt=" not in log, "it is for this machine alone"
    found = re.search(r"Add one: (warren user add NAME --data-dir .*)\n", log)
    assert found is not None
    line = [word.replace("NAME", "ada") for word in shlex.split(found[1])]
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(line, env=environment, input="secret\n", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    open_to_others.stop()
    (tmp_path / "again").mkdir()
    again = start_warren(tmp_path / "again", data_directory=open_to_others.data_directory, listen=["amqp=*:0"])
    try:
        assert "can be reached from other machines" not in again.log.read_text()
        assert ctl(again.data_directory, "-q", "authenticate_user", "ada", "secret") == "Success\n"
    finally:
        again.stop()


@pytest.mark.parametrize(
    ("listen", "options"),
    [
        (["amqp=127.0.0.1:0"], []),
        (["amqp=127.0.0.1:0", "metrics=*:0"], []),
        (["amqp=*:0"], ["--set", "default_user=ada", "--set", "default_pass=secret"]),
        (["amqp=*:0"], ["--set", "loopback_users="]),
    ],
)
def test_nothing_is_said_where_somebody_may_come(tmp_path: Path, listen: list[str], options: list[str]) -> None:
    running = start_warren(tmp_path, data_directory=None, listen=listen, options=options)
    assert running.stop() == 0
    assert "can be reached from other machines" not in running.log.read_text()


def test_what_is_said_where_nothing_is_kept(tmp_path: Path) -> None:
    running = start_warren(tmp_path, data_directory=None, listen=["amqp=*:0"])
    assert running.stop() == 0
    assert f"{NOBODY} this machine alone. As it keeps nothing and has no control socket, start it with a user: " in (
        running.log.read_text()
    )
