"""The source queue as a shovel's buffer: quotas, and publishes that are answered when the destination has the message.

What is wanted is known from the definitions alone, so it counts before anybody is connected (`reconcile`, at the start
of the broker and of the plugin), while there is no connection to the destination, and for a queue that isn't there yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.errors import BrokerError
from warren.core.queues.buffer import Buffer, end_buffer, use_buffer
from warren.core.queues.withheld import Withheld

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.plugins.shovel.buffer_definition import BufferDefinition

_OWNER_PREFIX = "shovel "


def owner_of(vhost: str, name: str) -> str:
    """How a shovel is called as the owner of a buffer.  vhost: that it is declared in."""
    return f"{_OWNER_PREFIX}'{name}' of virtual host '{vhost}'"


def begin_buffer(broker: Broker, owner: str, wanted: BufferDefinition) -> Withheld | None:
    """Have the queue be the shovel's buffer; what withholds its answers.

    Raises BrokerError when there is no such virtual host, or the queue can't be.
    """
    vhost = broker.vhost(wanted.vhost)
    before = vhost.buffers.get(wanted.queue)
    withheld = None
    if wanted.confirm_upstream:
        kept = before.withheld if before is not None and before.owner == owner else None
        withheld = kept or Withheld()
    buffer = Buffer(owner, wanted.length_max, wanted.bytes_max, wanted.overflow, withheld)
    if buffer != before:
        use_buffer(vhost, wanted.queue, buffer)
    return withheld


def reconcile(broker: Broker, wanted: Mapping[str, BufferDefinition]) -> None:
    """Make buffers of the queues that shovels want, by the shovels' owners; all others of shovels end.

    What can't be is left out: the shovel itself will say why.
    """
    for vhost in broker.vhosts.values():
        for queue, buffer in list(vhost.buffers.items()):
            found = wanted.get(buffer.owner)
            if buffer.owner.startswith(_OWNER_PREFIX) and (
                found is None or (found.vhost, found.queue) != (vhost.name, queue)
            ):
                end_buffer(vhost, queue, buffer.owner)
    for owner, each in wanted.items():
        try:
            begin_buffer(broker, owner, each)
        except BrokerError:
            continue


def finish_buffer(broker: Broker, owner: str, definition: BufferDefinition) -> None:
    """The shovel is gone, or wants another queue: publishers that still wait are refused."""
    vhost = broker.vhosts.get(definition.vhost)
    if vhost is not None:
        end_buffer(vhost, definition.queue, owner)
