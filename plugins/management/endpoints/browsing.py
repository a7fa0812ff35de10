"""Looking at the messages of a queue, which stay where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import UNSET

from warren.core.administration import operations
from warren.core.administration.definitions_json.field_values import to_json
from warren.core.messages.internal_headers import without_internal
from warren.gateway.plugin import browse_page, in_turns
from warren.plugins.management import objects
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.endpoints.messages import payload_text
from warren.plugins.management.errors import bad_request
from warren.plugins.management.paging import number, offset_and_count

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message

COUNT_MAX: Final = 1000
"""Messages on a page."""

READY: Final = "ready"
UNACKNOWLEDGED: Final = "unacknowledged"


class BrowsedMessage(objects.Object):
    """state: ready or unacknowledged.  position: of a ready one, from 0 on in the order of delivery.  connection,
    consumer_tag, delivery_tag: who has one that is unacknowledged."""

    state: str
    exchange: str
    routing_key: str
    properties: dict[str, Any]
    payload_bytes: int
    payload: str
    payload_encoding: str
    position: int | objects.Missing = UNSET
    redelivered: bool | objects.Missing = UNSET
    delivery_count: int | objects.Missing = UNSET
    connection: str | objects.Missing = UNSET
    consumer_tag: str | objects.Missing = UNSET
    delivery_tag: int | objects.Missing = UNSET


class BrowsedPage(objects.Object):
    """next_offset: where to go on; the end of the queue where it isn't below messages_ready."""

    items: list[BrowsedMessage]
    offset: int
    next_offset: int
    messages_ready: int
    messages_unacknowledged: int


@endpoint(
    "GET",
    "/queues/{vhost}/{queue}/messages",
    "Look at messages, which stay in the queue: ?offset=0&count=100&truncate=BYTES; ?state=unacknowledged for those "
    "that consumers have.",
    answer=BrowsedPage,
)
async def browse_messages(call: Call) -> object:
    offset, count = offset_and_count(call, COUNT_MAX)
    truncate = number(call, "truncate")
    state = call.query.get("state", READY)
    where = (call.broker, call.vhost, call.path["queue"])
    user = call.user
    await call.place.turn()
    if state == UNACKNOWLEDGED:
        found = await in_turns(operations.queues.unacknowledged(*where, count=count, user=user))
        items = [
            {
                "state": UNACKNOWLEDGED,
                "connection": each.connection,
                "consumer_tag": each.consumer_tag,
                "delivery_tag": each.delivery_tag,
                **_shown(each.message, truncate),
            }
            for each in found
        ]
        queue = operations.queues.existing(*where)
        return _page(items, 0, 0, queue.ready_count, queue.unacked_count)
    if state != READY:
        raise bad_request(f"state must be {READY} or {UNACKNOWLEDGED}")
    page = await browse_page(call.broker, call.context.changed, *where[1:], start=offset, count=count, user=user)
    items = [
        {
            "state": READY,
            "position": each.position,
            "redelivered": each.redelivered,
            "delivery_count": each.failures,
            **_shown(each.message, truncate),
        }
        for each in page.messages
    ]
    return _page(items, offset, page.following, page.ready_count, page.unacked_count)


def _page(
    items: list[dict[str, object]], offset: int, following: int, ready: int, unacknowledged: int
) -> dict[str, object]:
    return {
        "items": items,
        "offset": offset,
        "next_offset": following,
        "messages_ready": ready,
        "messages_unacknowledged": unacknowledged,
    }


def _shown(message: Message, truncate: int | None) -> dict[str, object]:
    payload = message.body if truncate is None else message.body[:truncate]
    text, encoding = payload_text(payload, "auto")
    properties = without_internal(message.properties).fields()
    return {
        "exchange": message.address.exchange,
        "routing_key": message.address.routing_key,
        "properties": {name: to_json(cast("FieldValue", value)) for name, value in properties.items()},
        "payload_bytes": message.body_size,
        "payload": text,
        "payload_encoding": encoding,
    }
