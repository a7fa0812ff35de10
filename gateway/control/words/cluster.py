"""Words on a cluster, and what a broker by itself answers: it is all there is, and nobody's majority rests on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, table, value
from warren.gateway.control.word import VHOST, Option, Remote, word

if TYPE_CHECKING:
    from warren.core.queues.base import Queue
    from warren.gateway.cluster.node import ClusterNode

ALONE: Final = "this is the only node, so that nobody's majority rests on it"

PATTERN: Final = Option("pattern", "PATTERN")
ACROSS_ALL: Final = Option("across_all_vhosts")
QUEUE_PATTERN: Final = Option("queue_pattern", "PATTERN")
VHOST_PATTERN: Final = Option("vhost_pattern", "PATTERN")

OF_QUORUM: Final = "quorum"

QUEUES_PER_SLICE: Final = 10_000
"""Counted in one go: a millisecond or two."""


@word(
    "", "the cluster: its name, its nodes, and whose its shards are", "Cluster status of the broker on {directory} ..."
)
async def cluster_status(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, by the same names."""
    from warren.core.administration import operations
    from warren.gateway.facts import node_name
    from warren.gateway.listening import listeners
    from warren.gateway.version import WARREN_VERSION

    broker, member = control.broker, _member(control)
    node = node_name() if member is None else member.name
    name = operations.overview.cluster_name(broker) or _configured_name(control)
    there = [
        {"node": node, "interface": each.host, "port": each.port, "protocol": each.protocol, "purpose": each.purpose}
        for each in listeners(control.server.listening)
    ]
    maintenance = "under maintenance" if control.server.accepting.suspended else "not under maintenance"
    versions: dict[str, object] = {
        node: {"warren_version": WARREN_VERSION, "rabbitmq_version": control.product_version}
    }
    found = {
        "cluster_name": name,
        "disk_nodes": [node],
        "ram_nodes": [],
        "running_nodes": [node],
        "partitions": {},
        "versions": versions,
        "alarms": [{"node": node, "resource": each} for each in broker.alarms.raised()],
        "listeners": {node: there},
        "maintenance_status": {node: maintenance},
        "feature_flags": [],
    }
    if member is not None:
        names = sorted(member.nodes) or [member.name]
        versions.update(
            (each.name, {"warren_version": each.version}) for each in member.nodes.values() if each.name != node
        )
        status, words = await member.status()
        found |= {"disk_nodes": names, "running_nodes": names, "cluster": status}
        return value(found, "\n".join([f"Cluster name: {name}", *words]))
    lines = [
        f"Cluster name: {name}",
        f"Running nodes: {node} ({maintenance})",
        f"Versions: Warren {WARREN_VERSION}",
        f"Alarms: {', '.join(broker.alarms.raised()) or 'none'}",
        "Listeners:",
        *(f"  {each['interface']}, port {each['port']}, {each['protocol']} ({each['purpose']})" for each in there),
    ]
    return value(found, "\n".join(lines))


def _member(control: Control) -> ClusterNode | None:
    """This node of a cluster; None for a broker by itself, which imports nothing of this."""
    return cast("ClusterNode | None", control.broker.cluster)


async def _rebalanced(member: ClusterNode) -> Answer:
    from warren.core.errors import StorageError

    try:
        counts = await member.rebalanced()
    except StorageError as error:
        raise RefusedError(str(error), codes.TEMPORARY_FAILURE) from None
    rows = [{"Node name": name, "Number of shards": count} for name, count in counts.items()]
    return table(("Node name", "Number of shards"), rows)


