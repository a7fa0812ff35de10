"""JetStream's API as calls: streams, publishing with an expected sequence, reading back, purging, consumers.

Each function gives a `Call`; a client sends it.  What JetStream refuses is an ApiError with its code.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from warren.gateway.nats.calls import Call, Reply
from warren.gateway.nats.errors import NOT_AVAILABLE, ApiError, NatsProtocolError, NoResponders
from warren.gateway.nats.headers import Headers, decode_headers

API: Final = "$JS.API"

EXPECTED_LAST_SEQUENCE: Final = "Nats-Expected-Last-Sequence"
EXPECTED_LAST_SUBJECT_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
MESSAGE_ID: Final = "Nats-Msg-Id"
TTL: Final = "Nats-TTL"
ROLLUP: Final = "Nats-Rollup"

NOT_FOUND: Final = 404
NO_MORE: Final = 204

_ACK_WORDS: Final = 9


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What JetStream says of a stream.

    config: as JSON has it.  first_sequence: of the first message that is left, one behind the last where none is.
    leader, followers: servers that keep it; empty where JetStream is alone.  current: followers that have everything.
    created: when, in the server's words, which tells it from another one that had the name.
    """

    name: str
    config: Mapping[str, Any]
    messages: int
    size_bytes: int
    first_sequence: int
    last_sequence: int
    leader: str
    followers: tuple[str, ...]
    current: tuple[str, ...]
    created: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What a stream says of a message that it took.  duplicate: it had one with this Nats-Msg-Id already."""

    stream: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """A message of a stream."""

    subject: str
    sequence: int
    payload: bytes
    headers: Headers = field(default_factory=Headers)


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer that was made.  pending: messages that it will be sent, as things are."""

    name: str
    pending: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message that a consumer was sent stands: in the stream, among this consumer's, and how many follow."""

    sequence: int
    number: int
    pending: int


def place_of(reply: str) -> Place:
    """From the reply subject of a consumer's message; raises NatsProtocolError.

    `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<number>.<time>.<pending>`, or with a domain and an account's
    hash behind `ACK`, and perhaps more behind it all.
    """
    words = reply.split(".")
    if words[:2] != ["$JS", "ACK"]:
        raise NatsProtocolError(f"{reply!r} isn't where a consumer's message is acknowledged")
    numbers = words[4:] if len(words) == _ACK_WORDS else words[6:]
    try:
        sequence, number, pending = int(numbers[1]), int(numbers[2]), int(numbers[4])
    except (IndexError, ValueError) as error:
        raise NatsProtocolError(f"{reply!r} isn't where a consumer's message is acknowledged") from error
    return Place(sequence, number, pending)


def account_info() -> Call[Mapping[str, Any]]:
    """What this account may use, and uses, of JetStream."""
    return Call(f"{API}.INFO", b"", _json_answer)


def create_stream(config: Mapping[str, Any]) -> Call[StreamInfo]:
    """Make a stream; where there is one of the same name and configuration, that is it."""
    return Call(f"{API}.STREAM.CREATE.{config['name']}", _encoded(config), _stream_info)


def update_stream(config: Mapping[str, Any]) -> Call[StreamInfo]:
    """Give a stream another configuration."""
    return Call(f"{API}.STREAM.UPDATE.{config['name']}", _encoded(config), _stream_info)


def stream_info(name: str) -> Call[StreamInfo]:
    """Ask the leader of a stream.  One that was deposed and doesn't know it yet may answer."""
    return Call(f"{API}.STREAM.INFO.{name}", b"", _stream_info)


def delete_stream(name: str) -> Call[bool]:
    """Delete it, with all its messages."""
    return Call(f"{API}.STREAM.DELETE.{name}", b"", _success, repeatable=False)


def purge_stream(name: str, before: int) -> Call[int]:
    """Drop all messages before this sequence; how many those were."""
    return Call(f"{API}.STREAM.PURGE.{name}", _encoded({"seq": before}), _purged)


def step_down(name: str) -> Call[bool]:
    """Have the leader of a stream give that up to another server."""
    return Call(f"{API}.STREAM.LEADER.STEPDOWN.{name}", b"", _success, repeatable=False)


def publish(
    subject: str,
    payload: bytes,
    *,
    expected_last: int | None = None,
    expected_last_of_subject: int | None = None,
    message_id: str = "",
    headers: Mapping[str, str] | None = None,
) -> Call[Published]:
    """Publish into whichever stream has the subject.

    expected_last, expected_last_of_subject: the sequence of the last message of the stream, of the subject (0: none),
    or it is refused with one of WRONG_LAST_SEQUENCE.  message_id: the stream takes only one message with it for a
    while. It is sent again after a lost answer only where one of these makes that harmless.
    """
    fields = dict(headers or {})
    if expected_last is not None:
        fields[EXPECTED_LAST_SEQUENCE] = str(expected_last)
    if expected_last_of_subject is not None:
        fields[EXPECTED_LAST_SUBJECT_SEQUENCE] = str(expected_last_of_subject)
    if message_id:
        fields[MESSAGE_ID] = message_id
    return Call(subject, payload, _published, headers=fields, repeatable=bool(message_id))


