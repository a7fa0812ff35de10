"""Messages that x-delayed-message exchanges hold."""

from __future__ import annotations

from typing import Final

from warren.core.administration import operations
from warren.core.administration.operations.delayed import PAGED_MAX
from warren.core.errors import NotFound
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.paging import offset_and_count

COUNT_MAX: Final = 1000
"""Messages on a page; each is read from disk."""


class DelayedMessage(objects.Object):
    """deliver_at: when it is due, in milliseconds since 1970.  routing_key, message_id: None where there is none, or
    the message can't be read any more."""

    vhost: str
    exchange: str
    id: str
    deliver_at: int
    routing_key: str | None
    message_id: str | None
    payload_bytes: int


class DelayedPage(objects.Object):
    """Those due first come first.  total: how many there are."""

    items: list[DelayedMessage]
    offset: int
    total: int


@endpoint("GET", "/delayed", "Delayed messages of all virtual hosts: ?offset=0&count=100.", answer=DelayedPage)
async def get_all_delayed(call: Call) -> object:
    return await _page(call)


@endpoint("GET", "/delayed/{vhost}", "Delayed messages of a virtual host: ?offset=0&count=100.", answer=DelayedPage)
async def get_delayed(call: Call) -> object:
    return await _page(call)


@endpoint("DELETE", "/delayed/{vhost}/{exchange}/{id}", "Drop a delayed message.")
async def delete_delayed(call: Call) -> None:
    wanted = call.path["id"]
    cancelled = operations.delayed.cancel(call.broker, call.vhost, call.path["exchange"], [wanted], user=call.user)
    if not cancelled.message_count:
        raise NotFound(f"exchange '{call.path['exchange']}' holds no message '{wanted}' (any more)")
    call.context.changed()


async def _page(call: Call) -> object:
    offset, count = offset_and_count(call, COUNT_MAX, PAGED_MAX)
    found = await in_turns(operations.delayed.pending_in(call.broker, call.vhosts, start=offset, count=count))
    items = [
        {
            "vhost": each.vhost,
            "exchange": each.exchange,
            "id": each.message.id,
            "deliver_at": each.message.due_at_ms,
            "routing_key": each.message.routing_key,
            "message_id": each.message.message_id,
            "payload_bytes": each.message.body_bytes,
        }
        for each in found.messages
    ]
    return {"items": items, "offset": offset, "total": found.total}
