"""What the memory is used for, as far as the broker knows: queues' messages and retained ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.place import world_of
from warren.plugins.metrics.totals import one
from warren.plugins.metrics.walking import ROWS_PER_SLICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.plugins.metrics.encoding import Family
    from warren.plugins.metrics.node import Node

NAMES: Final = {
    "classic": ("memory_classic_queue_erlang_process_bytes", "Messages of classic queues in memory."),
    "quorum": ("memory_quorum_queue_erlang_process_bytes", "Messages of quorum queues in memory."),
    "other": ("memory_plugin_bytes", "Messages of other types of queues, such as MQTT sessions', in memory."),
}
"""RabbitMQ's names of what comes nearest, by queue type."""


def memory_families(node: Node, prefix: str) -> Iterator[Family | None]:
    """The parts, and what is left of the process's memory."""
    broker = node.broker
    held = dict.fromkeys(NAMES, 0)
    for vhost in list(broker.vhosts.values()):
        for number, queue in enumerate(list(vhost.queues.values()), 1):
            held[queue.type_name if queue.type_name in held else "other"] += queue.resident_bytes
            if number % ROWS_PER_SLICE == 0:
                yield None
    for kind, (name, about) in NAMES.items():
        yield one(prefix + name, "gauge", about, held[kind])
    world = world_of(broker)
    retained = sum(world.of(vhost).retained.body_bytes for vhost in broker.vhosts.values())
    yield one("warren_memory_retained_messages_bytes", "gauge", "Bodies of retained messages.", retained)
    rest = max(node.context.resources().memory_used - sum(held.values()) - retained, 0)
    yield one(f"{prefix}memory_other_system_bytes", "gauge", "Everything else.", rest)