@word(
    "NODE",
    "delete the durable queues that a node had by itself, which has left the cluster for good; its messages are lost",
    "Removing node {0} from the cluster ...",
    example="n3",
)
async def forget_cluster_node(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does: the node has to be stopped."""
    from warren.core.errors import StorageError

    (name,) = request.arguments
    member = _member(control)
    if member is None:
        raise RefusedError(f"there is no node '{name}': this broker is in no cluster", codes.SOFTWARE)
    try:
        count = await member.forget(name)
    except StorageError as error:
        raise RefusedError(str(error), codes.TEMPORARY_FAILURE) from None
    return value({"deleted_queues": count}, f"Node '{name}' is forgotten; {count} queues of its own are deleted")


@word("NAME", "give the cluster another name", "Setting cluster name to {0} ...", example="factory-1")
def set_cluster_name(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.overview.set_cluster_name(control.broker, request.arguments[0])
    return done()


@word(
    "COUNT",
    "succeed if so many nodes are there: of a broker by itself one is",
    "Waiting for {0} nodes ...",
    remote=Remote.MANAGEMENT,
    example="1",
)
def await_online_nodes(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, but it doesn't wait for nodes that aren't there yet."""
    (text,) = request.arguments
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RefusedError(f"'{text}' is no number of nodes", codes.DATA)
    member = _member(control)
    if member is not None and int(text) > len(member.nodes):
        raise RefusedError(f"{len(member.nodes)} nodes are there, not {text}", codes.TEMPORARY_FAILURE)
    if member is None and int(text) > 1:
        raise RefusedError(f"there is one node, and there will be no {text}", codes.TEMPORARY_FAILURE)
    return done()


@word("", "succeed if no queue's majority would be lost with this node", remote=Remote.MANAGEMENT)
def check_if_node_is_quorum_critical(control: Control, request: Request) -> Answer:
    """As rabbitmq-queues does of a single node."""
    return _alone()


@word("", "the same of mirrors, which there are none of", remote=Remote.MANAGEMENT)
def check_if_node_is_mirror_sync_critical(control: Control, request: Request) -> Answer:
    """As rabbitmq-queues does of a single node."""
    return _alone()


@word("", "succeed if queues have more than a majority: of one node, always", remote=Remote.MANAGEMENT)
def await_online_quorum_plus_one(control: Control, request: Request) -> Answer:
    """As rabbitmq-upgrade does of a single node."""
    return _alone()


@word(
    "",
    "succeed if every quorum queue has a leader; --pattern and --across-all-vhosts say of which",
    options=(VHOST, PATTERN, ACROSS_ALL),
    remote=Remote.MANAGEMENT,
    example="--across-all-vhosts",
)
def check_for_quorum_queues_without_an_elected_leader(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does: a queue that is there is led by this node."""
    from warren.core.administration import operations

    if not request.options.get(ACROSS_ALL.name):
        operations.vhosts.existing(control.broker, request.vhost)
    return value({"result": "ok"}, "Every quorum queue has a leader")


@word("", "succeed if definitions are loaded", remote=Remote.MANAGEMENT)
def check_if_metadata_store_is_initialized(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does: a broker that answers has loaded them."""
    return value({"result": "ok"}, "Definitions are loaded")


@word("", "the same", remote=Remote.MANAGEMENT)
def check_if_metadata_store_is_initialized_with_data(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    return value({"result": "ok"}, "Definitions are loaded")


@word(
    "QUEUE",
    "the members of a quorum queue: the node that has it",
    "Status of quorum queue {0} ...",
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="tasks",
)
def quorum_status(control: Control, request: Request) -> Answer:
    """As rabbitmq-queues does.  There is no log of Raft, so its numbers are missing."""
    from warren.core.administration.listing.queues import QueueRow
    from warren.gateway.facts import node_name

    node = QueueRow(_quorum_queue(control, request)).value("node")
    if control.broker.cluster is None:
        node = node_name()
    row = {"Node Name": node, "Raft State": "leader", "Membership": "voter"}
    return table(tuple(row), [row] if node else [])


@word(
    "TYPE",
    "have the nodes of a cluster give away the shards that others should have; a broker by itself has nothing to do",
    "Re-balancing leaders of {0} queues ...",
    options=(QUEUE_PATTERN, VHOST_PATTERN),
    example="quorum",
)
async def rebalance(control: Control, request: Request) -> Answer:
    """As rabbitmq-queues does: how many there are on each node."""
    import trio

    from warren.gateway.facts import node_name

    (kind,) = request.arguments
    if kind not in ("all", "classic", "quorum", "stream"):
        raise RefusedError(f"'{kind}' is no type of queues: all, classic, quorum or stream", codes.DATA)
    member = _member(control)
    if member is not None and kind != "stream":
        return await _rebalanced(member)
    count = 0
    for vhost in list(control.broker.vhosts.values()):
        queues = list(vhost.queues.values())
        for first in range(0, len(queues), QUEUES_PER_SLICE):
            count += sum(queue.type_name == OF_QUORUM for queue in queues[first : first + QUEUES_PER_SLICE])
            await trio.lowlevel.checkpoint()
    row = {"Node name": node_name(), "Number of quorum queues": count, "Number of replicated classic queues": 0}
    return table(tuple(row), [row])


@word(
    "QUEUE",
    "nothing: a quorum queue keeps no more in memory than it has to",
    "Reclaiming memory of quorum queue {0} ...",
    options=(VHOST,),
    example="tasks",
)
def reclaim_quorum_memory(control: Control, request: Request) -> Answer:
    """As rabbitmq-queues: it has to be a quorum queue."""
    _quorum_queue(control, request)
    return done()


def _quorum_queue(control: Control, request: Request) -> Queue:
    from warren.core.administration import operations

    name = request.arguments[0]
    queue = operations.queues.existing(control.broker, request.vhost, name)
    if queue.type_name != OF_QUORUM:
        raise RefusedError(f"queue '{name}' is a {queue.type_name} queue, not a quorum queue", codes.SOFTWARE)
    return queue


def _configured_name(control: Control) -> str:
    from warren.adapters.amqp091.settings import Amqp091Settings

    return control.config.section(Amqp091Settings).cluster_name


def _alone() -> Answer:
    return value({"result": "ok", "message": ALONE}, ALONE)
