"""The pages: what is in each, and what may be asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.patterns.compiling import check_pattern
from warren.plugins.metrics.groups import CLUSTER_GROUPS, GROUPS, NOT_HERE
from warren.plugins.metrics.logins import DETAILED_FAMILY, SOURCES_FAMILY, login_families, source_families
from warren.plugins.metrics.memory import memory_families
from warren.plugins.metrics.totals import (
    client_families,
    identity,
    link_families,
    node_families,
    own_families,
    queue_families,
    size_families,
    summed_families,
)
from warren.plugins.metrics.walking import families

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from warren.core.patterns.expression import Expression
    from warren.plugins.metrics.encoding import Encoding, Family
    from warren.plugins.metrics.node import Node

PREFIX: Final = "rabbitmq_"
DETAILED_PREFIX: Final = "rabbitmq_detailed_"
CLUSTER_PREFIX: Final = "rabbitmq_cluster_"
"""RabbitMQ's, so that the pages of one broker can be scraped side by side."""

AGGREGATED: Final = "/metrics"
PER_OBJECT: Final = "/metrics/per-object"
DETAILED: Final = "/metrics/detailed"
MEMORY: Final = "/metrics/memory-breakdown"

PAGES: Final = {
    AGGREGATED: "sums over all queues, channels and connections",
    PER_OBJECT: "a series for each of them",
    DETAILED: "what is asked for: ?family=queue_coarse_metrics&vhost=/",
    MEMORY: "what the memory is used for",
}

FAMILIES: Final = {group.name: group for group in (*GROUPS, *CLUSTER_GROUPS)}

OF_LOGINS: Final = (DETAILED_FAMILY, SOURCES_FAMILY)
"""Families that aren't of rows of a listing."""


class PageError(Exception):
    """The request can't be answered.  status: HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def page(
    node: Node, path: str, asked: Mapping[str, Sequence[str]], encoding: Encoding, *, per_object: bool
) -> Iterator[bytes]:
    """The page in pieces, some of them empty: others have their turn after each.

    asked: the query's values by name.  per_object: whether `/metrics` is as `/metrics/per-object`.  Raises PageError at
    once for what can't be answered.
    """
    if path == DETAILED:
        found = _detailed(node, asked)
    elif path == PER_OBJECT or (path == AGGREGATED and per_object):
        found = _per_object(node)
    elif path == AGGREGATED:
        found = _aggregated(node)
    elif path == MEMORY:
        found = _memory(node)
    else:
        raise PageError(404, f"There is nothing at {path!r}; there are {', '.join(PAGES)}.")
    return _encoded(node, found, encoding, with_process=path in (AGGREGATED, PER_OBJECT))


def _aggregated(node: Node) -> Iterator[Family | None]:
    yield from identity(node, "aggregated")
    yield from node_families(node, PREFIX)
    yield from login_families(node.broker, PREFIX)
    yield from size_families(node, PREFIX)
    yield from client_families(node, PREFIX, per_object=False)
    yield from queue_families(node, PREFIX, per_object=False)
    yield from summed_families(node, PREFIX)
    yield from link_families(node, PREFIX)
    yield from own_families(node)
    yield from _of_cluster(node)


def _per_object(node: Node) -> Iterator[Family | None]:
    yield from identity(node, "per-object")
    yield from node_families(node, PREFIX)
    yield from login_families(node.broker, PREFIX)
    yield from size_families(node, PREFIX)
    yield from source_families(node.broker, PREFIX)
    yield from client_families(node, PREFIX, per_object=True)
    yield from queue_families(node, PREFIX, per_object=True)
    shown = [group for group in GROUPS if group.name != "queue_consumer_count"]
    for group in shown:
        yield from families(node.broker, group, PREFIX)
    yield from link_families(node, PREFIX)
    yield from own_families(node)
    yield from _of_cluster(node)


def _of_cluster(node: Node) -> Iterator[Family]:
    cluster = node.broker.cluster
    if cluster is not None:
        from warren.plugins.metrics.cluster import cluster_families

        yield from cluster_families(cluster.figures())


def _memory(node: Node) -> Iterator[Family | None]:
    yield from identity(node, "memory-breakdown")
    yield from memory_families(node, PREFIX)


def _detailed(node: Node, asked: Mapping[str, Sequence[str]]) -> Iterator[Family | None]:
    wanted = list(dict.fromkeys(asked.get("family", ())))
    unknown = [name for name in wanted if name not in (*FAMILIES, *OF_LOGINS) and name not in NOT_HERE]
    if unknown:
        raise PageError(
            400, f"There is no family {', '.join(unknown)}; there are {', '.join((*FAMILIES, *OF_LOGINS))}."
        )
    vhosts = asked.get("vhost")
    names: Expression | None = None
    if "queue" in asked:
        try:
            names = check_pattern(asked["queue"][-1])
        except ValueError as error:
            raise PageError(400, f"{asked['queue'][-1]!r} is no regular expression: {error}.") from None
    if "queue_metrics" in wanted and "queue_consumer_count" in wanted:
        wanted.remove("queue_consumer_count")  # it has nothing that the other one hasn't
    return _families_asked_for(node, wanted, vhosts, names)


def _families_asked_for(
    node: Node, wanted: Sequence[str], vhosts: Sequence[str] | None, names: Expression | None
) -> Iterator[Family | None]:
    yield from identity(node, "detailed")
    for name in wanted:
        if name == DETAILED_FAMILY:
            yield from login_families(node.broker, DETAILED_PREFIX)
        if name == SOURCES_FAMILY:
            yield from source_families(node.broker, DETAILED_PREFIX)
        group = FAMILIES.get(name)
        if group is None:
            continue
        prefix = CLUSTER_PREFIX if group in CLUSTER_GROUPS else DETAILED_PREFIX
        of_queues = names if group.listing == "queues" else None
        yield from families(node.broker, group, prefix, vhosts, of_queues)


def _encoded(node: Node, found: Iterator[Family | None], encoding: Encoding, *, with_process: bool) -> Iterator[bytes]:
    for family in found:
        if family is None:
            yield b""
        else:
            yield from encoding.pieces(family)
    if with_process:
        for metric in node.process_metrics():
            yield encoding.whole(metric)
    yield encoding.end()
