"""The word that looks into a queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, Row, table
from warren.gateway.control.word import VHOST, Option, word
from warren.gateway.control.words.tail import FROM

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.browse import Browsed, MessageFilter

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

_DIGITS_MAX: Final = 11
"""More digits are no position, and int() needn't see them."""

STREAM_COLUMNS: Final = ("offset", "stored_at", "exchange", "routing_key", "properties", "body_bytes", "body")

COLUMNS: Final = ("position", "redelivered", "exchange", "routing_key", "properties", "body_bytes", "body")

FILTER_SYNTAX: Final = (
    "a filter is exchange=NAME, routing_key=KEY, body=PART, header.NAME=VALUE or a property such as message_id=VALUE"
)


@word(
    "QUEUE [START] [COUNT] [FILTER]...",
    "messages of a queue that wait for a consumer, 10 from the first on unless told otherwise; they stay there; "
    "of a stream: QUEUE [COUNT] [FILTER]... --from OFFSET",
    "Browsing queue '{0}' in vhost '{vhost}' ...",
    options=(VHOST, Option("unacknowledged"), FROM),
    example="tasks 1 5 --unacknowledged",
)
async def browse_queue(control: Control, request: Request) -> Answer:
    """Warren's own; a filter may look at the whole queue.  With `--from` the queue is a stream, and what is shown
    begins there: `browse_queue QUEUE [COUNT] [FILTER]... --from OFFSET`."""
    from warren.gateway.network.browsing import browse_messages

    name, *rest = request.arguments
    if "from" in request.options:
        return await _stream(control, request, name, rest)
    if request.options.get("unacknowledged"):
        if len(rest) > 1:
            raise RefusedError("with --unacknowledged there is nothing but QUEUE [COUNT]", codes.USAGE)
        return await _unacknowledged(control, request, name, _messages_count(rest[0]) if rest else COUNT_DEFAULT)
    numbers = rest[:2]
    start = _number(numbers[0], "position") if numbers else 0
    count = _messages_count(numbers[1]) if len(numbers) > 1 else COUNT_DEFAULT
    found = await browse_messages(
        control.broker,
        control.server.changed,
        request.vhost,
        name,
        start=start,
        count=count,
        wanted=_filter(rest[2:]),
    )
    return table(COLUMNS, [_row(each) for each in found])


@word(
    "QUEUE POSITION",
    "one message of a queue that waits for a consumer, the first has position 1; it stays there",
    "Peeking at queue '{0}' at position '{1}' ...",
    options=(VHOST,),
    example="tasks 1",
)
async def peek(control: Control, request: Request) -> Answer:
    """As rabbitmq-queues does."""
    from warren.gateway.network.browsing import browse_messages

    name, position = request.arguments
    start = _number(position, "position") - 1
    if start < 0:
        raise RefusedError("positions count from 1", codes.USAGE)
    found = await browse_messages(control.broker, control.server.changed, request.vhost, name, start=start, count=1)
    if not found:
        raise RefusedError(f"queue '{name}' has no message at position {position}", codes.DATA)
    row = _row(found[0])
    return table(("keys", "values"), [{"keys": column, "values": row[column]} for column in COLUMNS[1:]])


async def _stream(control: Control, request: Request, name: str, rest: Sequence[str]) -> Answer:
    from datetime import UTC, datetime

    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    if request.options.get("unacknowledged"):
        raise RefusedError("--from and --unacknowledged exclude each other", codes.USAGE)
    has_count = bool(rest) and "=" not in rest[0]
    steps = operations.streams.part(
        control.broker,
        request.vhost,
        name,
        begin=str(request.options["from"]),
        count=_messages_count(rest[0]) if has_count else COUNT_DEFAULT,
        matching=_filter(rest[1:] if has_count else rest),
    )
    found = await in_turns(steps)
    return table(
        STREAM_COLUMNS,
        [
            {
                **_message_row(each),
                "offset": each.sequence,
                "stored_at": datetime.fromtimestamp(each.published_at_ms / 1000, UTC).isoformat(
                    timespec="milliseconds"
                ),
            }
            for each in found.messages
        ],
    )


async def _unacknowledged(control: Control, request: Request, name: str, count: int) -> Answer:
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    steps = operations.queues.unacknowledged(control.broker, request.vhost, name, count=count)
    columns = ("connection", "consumer_tag", "delivery_tag", *COLUMNS[2:])
    found = await in_turns(steps)
    return table(columns, [{**_message_row(each.message), **each._asdict()} for each in found])


def _row(each: Browsed) -> Row:
    return {
        **_message_row(each.message, each.failures),
        "position": each.position,
        "redelivered": each.redelivered,
    }


def _message_row(message: Message, failures: int = 0) -> Row:
    from warren.core.messages.internal_headers import without_internal

    shown = without_internal(message.properties)
    properties = shown.fields()
    if failures:
        properties["headers"] = {**(shown.headers or {}), "x-delivery-count": failures}
    return {
        "exchange": message.address.exchange,
        "routing_key": message.address.routing_key,
        "properties": properties,
        "body_bytes": message.body_size,
        "body": message.body[:BODY_BYTES_SHOWN].decode("utf-8", "backslashreplace"),
    }


def _filter(conditions: Sequence[str]) -> MessageFilter:
    """From words such as `routing_key=orders`, all of which have to hold."""
    from warren.core.queues.browse import MessageFilter

    texts: dict[str, str] = {}
    headers: dict[str, str] = {}
    for given in conditions:
        name, equals, value = given.partition("=")
        if equals and name.startswith("header.") and name != "header.":
            headers[name.removeprefix("header.")] = value
        elif equals and name in ("exchange", "routing_key", "body", *PROPERTIES):
            texts[name] = value
        else:
            raise RefusedError(f"'{given}' is no filter; {FILTER_SYNTAX}", codes.USAGE)
    return MessageFilter(
        exchange=texts.pop("exchange", None),
        routing_key=texts.pop("routing_key", None),
        body_part=texts.pop("body", "").encode("utf-8", "surrogateescape"),
        properties=texts,
        headers=headers,
    )


def _messages_count(text: str) -> int:
    count = _number(text, "number of messages")
    if not 0 < count <= COUNT_MAX:
        raise RefusedError(f"{count} is no number of messages from 1 to {COUNT_MAX}", codes.USAGE)
    return count


def _number(text: str, meaning: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise RefusedError(f"'{text}' is no {meaning}", codes.USAGE)
    return int(text)
