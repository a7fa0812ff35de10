"""The brokers that scenario tests run against, behind one small interface."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.support.ctl import ctl
from tests.support.rabbitmq import rabbitmq
from tests.support.warren_process import warren_process

BROKER_NAMES = ["warren", "rabbitmq"]

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

    stream_port: on loopback, of the stream protocol.
    """

    name: str
    address: tuple[str, int]
    process_id: int
    log: Path
    ctl: Callable[..., str]
    stream_port: int

    @property
    def is_warren(self) -> bool:
        return self.name == "warren"

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
    with {"warren": run_warren, "rabbitmq": _rabbitmq}[name]() as broker:
        yield broker


@contextmanager
def run_warren(*options: str) -> Iterator[Broker]:
    """A Warren started with these options of `warren serve` beside its usual ones."""
    with warren_process(listen=("amqp=127.0.0.1:0", "stream=127.0.0.1:0"), options=options) as running:
        words = partial(ctl, running.data_directory)
        addresses = running.addresses
        yield Broker("warren", addresses["amqp"], running.process.pid, running.log, words, addresses["stream"][1])


@contextmanager
def _rabbitmq() -> Iterator[Broker]:
    with rabbitmq(plugins=(*EXCHANGE_PLUGINS, "rabbitmq_stream")) as running:

        def ctl(*words: str) -> str:
            return running.ctl("--quiet", *words)

        address = ("127.0.0.1", running.amqp_port)
        yield Broker("rabbitmq", address, running.process.pid, running.log, ctl, running.ports["stream"])
