"""Whether a plugin may be enabled, or disabled, while the broker runs: nothing that there is may lose what it rests on.

authentication back-ends    a start puts them in a row, so their plugin comes and goes with one
queue types                 a queue whose type was missing at the start is back with the next one; a type that a
                            queue is of doesn't go
exchange types              the same; definitions of a missing type are kept apart until the next start
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import StorageError
from warren.core.queues.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.broker import Broker
    from warren.gateway.plugin import Plugin

ADVICE: Final = "with --offline it counts from the next start on"


def check_enabling(plugin: type[Plugin], broker: Broker) -> None:
    """Raise StorageError where it can't be enabled now."""
    _check_back_ends(plugin)
    types = {each.type_name for each in plugin.queue_types}
    for vhost in broker.vhosts.values() if types else ():
        for queue in vhost.queues.values():
            if isinstance(queue, Unavailable) and queue.missing_type in types:
                raise StorageError(f"{queue.description} waits for the plugin '{plugin.name}' and a start: {ADVICE}")


def check_disabling(plugin: type[Plugin], broker: Broker) -> None:
    """Raise StorageError where it can't be disabled now."""
    _check_back_ends(plugin)
    for description, type_name in _in_use(plugin, broker):
        text = f"{description} is of the type '{type_name}', which the plugin '{plugin.name}' brings"
        raise StorageError(f"{text}; delete it, or {ADVICE}")


def _check_back_ends(plugin: type[Plugin]) -> None:
    if plugin.back_ends:
        names = ", ".join(plugin.back_ends)
        raise StorageError(
            f"the plugin '{plugin.name}' brings authentication back-ends ({names}), and who knows users is decided "
            f"when the broker starts: {ADVICE}"
        )


def _in_use(plugin: type[Plugin], broker: Broker) -> Iterator[tuple[str, str]]:
    """What there is of its types: a description, and the type."""
    queue_types, exchange_types = tuple(plugin.queue_types), tuple(plugin.exchange_types)
    for vhost in broker.vhosts.values() if queue_types or exchange_types else ():
        for queue in vhost.queues.values():
            if isinstance(queue, queue_types):
                yield queue.description, queue.type_name
        for exchange in vhost.exchanges.values():
            if isinstance(exchange, exchange_types):
                yield f"exchange '{exchange.name}' in vhost '{vhost.name}'", exchange.type_name
