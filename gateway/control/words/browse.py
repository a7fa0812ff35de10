"""The command of the control socket that looks into a queue.

A filter may have to look at all of it; the broker goes on with its work between two portions, so that positions are
those of the moment at which each message was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from warren.core.messages.internal_headers import without_internal
from warren.core.queues.browse import Browsed, MessageFilter, browse
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import (
    Answer,
    AsyncHandler,
    Control,
    RefusedError,
    Request,
    Row,
    existing_vhost,
    table,
)

COUNT_DEFAULT: Final = 10
COUNT_MAX: Final = 1000
"""Bodies may be large, and the answer is one line of JSON."""

BODY_BYTES_SHOWN: Final = 4096
"""The beginning of a body says what it is; who wants all of it consumes the message."""

PROPERTIES: Final = (
    "app_id",
    "content_encoding",
    "content_type",
    "correlation_id",
    "delivery_mode",
    "expiration",
    "message_id",
    "priority",
    "reply_to",
    "timestamp",
    "type",
    "user_id",
)

COLUMNS: Final = ("position", "redelivered", "exchange", "routing_key", "properties", "body_bytes", "body")

FILTER_SYNTAX: Final = (
    "a filter is exchange=NAME, routing_key=KEY, body=PART, header.NAME=VALUE or a property such as message_id=VALUE"
)


async def _browse_queue(control: Control, request: Request) -> Answer:
    vhost = existing_vhost(control, request.vhost)
    name, *rest = request.arguments
    numbers = rest[:2]
    start = _number(numbers[0], "position") if numbers else 0
    count = _number(numbers[1], "number of messages") if len(numbers) > 1 else COUNT_DEFAULT
    if not 0 < count <= COUNT_MAX:
        raise RefusedError(f"{count} is no number of messages from 1 to {COUNT_MAX}", codes.USAGE)
    wanted = _filter(rest[2:])
    queue = vhost.queues.get(name)
    if queue is None:
        raise RefusedError(f"no queue '{name}' in vhost '{vhost.name}'", codes.DATA)
    found: list[Browsed] = []
    position = start
    while len(found) < count and position < queue.ready_count:
        more, following = browse(queue, position, count - len(found), wanted)
        found += more
        if following == position:
            break
        position = following
        await trio.lowlevel.checkpoint()
    return table(COLUMNS, [_row(each) for each in found])


def _row(each: Browsed) -> Row:
    message = each.message
    shown = without_internal(message.properties)
    properties = shown.fields()
    if each.failures:
        properties["headers"] = {**(shown.headers or {}), "x-delivery-count": each.failures}
    return {
        "position": each.position,
        "redelivered": each.redelivered,
        "exchange": message.address.exchange,
        "routing_key": message.address.routing_key,
        "properties": properties,
        "body_bytes": message.body_size,
        "body": message.body[:BODY_BYTES_SHOWN].decode("utf-8", "backslashreplace"),
    }


def _filter(words: Sequence[str]) -> MessageFilter:
    """From words such as `routing_key=orders`, all of which have to hold."""
    texts: dict[str, str] = {}
    headers: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.startswith("header.") and name != "header.":
            headers[name.removeprefix("header.")] = value
        elif equals and name in ("exchange", "routing_key", "body", *PROPERTIES):
            texts[name] = value
        else:
            raise RefusedError(f"'{word}' is no filter; {FILTER_SYNTAX}", codes.USAGE)
    return MessageFilter(
        exchange=texts.pop("exchange", None),
        routing_key=texts.pop("routing_key", None),
        body_part=texts.pop("body", "").encode("utf-8", "surrogateescape"),
        properties=texts,
        headers=headers,
    )


def _number(text: str, meaning: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise RefusedError(f"'{text}' is no {meaning}", codes.USAGE)
    return int(text)


HANDLERS: dict[str, AsyncHandler] = {"browse_queue": _browse_queue}
"""By word."""
