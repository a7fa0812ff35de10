"""What the process's memory is used for, as far as the broker knows: messages of queues, and retained ones."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.place import world_of
from warren.core.administration.steps import Steps

if TYPE_CHECKING:
    from warren.core.broker import Broker

QUEUES: Final = "queue_procs"
QUORUM_QUEUES: Final = "quorum_queue_procs"
OTHER_QUEUES: Final = "plugins"
RETAINED: Final = "retained_messages"
REST: Final = "other_system"
"""The parts: RabbitMQ's names of what comes nearest, and one of Warren's own."""

_BY_TYPE: Final = {"classic": QUEUES, "quorum": QUORUM_QUEUES}

MEMORY_PARTS: Final = {
    QUEUES: "Messages of classic queues.",
    QUORUM_QUEUES: "Messages of quorum queues.",
    OTHER_QUEUES: "Messages of other types of queues, such as MQTT sessions'.",
    RETAINED: "Bodies of retained messages.",
    REST: "Everything else: the program, connections, definitions.",
}
"""What each is, in the order in which they are shown."""

QUEUES_PER_SLICE: Final = 500
"""A microsecond or two each."""


def memory_breakdown(broker: Broker, used_bytes: int) -> Steps[dict[str, int]]:
    """The parts in bytes, which add up to `used_bytes`, what the process has, where that is at least what is known."""
    return Steps(_breakdown(broker, used_bytes))


def _breakdown(broker: Broker, used_bytes: int) -> Generator[None, None, dict[str, int]]:
    found = dict.fromkeys(MEMORY_PARTS, 0)
    seen = 0
    world = world_of(broker)
    for vhost in list(broker.vhosts.values()):
        for queue in list(vhost.queues.values()):
            found[_BY_TYPE.get(queue.type_name, OTHER_QUEUES)] += queue.resident_bytes
            seen += 1
            if seen % QUEUES_PER_SLICE == 0:
                yield
        found[RETAINED] += world.of(vhost).retained.body_bytes
    found[REST] = max(used_bytes - sum(found.values()), 0)
    return found
