"""Looking at the messages of a queue, which stay where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import UNSET

from warren.core.administration import operations
from warren.core.administration.definitions_json.field_values import to_json
from warren.core.messages.internal_headers import without_internal
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.endpoints.messages import payload_text
from warren.plugins.management.errors import bad_request

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message

COUNT_DEFAULT: Final = 50
COUNT_MAX: Final = 1000
"""Messages on a page."""

NUMBER_DIGITS_MAX: Final = 12
"""More digits are no position."""

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
    "Look at messages, which stay in the queue: ?offset=0&count=50&truncate=BYTES; ?state=unacknowledged for those "
    "that consumers have.",
    answer=BrowsedPage,
)
async def browse_messages(call: Call) -> object:
    offset = _number(call, "offset", 0)
    count = _number(call, "count", COUNT_DEFAULT)
    truncate = _number(call, "truncate", None)
    state = call.query.get("state", READY)
    if offset is None or count is None or not 1 <= count <= COUNT_MAX:
        raise bad_request(f"count must be a number from 1 to {COUNT_MAX}")
    where = (call.broker, call.vhost, call.path["queue"])
    user = call.user.name
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
    page = await in_turns(operations.queues.page(*where, start=offset, count=count, user=user))
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


def _number(call: Call, name: str, default: int | None) -> int | None:
    text = call.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        raise bad_request(f"{name} must be a number from 0 on, not '{text:.50}'")
    return int(text)
