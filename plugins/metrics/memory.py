"""What the memory is used for, under RabbitMQ's names of what comes nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.plugin import MEMORY_PARTS, memory_breakdown
from warren.plugins.metrics.totals import one

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.plugins.metrics.encoding import Family
    from warren.plugins.metrics.node import Node

NAMES: Final = {
    "queue_procs": "memory_classic_queue_erlang_process_bytes",
    "quorum_queue_procs": "memory_quorum_queue_erlang_process_bytes",
    "plugins": "memory_plugin_bytes",
    "other_system": "memory_other_system_bytes",
}
"""By part; others have names of Warren's own."""


def memory_families(node: Node, prefix: str) -> Iterator[Family | None]:
    """The parts, which add up to the process's memory."""
    found = yield from memory_breakdown(node.broker, node.context.resources().memory_used).rest()
    for part, about in MEMORY_PARTS.items():
        name = prefix + NAMES[part] if part in NAMES else f"warren_memory_{part}_bytes"
        yield one(name, "gauge", about, found[part])
