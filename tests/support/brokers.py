"""The brokers that scenario tests run against, behind one small interface."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import child
from tests.support.ctl import ctl
from tests.support.rabbitmq import rabbitmq
from tests.support.warren_process import WarrenProcess, warren_process

BROKER_NAMES = ["warren", "rabbitmq"]

CLUSTER = "cluster"
"""Two nodes of Warren: clients talk to one, and durable queues are on the other."""

REPLICATED = "replicated"
"""The same, and a policy has durable classic queues replicated."""

CLUSTERS = (CLUSTER, REPLICATED)

NODES_READY_S = 60.0
"""Until two nodes know of each other."""

CHANGES = ("add_", "clear_", "delete_", "import_", "set_", "trace_")
"""How words begin that change what the nodes of a cluster share."""

LISTEN = ("amqp=127.0.0.1:0", "stream=127.0.0.1:0")

EXCHANGE_PLUGINS = (
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_sharding",
)
"""What RabbitMQ brings exchange types with that Warren has built in; the last one's is x-modulus-hash."""


@dataclass(frozen=True)
class Broker:
    """A running broker.  `ctl` runs its command-line tool and gives what it prints.

    stream_port: on loopback, of the stream protocol.  others: nodes of the same cluster.
    """

    name: str
    address: tuple[str, int]
    process_id: int
    log: Path
    ctl: Callable[..., str]
    stream_port: int
    others: tuple[Broker, ...] = ()

    @property
    def is_warren(self) -> bool:
        return self.name != "rabbitmq"

    @property
    def is_cluster(self) -> bool:
        return self.name in CLUSTERS

    def log_bytes(self) -> int:
        """How long the log is."""
        return self.log.stat().st_size

    def read_log(self, since_byte: int = 0) -> str:
        """The log, or what was written behind a length that it had."""
        with self.log.open("rb") as file:
            file.seek(since_byte)
            return file.read().decode(errors="replace")

    def queue_names(self) -> list[str]:
        """Every queue of the default vhost."""
        rows = json.loads(self.ctl("list_queues", "name", "--formatter", "json"))
        return [row["name"] for row in rows]


@contextmanager
def run_broker(name: str) -> Iterator[Broker]:
    """A broker with a data directory and ports of its own, for as long as the context lasts."""
    runs: dict[str, Callable[[], AbstractContextManager[Broker]]] = {"warren": run_warren, "rabbitmq": _rabbitmq}
    runs.update({cluster: partial(run_cluster, cluster) for cluster in CLUSTERS})
    with runs[name]() as broker:
        yield broker


@contextmanager
def run_warren(*options: str) -> Iterator[Broker]:
    """A Warren started with these options of `warren serve` beside its usual ones."""
    with warren_process(listen=LISTEN, options=options) as running:
        yield _broker("warren", running)


@contextmanager
def run_cluster(name: str) -> Iterator[Broker]:
    """Two nodes, as the one that clients talk to sees them: it has no shard, and no durable queue; name: of CLUSTERS.

    It is drained, so that what is declared there is placed on the other one, and then lets clients in again.
    """
    # What these import is needed nowhere else.
    from tests.support.cluster import Nodes, linked_options
    from tests.support.nats_servers import nats_cluster, nats_server_path

    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with tempfile.TemporaryDirectory(prefix="warren-") as path:
        directory = Path(path)
        with nats_cluster(directory) as servers, Nodes(directory, servers, LISTEN) as nodes:
            options = linked_options(directory)
            owner = nodes.start("owner", *options)
            asked = nodes.start("asked", *options)
            other, broker = _broker("owner", owner), _broker(name, asked)
            child.wait_until(
                lambda: _names(broker) == ["asked", "owner"], asked.process, asked.log, NODES_READY_S, "owner"
            )
            broker.ctl("drain")
            child.wait_until(lambda: _drained(other), owner.process, owner.log, NODES_READY_S, "that asked is drained")
            broker.ctl("resume_listeners")
            found = replace(broker, ctl=partial(_heard, broker, asked, other, itertools.count(1)), others=(other,))
            if name == REPLICATED:
                # Scenarios' own policies come before it.
                found.ctl(
                    "set_operator_policy", "--apply-to", "queues", "--priority=-1", "ha", "", '{"ha-mode": "all"}'
                )
            yield found


def _heard(broker: Broker, running: WarrenProcess, other: Broker, numbers: Iterator[int], *words: str) -> str:
    """A word of a broker's command-line tool; where it changes what is shared, the other node has it, too, then."""
    said = broker.ctl(*words)
    if words[0].startswith(CHANGES):
        mark = f"heard of change {next(numbers)}."
        broker.ctl("set_global_parameter", "mark", json.dumps(mark))
        child.wait_until(
            lambda: mark in other.ctl("list_global_parameters"), running.process, running.log, NODES_READY_S, mark
        )
    return said


def _names(broker: Broker) -> list[str]:
    """The nodes that one of them knows."""
    return sorted(row["name"] for row in _status(broker)["nodes"])


def _drained(owner: Broker) -> bool:
    """Whether this node has all shards, and knows that the other one takes none."""
    status = _status(owner)
    is_owner = all(row["node"] == "owner" for row in status["shards"])
    return is_owner and any(row["draining"] for row in status["nodes"])


def _status(broker: Broker) -> Any:
    return json.loads(broker.ctl("cluster_status", "--formatter", "json"))["cluster"]


def _broker(name: str, running: WarrenProcess) -> Broker:
    words, addresses = partial(ctl, running.data_directory), running.addresses
    return Broker(name, addresses["amqp"], running.process.pid, running.log, words, addresses["stream"][1])


@contextmanager
def _rabbitmq() -> Iterator[Broker]:
    with rabbitmq(plugins=(*EXCHANGE_PLUGINS, "rabbitmq_stream")) as running:

        def ctl(*words: str) -> str:
            return running.ctl("--quiet", *words)

        address = ("127.0.0.1", running.amqp_port)
        yield Broker("rabbitmq", address, running.process.pid, running.log, ctl, running.ports["stream"])
