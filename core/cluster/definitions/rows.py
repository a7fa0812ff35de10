"""What this node has of what is shared, as rows that are alike on all nodes.

The definition store's rows hold what is this node's own, too: numbers in its message log, the slots of a binding.
Those stay here.  A queue's row says which node has it, or nothing where its messages are replicated: those of quorum
queues, but for one that was there before there was a cluster, and of classic ones that were declared under a policy
which asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, cast

from warren.core.access import accounts, permissions, scram, topic_permissions
from warren.core.administration.parameters import GLOBAL_PARAMETER, PARAMETER
from warren.core.cluster.agreements import Change
from warren.core.cluster.definitions import items
from warren.core.cluster.sharing import is_shared_binding, is_shared_exchange, is_shared_queue
from warren.core.declaring.queues import HOME, OF_CLUSTER
from warren.core.policies.policy import OPERATOR_POLICY, POLICY
from warren.core.routing.vhost_metadata import DELETING

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.exchanges.binding import Destination
    from warren.core.storage.definitions.store import JSON

NODE: Final = HOME
"""In a queue's row: the node that has its messages."""

SCRAM: Final = "scram"
"""In a user's row: what SCRAM needs to know of the password, where that is known."""

ARGUMENTS: Final = "arguments"

_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    items.EXCHANGE: ("id",),
    items.QUEUE: ("id", OF_CLUSTER),
    items.BINDING: ("slots",),
    items.VHOST: (DELETING,),
}
"""What of a row is this node's own, by kind."""

_NOT_COMPARED: Final[Mapping[str, tuple[str, ...]]] = {
    items.QUEUE: (NODE, "user", "user_id"),
    items.USER: (SCRAM, "id"),
}
"""What two nodes may say differently of what is one and the same."""

_KINDS: Final = frozenset(
    {
        accounts.KIND,
        permissions.KIND,
        topic_permissions.KIND,
        PARAMETER,
        GLOBAL_PARAMETER,
        POLICY,
        OPERATOR_POLICY,
        *items.RANKS,
    }
)


def local_rows(broker: Broker, node: str) -> Iterator[Change]:
    """All that is shared, or would be, of what is declared here; in an order in which it can be made."""
    found: list[Change] = []
    verifiers: dict[str, Mapping[str, JSON]] = {}
    for kind, vhost, name, row in broker.definitions.load():
        if kind == scram.KIND:
            verifiers[name] = row
        elif kind in _KINDS and _is_shared(broker, kind, vhost, name, row):
            found.append(Change(kind, vhost, name, shared_row(kind, row, node)))
    found.sort(key=lambda change: items.RANKS[change.kind])
    for change in found:
        if change.kind == items.USER and change.name in verifiers and change.value is not None:
            yield change._replace(value={**change.value, SCRAM: verifiers[change.name]})
        else:
            yield change


def shared_row(kind: str, row: Mapping[str, JSON], node: str) -> dict[str, JSON]:
    """A row of the definition store as all nodes have it.  node: this one's name, for a queue that is here alone."""
    own = _OWN.get(kind, ())
    shared = {key: value for key, value in row.items() if key not in own}
    if kind == items.QUEUE:
        shared[NODE] = str(row.get(HOME, "")) if row.get(OF_CLUSTER) else node
    return shared


def is_same(kind: str, one: Mapping[str, JSON], other: Mapping[str, JSON]) -> bool:
    """Whether two rows say the same of what is shared."""
    ignored = _NOT_COMPARED.get(kind, ())
    return {key: value for key, value in one.items() if key not in ignored} == {
        key: value for key, value in other.items() if key not in ignored
    }


def _is_shared(broker: Broker, kind: str, vhost_name: str, name: str, row: Mapping[str, JSON]) -> bool:
    if kind == items.VHOST:
        return not row.get(DELETING)
    if not vhost_name:
        return True
    vhost = broker.vhosts.get(vhost_name)
    if vhost is None or vhost.deleting:
        return False
    if kind == items.EXCHANGE:
        return name in vhost.exchanges and is_shared_exchange(vhost.exchanges[name])
    if kind == items.QUEUE:
        return name in vhost.queues and is_shared_queue(vhost.queues[name])
    if kind == items.BINDING:
        source = vhost.exchanges.get(str(row["source"]))
        ends = vhost.queues if row["kind"] == "queue" else vhost.exchanges
        target = cast("Mapping[str, Destination]", ends).get(str(row["destination"]))
        return source is not None and target is not None and is_shared_binding(source, target)
    return True
