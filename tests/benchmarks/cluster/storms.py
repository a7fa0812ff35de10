"""Everybody declares at once: what all nodes of a cluster do until they have the same definitions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tests.support.simulated_cluster import Bucket, Node, run
from warren.core.broker import Broker
from warren.core.cluster.definitions.proposals import Write
from warren.core.declaring.actor import Administrator
from warren.core.declaring.bindings import bind
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue
from warren.core.messages.field_table import EMPTY_TABLE_RAW, FieldTable, encode_table

QUORUM: FieldTable = {"x-queue-type": "quorum"}
QUORUM_RAW = encode_table(QUORUM)

HEARD_AT_ONCE = 200
"""Entries of the bucket, in a node's turn."""

ROUNDS_MAX = 1000


class CountingBucket(Bucket):
    """tried, refused: writes.  entry_bytes: of what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = self.refused = self.entry_bytes = 0

    def write(self, write: Write) -> int | None:
        revision = super().write(write)
        self.tried += 1
        self.refused += revision is None
        if revision is not None:
            self.entry_bytes += len(write.key) + len(write.raw or b"")
        return revision


class JoinedNode(Node):
    """One that has joined hears of changes one by one, and looks at all of them only when its watch begins anew."""

    def _look(self) -> None:
        if not self.has_joined:
            super()._look()


@dataclass(frozen=True)
class Storm:
    """definitions: that have come.  writes, refused: tried at the bucket, all nodes together.

    heard_bytes: by each node.  rounds: to the bucket and back, until all know all.  seconds: CPU of each node.
    """

    nodes: int
    definitions: int
    writes: int
    refused: int
    heard_bytes: int
    rounds: int
    seconds: float


def storm(nodes: int, queues: int) -> Storm:
    """So many queues, each node's share declared there at once and then bound; and one exchange by all nodes."""
    bucket = CountingBucket()
    there = [JoinedNode(f"n{number}", bucket) for number in range(nodes)]
    run(*there)
    keys_before = len(bucket.keys)
    bucket.tried = bucket.refused = bucket.entry_bytes = 0
    share = queues // nodes
    rounds = 0
    seconds = 0.0
    for step in (_declare, _bind):
        began = time.process_time()
        for node in there:
            for number in range(share):
                node.ask(f"{step.__name__} {number}", partial(step, name=f"q-{node.name}-{number}"))
            node.ask(f"{step.__name__} x", _exchange)
        rounds += _until_at_rest(there)
        seconds += time.process_time() - began
        for node in there:
            for number in range(share):
                node.answer(f"{step.__name__} {number}")
            node.answer(f"{step.__name__} x")
    for node in there:
        vhost = node.broker.vhosts["/"]
        assert len(vhost.queues) == share * nodes, "not all queues are everywhere"
        assert "x" in vhost.exchanges
        bound = vhost.route("amq.topic", f"q-n{nodes - 1}-{share - 1}").queues
        assert [queue.name for queue in bound] == [f"q-n{nodes - 1}-{share - 1}"], "not all bindings are everywhere"
    return Storm(
        nodes,
        len(bucket.keys) - keys_before,
        bucket.tried,
        bucket.refused,
        bucket.entry_bytes,
        rounds,
        seconds / nodes,
    )


def _until_at_rest(nodes: Sequence[Node]) -> int:
    """How many rounds it took."""
    bucket = nodes[0].bucket
    for number in range(1, ROUNDS_MAX):
        before = bucket.revision
        for node in nodes:
            node.take_writes()
        for node in nodes:
            for _ in range(0, bucket.revision - before + 1, HEARD_AT_ONCE):
                node.deliver(HEARD_AT_ONCE)
        if before == bucket.revision and not any(node.replica.proposals.has_something for node in nodes):
            return number
    raise AssertionError("the cluster doesn't come to rest")


def _declare(broker: Broker, name: str) -> object:
    return declare_queue(_actor(broker), name, durable=True, arguments=QUORUM, arguments_raw=QUORUM_RAW)


def _bind(broker: Broker, name: str) -> None:
    bind(_actor(broker), "queue", name, "amq.topic", name, {}, EMPTY_TABLE_RAW)


def _exchange(broker: Broker) -> object:
    return declare_exchange(_actor(broker), "x", "topic", durable=True)


def _actor(broker: Broker) -> Administrator:
    return Administrator(broker.vhosts["/"])
