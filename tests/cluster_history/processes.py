"""Three NATS servers and three nodes, with a proxy between any two of them, each of which can be killed and paused."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from typing import Final

from tests.cluster_history.proxies import LOOPBACK, Proxy
from tests.support.cluster import linked_options
from tests.support.nats_servers import NatsServer, answers
from tests.support.ports import free_ports
from tests.support.warren_process import WarrenProcess, start_warren

SIZE: Final = 3
NAMES: Final = tuple(f"n{number + 1}" for number in range(SIZE))
SHARDS: Final = 4

UNREACHED: Final = f'no_advertise: true, advertise: "{LOOPBACK}:1"'
"""Of each server: the others and the nodes reach it by the proxies that they are told, and nowhere else."""

_WHO: Final = re.compile(rb"node (n\d)")


class Processes:
    """See the head of this file; `processes` makes them.

    nodes: those that run, by name.  routes: by two servers' numbers; clients: by a node's name and a server's number;
    links: by the name of the node that is reached, where pairs are the names of those that reach it.  fronts: by the
    name of the node that is used, for those who use it.
    """

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self.nodes: dict[str, WarrenProcess] = {}
        ports = free_ports(2 * SIZE + SIZE)
        self._link_ports = dict(zip(NAMES, ports[2 * SIZE :], strict=True))
        self.routes = {pair: Proxy(ports[SIZE + pair[1]]) for pair in permutations(range(SIZE), 2)}
        self.clients = {(name, number): Proxy(ports[number]) for name in NAMES for number in range(SIZE)}
        self.links = {name: Proxy(port, _asking) for name, port in self._link_ports.items()}
        self.fronts = {name: Proxy(0) for name in NAMES}
        self.servers = [
            NatsServer(
                parent,
                f"nats{number + 1}",
                (ports[number], ports[SIZE + number]),
                [f'"nats://{LOOPBACK}:{self.routes[pair].port}"' for pair in self.routes if pair[0] == number],
                cluster_lines=UNREACHED,
            )
            for number in range(SIZE)
        ]

    def start_servers(self) -> None:
        """Until they have a leader."""
        for server in self.servers:
            server.start()
        self.servers[0].wait_until(lambda: answers(self.servers, with_jetstream=True), "a leader of JetStream")

    def start_node(self, name: str) -> None:
        """One that doesn't run."""
        directory = self.parent / name
        directory.mkdir(exist_ok=True)
        servers = ",".join(f"nats://{LOOPBACK}:{self.clients[name, number].port}" for number in range(SIZE))
        options = [
            *("--cluster", servers, "--node-name", name, "--set", f"cluster_shards={SHARDS}"),
            *linked_options(self.parent),
            *("--set", f"cluster_link={LOOPBACK}:{self._link_ports[name]}"),
            *("--set", f"cluster_link_advertised={LOOPBACK}:{self.links[name].port}"),
        ]
        node = start_warren(directory, data_directory=directory / "data", options=options)
        self.fronts[name].target_port = node.amqp_port
        self.nodes[name] = node

    def kill_node(self, name: str) -> None:
        """As a crash does it."""
        self.nodes.pop(name).kill()

    def signal_node(self, name: str, number: signal.Signals) -> None:
        """Pause it, or let it go on."""
        os.kill(self.nodes[name].process.pid, number)

    def end(self) -> None:
        """All of them."""
        for name in list(self.nodes):
            self.kill_node(name)
        for server in self.servers:
            server.stop(0)
        for proxy in (*self.routes.values(), *self.clients.values(), *self.links.values(), *self.fronts.values()):
            proxy.end()


@contextmanager
def processes(parent: Path) -> Iterator[Processes]:
    """All running, until the block ends."""
    found = Processes(parent)
    try:
        found.start_servers()
        for name in NAMES:
            found.start_node(name)
        yield found
    finally:
        found.end()


def _asking(begun: bytes) -> str | None:
    """The node that asks over a link: what it calls its connection while it logs in."""
    match = _WHO.search(begun)
    return match[1].decode() if match is not None else None
