"""Looking at a part of a stream, from any place in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from warren.core.administration import operations
from warren.core.administration.definitions_json.field_values import to_json
from warren.core.messages.internal_headers import without_internal
from warren.core.queues.stream.arguments import OFFSET
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.endpoints.browsing import COUNT_MAX
from warren.plugins.management.endpoints.messages import payload_text
from warren.plugins.management.errors import bad_request
from warren.plugins.management.paging import number, offset_and_count

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message

OFFSETS_END: Final = 2**63 - 1
"""Behind all offsets."""


class StreamMessage(objects.Object):
    """timestamp: when its chunk was stored, in milliseconds since 1970."""

    offset: int
    timestamp: int
    exchange: str
    routing_key: str
    properties: dict[str, Any]
    payload_bytes: int
    payload: str
    payload_encoding: str


class StreamPart(objects.Object):
    """next_offset: where to go on; the end of the stream where it isn't below end_offset, which is the offset that the
    next message will have.  first_offset: the oldest that is kept.  Offsets that are missing between two items can't be
    shown: a publisher packed them by a compression that only clients of streams unpack, or they are damaged."""

    items: list[StreamMessage]
    next_offset: int
    first_offset: int
    end_offset: int


@endpoint(
    "GET",
    "/queues/{vhost}/{queue}/stream",
    "Look at messages of a stream: ?from=OFFSET&count=100&truncate=BYTES, where OFFSET is first, last, next, a number, "
    "timestamp=SECONDS, or an age such as 1h; ?before=NUMBER for those before an offset, or end. Batches of "
    "publishers are unpacked.",
    answer=StreamPart,
)
async def browse_stream(call: Call) -> object:
    _, count = offset_and_count(call, COUNT_MAX)
    truncate = number(call, "truncate")
    before = OFFSETS_END if call.query.get("before") == "end" else number(call, "before")
    if before is not None and "from" in call.query:
        raise bad_request("from and before exclude each other")
    await call.place.turn()
    found = await in_turns(
        operations.streams.part(
            call.broker,
            call.vhost,
            call.path["queue"],
            begin=call.query.get("from", "first"),
            before=before,
            count=count,
            user=call.user,
        )
    )
    return {
        "items": [_shown(each, truncate) for each in found.messages],
        "next_offset": found.following,
        "first_offset": found.first,
        "end_offset": found.end,
    }


def _shown(message: Message, truncate: int | None) -> dict[str, object]:
    payload = message.body if truncate is None else message.body[:truncate]
    text, encoding = payload_text(payload, "auto")
    shown = without_internal(message.properties)
    properties = shown.fields()
    headers = {name: each for name, each in (shown.headers or {}).items() if name != OFFSET}
    if headers:
        properties["headers"] = headers
    else:
        properties.pop("headers", None)
    return {
        "offset": message.sequence,
        "timestamp": message.published_at_ms,
        "exchange": message.address.exchange,
        "routing_key": message.address.routing_key,
        "properties": {name: to_json(cast("FieldValue", value)) for name, value in properties.items()},
        "payload_bytes": message.body_size,
        "payload": text,
        "payload_encoding": encoding,
    }
