"""What of a broker's topology belongs to its whole cluster, and what to one node alone.

Shared are durable exchanges, durable queues with names that clients chose, and bindings between the two.  Node-local
is what goes with a connection or with its last user (exclusive, auto-delete), what doesn't outlive a restart, streams
with all that makes them super streams, and what the broker makes for itself: of none of these could another node know
when it is to go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.policies.settings import asks_for_replicas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Destination
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON

CLASSIC: Final = "classic"
QUORUM: Final = "quorum"
_SHARED_TYPES: Final = frozenset({CLASSIC, QUORUM})

SUPER_STREAM: Final = "x-super-stream"
"""As core.declaring.super_streams has it."""

_OWN_NAMES: Final = "amq."
"""How the names begin that the broker gives."""


def is_shared_exchange(exchange: Exchange) -> bool:
    """Whether it belongs to the cluster; one that every virtual host has anyway doesn't."""
    return not exchange.name.startswith(_OWN_NAMES) and is_on_all_nodes(exchange)


def is_on_all_nodes(exchange: Exchange) -> bool:
    """Whether every node has it: it is shared, or predeclared."""
    is_own = exchange.auto_delete or exchange.made_by_broker or exchange.arguments.get(SUPER_STREAM) is True
    return exchange.durable and not is_own


def is_shared_queue(queue: Queue) -> bool:
    """Whether it belongs to the cluster, wherever its messages are."""
    if queue.of_cluster:
        return True
    return is_shared_declaration(queue.name, queue.type_name, durable=queue.durable, auto_delete=queue.auto_delete)


def is_shared_declaration(name: str, type_name: str, *, durable: bool, auto_delete: bool) -> bool:
    """Whether a queue that is declared so does; an exclusive one isn't `durable`."""
    return durable and not auto_delete and type_name in _SHARED_TYPES and not name.startswith(_OWN_NAMES)


def is_replicated(type_name: str, policy: Mapping[str, JSON]) -> bool:
    """Whether a shared queue of this type is replicated when it is declared under such a policy: a quorum queue always
    is, a classic one where mirrors are asked for.
    """
    return type_name == QUORUM or (type_name == CLASSIC and asks_for_replicas(policy))


def is_shared_binding(source: Exchange, target: Destination) -> bool:
    """Whether a binding between these does."""
    from warren.core.exchanges.base import Exchange

    if not is_on_all_nodes(source):
        return False
    if isinstance(target, Exchange):
        return is_on_all_nodes(target)
    from warren.core.queues.base import Queue

    return isinstance(target, Queue) and is_shared_queue(target)
