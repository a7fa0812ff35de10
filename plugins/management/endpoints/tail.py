"""Messages as they come to a queue, an exchange or topics of MQTT, which takes none of them away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import trio
from msgspec import UNSET

from warren.adapters.mqtt.sessions.operations.topic_names import pattern_of
from warren.core.administration import stream_tails
from warren.core.administration.definitions_json.field_values import to_json
from warren.core.administration.operations import vhosts
from warren.core.administration.stream_tails import StreamTail
from warren.core.administration.tails import Tail, Tailed, message_filter
from warren.core.messages.internal_headers import without_internal
from warren.plugins.management import objects
from warren.plugins.management.answers import encode
from warren.plugins.management.endpoint import Call, Streamed, endpoint, exchange_name
from warren.plugins.management.endpoints.messages import payload_text
from warren.plugins.management.errors import bad_request
from warren.plugins.management.paging import number

if TYPE_CHECKING:
    from warren.core.messages.message import Message

TAKEN_AT_ONCE: Final = 50
"""Messages written in one go, before everybody else has a turn."""

ALIVE_S: Final = 15.0
"""So often something is said while nothing comes, so that whatever stands between sees that the connection lives."""

TRUNCATE_DEFAULT: Final = 4096

EVENT_STREAM: Final = "text/event-stream"
JSON_LINES: Final = "application/x-ndjson"

OWN_PARAMETERS: Final = frozenset(
    {"queue", "exchange", "routing_key", "mqtt_topic", "truncate", "count", "seconds", "body", "from"}
)


class TailedMessage(objects.Object):
    """A line: a message as it came, or how many were missed since the last one because nobody read fast enough.

    at: when it came, in milliseconds since 1970.
    """

    at: int | objects.Missing = UNSET
    exchange: str | objects.Missing = UNSET
    routing_key: str | objects.Missing = UNSET
    properties: dict[str, Any] | objects.Missing = UNSET
    payload_bytes: int | objects.Missing = UNSET
    payload: str | objects.Missing = UNSET
    payload_encoding: str | objects.Missing = UNSET
    missed: int | objects.Missing = UNSET


@endpoint(
    "GET",
    "/tail/{vhost}",
    "Messages as they come, one JSON object in a line, or as server-sent events for who accepts those: ?queue=NAME, "
    "?exchange=NAME&routing_key=PATTERN or ?mqtt_topic=FILTER; &body=PART, &header.NAME=VALUE or a property; "
    "&from=OFFSET for a stream, from there on: first, last, next, a number, timestamp=SECONDS or an age such as 1h; "
    "&count=N and &seconds=N end it.",
    answer=TailedMessage,
)
async def get_tail(call: Call) -> Streamed:
    count, seconds = number(call, "count"), number(call, "seconds")
    truncate = number(call, "truncate")
    vhost, tailed, offset = vhosts.existing(call.broker, call.vhost), _tailed(call), call.query.get("from")
    tail = stream_tails.look(vhost, tailed, offset, user=call.user)
    is_event_stream = EVENT_STREAM in call.headers.get("accept", "")
    pieces = _pieces(
        tail,
        count,
        float("inf") if seconds is None else seconds,
        TRUNCATE_DEFAULT if truncate is None else truncate,
        is_event_stream=is_event_stream,
    )
    return Streamed(pieces, EVENT_STREAM if is_event_stream else JSON_LINES, tail.end)


def _tailed(call: Call) -> Tailed:
    query = call.query
    conditions = {name: text for name, text in query.items() if name not in OWN_PARAMETERS or name == "body"}
    wanted = message_filter(conditions)
    if "mqtt_topic" in query:
        if "queue" in query or "exchange" in query:
            raise bad_request("mqtt_topic stands for an exchange: name one of queue, exchange and mqtt_topic")
        exchange, pattern = pattern_of(call.broker, query["mqtt_topic"])
        return Tailed(exchange=exchange, pattern=pattern, wanted=wanted)
    exchange_given = query.get("exchange")
    return Tailed(
        queue=query.get("queue"),
        exchange=None if exchange_given is None else exchange_name(exchange_given),
        pattern=query.get("routing_key", "#"),
        wanted=wanted,
    )


async def _pieces(
    tail: Tail | StreamTail, count: int | None, seconds: float, truncate: int, *, is_event_stream: bool
) -> AsyncIterator[bytes]:
    end_s = trio.current_time() + seconds
    left = count
    yield _alive(is_event_stream)
    while not tail.is_over and left != 0:
        come = trio.Event()
        tail.wake = come.set
        messages, missed = tail.take(TAKEN_AT_ONCE if left is None else min(left, TAKEN_AT_ONCE))
        lines = [encode({"missed": missed})] if missed else []
        lines += [encode(_shown(each, truncate)) for each in messages]
        if left is not None:
            left -= len(messages)
        if lines:
            yield b"".join(b"data: %b\n\n" % line if is_event_stream else line + b"\n" for line in lines)
        elif isinstance(tail, StreamTail) and tail.is_behind:
            # Filters left out many; others have a turn.
            await trio.lowlevel.checkpoint()
        elif trio.current_time() >= end_s:
            return
        else:
            with trio.move_on_at(min(end_s, trio.current_time() + ALIVE_S)) as wait:
                await come.wait()
            if wait.cancelled_caught and trio.current_time() < end_s:
                yield _alive(is_event_stream)


def _alive(is_event_stream: bool) -> bytes:
    """What means nothing to who reads."""
    return b": \n\n" if is_event_stream else b"\n"


def _shown(message: Message, truncate: int) -> dict[str, object]:
    text, encoding = payload_text(message.body[:truncate], "auto")
    properties = without_internal(message.properties).fields()
    return {
        "at": message.published_at_ms,
        "exchange": message.address.exchange,
        "routing_key": message.address.routing_key,
        "properties": {name: to_json(value) for name, value in properties.items()},  # type: ignore[arg-type]
        "payload_bytes": message.body_size,
        "payload": text,
        "payload_encoding": encoding,
    }
