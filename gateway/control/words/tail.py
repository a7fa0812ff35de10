"""The word that shows messages as they come.  The client asks again and again; the broker keeps the tail in between."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, Row, value
from warren.gateway.control.word import VHOST, Option, word

if TYPE_CHECKING:
    from warren.core.administration.stream_tails import StreamTail
    from warren.core.administration.tails import Tail, Tailed
    from warren.core.deadlines import Deadline
    from warren.core.messages.message import Message

TAKEN_AT_ONCE: Final = 100
"""Messages in one answer."""

WAIT_S: Final = 1.0
"""How long an answer waits for a message."""

KEPT_S: Final = 20
"""A tail that nobody asks about for so long ends."""

BODY_BYTES_SHOWN: Final = 4096

KINDS: Final = ("queue", "exchange", "topic")

AS: Final = Option("as", "queue|exchange|topic")
TOKEN: Final = Option("token", "TOKEN")
COUNT: Final = Option("count", "NUMBER")
FROM: Final = Option("from", "OFFSET")

FILTER_SYNTAX: Final = "a filter is routing_key=PATTERN, body=PART, header.NAME=VALUE or a property such as type=VALUE"


@dataclass(slots=True)
class Followed:
    """A tail, and when it ends unless somebody asks."""

    tail: Tail | StreamTail
    deadline: Deadline


@word(
    "QUEUE|TOPIC|EXCHANGE [FILTER]...",
    "show messages as they come, until Ctrl-C; they stay where they are",
    options=(VHOST, AS, COUNT, FROM, TOKEN),
    example="'devices/+/temperature' --count 10",
)
async def tail(control: Control, request: Request) -> Answer:
    """Warren's own.  What is named is a queue where there is one of that name, else an exchange, else topics of MQTT;
    `--as` says which.  `--from` has a stream shown from there on: first, last, next, a number, timestamp=SECONDS or
    an age such as 1h.  `--token` is the client's: it goes on with a tail."""
    import trio

    from warren.core.administration.tails import Tail

    token = request.options.get("token")
    if token is None:
        token = secrets.token_hex(8)
        control.tails[token] = _follow(control, request, token)
    followed = control.tails.get(str(token))
    if followed is None:
        raise RefusedError("nobody has asked about this tail for too long: it has ended", codes.DATA)
    found = followed.tail
    followed.deadline.cancel()
    followed.deadline = _end_later(control, found, str(token))
    come = trio.Event()
    found.wake = come.set
    messages, missed = found.take(TAKEN_AT_ONCE)
    has_more = not isinstance(found, Tail) and found.is_behind
    if not messages and not missed and "token" in request.options and not found.is_over and not has_more:
        with trio.move_on_after(WAIT_S):
            await come.wait()
        messages, missed = found.take(TAKEN_AT_ONCE)
    facts = {"token": token, "messages": [_row(each) for each in messages], "missed": missed, "over": found.is_over}
    return value(facts, "")


def _follow(control: Control, request: Request, token: str) -> Followed:
    from warren.core.administration import operations, stream_tails

    vhost = operations.vhosts.existing(control.broker, request.vhost)
    tailed = _tailed(control, request)
    offset = request.options.get("from")
    if offset is not None and tailed.queue is None:
        raise RefusedError("--from is for a stream", codes.USAGE)
    begun = stream_tails.look(vhost, tailed, None if offset is None else str(offset))
    return Followed(begun, _end_later(control, begun, token))


def _end_later(control: Control, found: Tail | StreamTail, token: str) -> Deadline:
    broker = control.broker

    def end(now_ms: int) -> None:
        control.tails.pop(token, None)
        found.end()

    return broker.deadlines.schedule(broker.now_ms + KEPT_S * 1000, end)


def _tailed(control: Control, request: Request) -> Tailed:
    from warren.adapters.mqtt.sessions.operations.topic_names import pattern_of
    from warren.core.administration.tails import Tailed, message_filter

    name, *conditions = request.arguments
    vhost = control.broker.vhosts[request.vhost]
    texts: dict[str, str] = {}
    for given in conditions:
        what, equals, text = given.partition("=")
        if not what or not equals:
            raise RefusedError(f"'{given}' is no filter; {FILTER_SYNTAX}", codes.USAGE)
        texts[what] = text
    pattern = texts.pop("routing_key", "#")
    wanted = message_filter(texts)
    kind = request.options.get("as")
    if kind is None:
        kind = "queue" if name in vhost.queues else "exchange" if name in vhost.exchanges else "topic"
        if kind == "topic" and "/" not in name and name not in ("#", "+"):
            raise RefusedError(
                f"there is no queue and no exchange '{name}'; --as topic for a topic of MQTT", codes.DATA
            )
    if kind not in KINDS:
        raise RefusedError(f"--as is {', '.join(KINDS)}, not '{kind}'", codes.USAGE)
    if kind == "topic":
        exchange, pattern = pattern_of(control.broker, name)
        return Tailed(exchange=exchange, pattern=pattern, wanted=wanted)
    if kind == "queue":
        return Tailed(queue=name, pattern=pattern, wanted=wanted)
    return Tailed(exchange=name, pattern=pattern, wanted=wanted)


def _row(message: Message) -> Row:
    from warren.core.messages.internal_headers import without_internal

    return {
        "at": message.published_at_ms,
        "exchange": message.address.exchange,
        "routing_key": message.address.routing_key,
        "properties": without_internal(message.properties).fields(),
        "payload_bytes": message.body_size,
        "payload": message.body[:BODY_BYTES_SHOWN].decode("utf-8", "backslashreplace"),
    }
