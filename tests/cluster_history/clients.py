"""Clients of a cluster that is being broken: they publish, consume and declare on any node, and note what comes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from tests.cluster_history.ledger import Ledger
from tests.cluster_history.processes import NAMES, Processes
from tests.support.cluster import QUORUM

REPLICATED: Final = ("q0", "q1", "q2")
HOMES: Final = {f"c-{name}": name for name in NAMES}
"""Classic queues, and where they are declared."""

PERSISTENT: Final = pika.BasicProperties(delivery_mode=2)
TROUBLE: Final = (AMQPError, AMQPConnectorException, OSError)
"""What a client is told while the cluster is being broken.  The second one is no AMQPError: a handshake that took too
long."""

AGAIN_S: Final = 0.1
STAYS: Final = 400
"""Messages after which a client goes on on another node, at most."""


class Clients:
    """Threads, until `stop`; publishers end by `stop_publishing`."""

    def __init__(self, cluster: Processes, ledger: Ledger, seed: int) -> None:
        self._cluster = cluster
        self._ledger = ledger
        self._seed = seed
        self._stopping = threading.Event()
        self._no_more = threading.Event()
        self._publishers: list[threading.Thread] = []
        self._others: list[threading.Thread] = []
        self.failures: list[str] = []

    def declare(self) -> None:
        """What all of them use."""
        for queue in REPLICATED:
            with self._channel(NAMES[0]) as channel:
                channel.queue_declare(queue, durable=True, arguments=QUORUM)
        for queue, name in HOMES.items():
            with self._channel(name) as channel:
                channel.queue_declare(queue, durable=True)

    def are_known_at(self, name: str) -> bool:
        """Whether a node has heard of all queues.  Before that it confirms, as any broker does, what leads nowhere."""
        for queue in (*REPLICATED, *HOMES):
            try:
                with self._channel(name) as channel:
                    channel.queue_declare(queue, durable=True, passive=True)
            except TROUBLE:
                return False
        return True

    def start(self) -> None:
        """All of them."""
        for number in range(3):
            self._publishers.append(self._thread(self._publish, f"p{number}", self._no_more))
        for queue in (*REPLICATED, *HOMES):
            self._others.append(self._thread(self._consume, queue, self._stopping))
        self._publishers.append(self._thread(self._change, "definitions", self._no_more))

    def stop_publishing(self) -> None:
        """What is under way ends."""
        self._no_more.set()
        for each in self._publishers:
            each.join()

    def stop(self) -> None:
        """The consumers, too."""
        self._no_more.set()
        self._stopping.set()
        for each in (*self._publishers, *self._others):
            each.join()

    def _thread(self, work: Callable[[str, random.Random], None], name: str, over: threading.Event) -> threading.Thread:
        chance = random.Random(f"{self._seed} {name}")

        def run() -> None:
            while not over.is_set():
                try:
                    work(name, chance)
                except (*TROUBLE, KeyError):
                    over.wait(AGAIN_S)
                except Exception as error:
                    self.failures.append(f"{name}: {error!r}")
                    raise

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    @contextmanager
    def _channel(self, name: str) -> Iterator[BlockingChannel]:
        """Of a node, with confirms.  KeyError for one that doesn't run."""
        assert self._cluster.nodes[name]
        port = self._cluster.fronts[name].port
        connection = pika.BlockingConnection(
            pika.ConnectionParameters(
                "127.0.0.1", port, heartbeat=0, blocked_connection_timeout=60, socket_timeout=20, stack_timeout=30
            )
        )
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel
        finally:
            if connection.is_open:
                connection.close()

    def _publish(self, name: str, chance: random.Random) -> None:
        with self._channel(chance.choice(NAMES)) as channel:
            for _ in range(chance.randrange(STAYS)):
                if self._no_more.is_set():
                    return
                message = self._ledger.publishes(name, chance.choice((*REPLICATED, *HOMES)))
                # Mandatory: what a node knows no queue for is returned, and not confirmed.
                channel.basic_publish("", message.queue, message.body.encode(), PERSISTENT, mandatory=True)
                self._ledger.confirms(message)

    def _consume(self, queue: str, chance: random.Random) -> None:
        with self._channel(chance.choice(NAMES)) as channel:
            channel.basic_qos(prefetch_count=chance.choice((1, 10, 100)))
            left = chance.randrange(1, STAYS)
            for method, _, body in channel.consume(queue, inactivity_timeout=0.5):
                if self._stopping.is_set():
                    return
                if method is None:
                    if not channel.get_waiting_message_count() and not channel.consumer_tags:
                        return  # it was cancelled
                    continue
                message = self._ledger.delivers(queue, body.decode(), redelivered=method.redelivered)
                channel.basic_ack(method.delivery_tag)
                self._ledger.acknowledges(message)
                left -= 1
                if not left:
                    return

    def _change(self, name: str, chance: random.Random) -> None:
        """Definitions, of which each node is to have the same in the end."""
        with self._channel(chance.choice(NAMES)) as channel:
            exchange, queue = f"x{chance.randrange(4)}", f"d{chance.randrange(4)}"
            match chance.randrange(5):
                case 0:
                    channel.exchange_declare(exchange, "topic", durable=True)
                case 1:
                    channel.exchange_delete(exchange)
                case 2:
                    channel.queue_declare(queue, durable=True, arguments=chance.choice((QUORUM, {})))
                case 3:
                    channel.queue_delete(queue)
                case _:
                    channel.queue_bind(queue, exchange, f"k{chance.randrange(4)}")
        self._no_more.wait(AGAIN_S)