def get_message(stream: str, sequence: int) -> Call[Stored]:
    """A message by its sequence, from the leader."""
    return Call(f"{API}.STREAM.MSG.GET.{stream}", _encoded({"seq": sequence}), _stored)


def last_message(stream: str, subject: str) -> Call[Stored]:
    """The last message of a subject, from the leader."""
    return Call(f"{API}.STREAM.MSG.GET.{stream}", _encoded({"last_by_subj": subject}), _stored)


def get_batch(stream: str, sequence: int, *, count: int, size_bytes: int) -> Call[list[Stored]]:
    """Messages from this sequence on, of a stream with `allow_direct`, from any server that keeps it.

    At most `count`, and about `size_bytes`.  A server that lags may give fewer, or none.
    """
    request = {"seq": sequence, "batch": count, "max_bytes": size_bytes}
    return Call(f"{API}.DIRECT.GET.{stream}", _encoded(request), _batch, is_last=_ends_batch)


def create_consumer(stream: str, config: Mapping[str, Any]) -> Call[Consumer]:
    """A consumer that goes when nobody is interested."""
    request = {"stream_name": stream, "config": config}
    return Call(f"{API}.CONSUMER.CREATE.{stream}", _encoded(request), _consumer, repeatable=False)


def delete_consumer(stream: str, name: str) -> Call[bool]:
    """Delete a consumer."""
    return Call(f"{API}.CONSUMER.DELETE.{stream}.{name}", b"", _success, repeatable=False)


def _encoded(request: Mapping[str, Any]) -> bytes:
    return json.dumps(request, separators=(",", ":")).encode()


def _json_answer(replies: Sequence[Reply]) -> Mapping[str, Any]:
    """The one answer as JSON; raises ApiError where it says that it was refused, NoResponders for want of a leader."""
    try:
        found = json.loads(replies[0].payload)
    except (ValueError, RecursionError) as error:
        raise NatsProtocolError("an answer of JetStream that isn't JSON") from error
    if not isinstance(found, dict):
        raise NatsProtocolError("an answer of JetStream that is no JSON object")
    refused = found.get("error")
    if isinstance(refused, dict):
        code = _whole(refused.get("err_code") or refused.get("code"))
        description = str(refused.get("description", "refused"))
        if code == NOT_AVAILABLE:
            raise NoResponders(f"{description} (JetStream {code})")
        raise ApiError(code, description)
    return found


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise NatsProtocolError(f"an answer of JetStream holds {value!r} where a number should be")
    return value


def _part(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = found.get(name)
    if not isinstance(part, dict):
        raise NatsProtocolError(f"an answer of JetStream without {name!r}")
    return part


def _stream_info(replies: Sequence[Reply]) -> StreamInfo:
    found = _json_answer(replies)
    config, state = _part(found, "config"), _part(found, "state")
    cluster = found.get("cluster")
    cluster = cluster if isinstance(cluster, dict) else {}
    followers = [each for each in cluster.get("replicas") or () if isinstance(each, dict)]
    last = _whole(state.get("last_seq"))
    messages = _whole(state.get("messages"))
    return StreamInfo(
        str(config.get("name", "")),
        config,
        messages,
        _whole(state.get("bytes")),
        _whole(state.get("first_seq")) if messages else last + 1,
        last,
        str(cluster.get("leader", "")),
        tuple(str(each.get("name", "")) for each in followers),
        tuple(
            str(each.get("name", "")) for each in followers if each.get("current") is True and not each.get("offline")
        ),
        str(found.get("created", "")),
    )


def _success(replies: Sequence[Reply]) -> bool:
    return _json_answer(replies).get("success") is True


def _purged(replies: Sequence[Reply]) -> int:
    return _whole(_json_answer(replies).get("purged", 0))


def _published(replies: Sequence[Reply]) -> Published:
    found = _json_answer(replies)
    return Published(str(found.get("stream", "")), _whole(found.get("seq")), found.get("duplicate") is True)


def _stored(replies: Sequence[Reply]) -> Stored:
    message = _part(_json_answer(replies), "message")
    headers = _decoded(message.get("hdrs", ""))
    return Stored(
        str(message.get("subject", "")),
        _whole(message.get("seq")),
        _decoded(message.get("data", "")),
        decode_headers(headers) if headers else Headers(),
    )


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError as error:
        raise NatsProtocolError("an answer of JetStream that isn't base64") from error


def _consumer(replies: Sequence[Reply]) -> Consumer:
    found = _json_answer(replies)
    return Consumer(str(found.get("name", "")), _whole(found.get("num_pending", 0)))


def _ends_batch(reply: Reply) -> bool:
    return reply.headers.status != 0


def _batch(replies: Sequence[Reply]) -> list[Stored]:
    *messages, end = replies
    if end.headers.status not in (NO_MORE, NOT_FOUND):
        raise ApiError(end.headers.status, end.headers.description or "the batch was refused")
    return [stored_message(each) for each in messages]


def stored_message(reply: Reply) -> Stored:
    """A message of a direct get."""
    return Stored(
        reply.headers.fields.get("Nats-Subject", ""),
        reply.headers.number("Nats-Sequence"),
        reply.payload,
        reply.headers,
    )
