"""Whether a queue is replicated, and whether its policy wants it otherwise, in words for listings.

Where a queue is was decided when it was declared; a policy that asks for replicas later changes nothing of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.cluster.away import home_of
from warren.core.cluster.sharing import CLASSIC, is_replicated, is_shared_queue
from warren.core.policies.settings import asks_for_replicas

if TYPE_CHECKING:
    from warren.core.queues.base import Queue

REPLICATED: Final = "replicated"
NOT_REPLICATED: Final = "none"
WANTED: Final = "none; its policy asks for it, and takes effect where a queue is declared anew"
OLDER: Final = "none; it is older than the cluster, and is replicated where it is declared anew"
UNWANTED: Final = "replicated; its policy doesn't ask for it any more"


def replication_of(queue: Queue) -> str:
    """One of the words above, for a queue of a node of a cluster."""
    asked = asks_for_replicas(queue.effective_policy)
    if queue.of_cluster and not home_of(queue):
        return UNWANTED if queue.type_name == CLASSIC and not asked else REPLICATED
    if is_shared_queue(queue) and is_replicated(queue.type_name, queue.effective_policy):
        return WANTED if asked else OLDER
    return NOT_REPLICATED
