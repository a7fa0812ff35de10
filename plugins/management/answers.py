"""Answers as HTTP has them: JSON, written in slices, with a tag by which a client knows one that it has already.

A list may be long: its objects are made and written some at a time, with a turn for everybody else in between, and only
the bytes are kept, within bounds (answer_room.py).  So is the tag, of all that is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec
import trio
from starlette.responses import Response

from warren.gateway.plugin import give_way
from warren.plugins.management.endpoint import Created, Listed, Status, Streamed, Written

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from warren.plugins.management.answer_room import Place
    from warren.plugins.management.errors import ApiError

JSON_TYPE: Final = "application/json"

CHALLENGE: Final = 'Basic realm="RabbitMQ Management"'
"""What browsers and clients know it by (spec F.1)."""

SLICE_ITEMS: Final = 25
"""Objects made and written in one slice: a queue takes some twenty microseconds."""

PIECE_BYTES: Final = 64 * 1024
"""Of an answer, joined and hashed at a time."""

TAG_BYTES: Final = 12
"""Enough that no two answers of a client's life share one."""

HEADERS: Final = {"cache-control": "no-cache", "vary": "origin, authorization", "x-content-type-options": "nosniff"}
"""Of every answer: what it says may be another a moment later, and to another user."""

_encoder: Final = msgspec.json.Encoder(enc_hook=str)


async def answer_of(result: object, path: str, known_tag: str | None, place: Place) -> Response:
    """What a handler returned, as a response.

    path: the request's.  known_tag: of an answer that the client has already (If-None-Match, RFC 9110, 13.1.2).
    place: what holds a long one; raises ApiError where there is no room for it.
    """
    if result is None:
        return Response(status_code=204, headers=HEADERS)
    if isinstance(result, Created):
        location = f"{path}/{result.location}" if result.location else path
        return Response(status_code=201, headers={**HEADERS, "location": location, "content-length": "0"})
    if isinstance(result, Streamed):
        return _AsItComes(result)
    if isinstance(result, Status):
        return _whole([encode(result.value)], result.status)
    pieces = await _pieces(chunks_of(result), place)
    place.hold(0)
    place.made()
    tag = await _tag(pieces)
    if known_tag is not None and tag in (each.strip().removeprefix("W/") for each in known_tag.split(",")):
        return Response(status_code=304, headers={**HEADERS, "etag": tag})
    return _whole(pieces, 200, {"etag": tag}, place)


def refusal(error: ApiError) -> Response:
    """Why there is none."""
    headers = {**error.headers, **({"www-authenticate": CHALLENGE} if error.status == 401 else {})}
    return _whole([encode({"error": error.error, "reason": error.reason})], error.status, headers)


def encode(value: object) -> bytes:
    """A value as JSON; of texts that are no Unicode, what is none is shown as a question mark."""
    try:
        return _encoder.encode(value)
    except (UnicodeEncodeError, OverflowError):
        return _encoder.encode(_writable(value))


def _writable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(_writable(str(name))): _writable(each) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _writable(asdict(value))
    if isinstance(value, list | tuple | set | frozenset):
        return [_writable(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63:
        return float(value)
    return value


def chunks_of(result: object) -> Iterator[bytes]:
    """A result as JSON, chunk by chunk: an object, or an item of a long list, at a time."""
    if isinstance(result, Listed):
        before, after = b"[", b"]"
        if result.page is not None:
            around = encode(dict(result.page))
            before, after = around[:-1] + b',"items":[', b"]}"
        yield before
        yield from _items(result.items)
        yield after
    elif isinstance(result, Written):
        yield from result.pieces
    elif isinstance(result, Mapping) and any(isinstance(each, list) for each in result.values()):
        separator = b"{"
        for name, value in result.items():
            yield separator + encode(str(name)) + b":"
            if isinstance(value, list):
                yield b"["
                yield from _items(value)
                yield b"]"
            else:
                yield encode(value)
            separator = b","
        yield b"}"
    else:
        yield encode(result)


def _items(items: Iterable[object]) -> Iterator[bytes]:
    separator = b""
    for item in items:
        yield separator + encode(item)
        separator = b","


async def _pieces(made: Iterator[bytes], place: Place) -> list[bytes]:
    """All of it, in pieces of some size; what is long is held."""
    pieces: list[bytes] = []
    chunks: list[bytes] = []
    size = 0
    for number, chunk in enumerate(made, 1):
        chunks.append(chunk)
        size += len(chunk)
        if size >= PIECE_BYTES:
            pieces.append(b"".join(chunks))
            place.hold(len(pieces[-1]))
            chunks, size = [], 0
        if number % SLICE_ITEMS == 0:
            await give_way()
    if chunks or not pieces:
        pieces.append(b"".join(chunks))
    return pieces


async def _tag(pieces: list[bytes]) -> str:
    digest = blake2b(digest_size=TAG_BYTES)
    for number, piece in enumerate(pieces):
        digest.update(piece)
        if number % SLICE_ITEMS == SLICE_ITEMS - 1:
            await give_way()
    return f'"{digest.hexdigest()}"'


def _whole(
    pieces: list[bytes], status: int, headers: Mapping[str, str] | None = None, place: Place | None = None
) -> Response:
    size = str(sum(map(len, pieces)))
    every = {**HEADERS, **(headers or {}), "content-length": size}
    if len(pieces) == 1:
        return Response(pieces[0], status, every, JSON_TYPE)
    return _InPieces(pieces, status, every, place)


class _InPieces(Response):
    """A long answer: a piece is let go when the connection has taken it."""

    def __init__(self, pieces: list[bytes], status: int, headers: Mapping[str, str], place: Place | None) -> None:
        super().__init__(None, status, headers, JSON_TYPE)
        self._pieces = pieces[::-1]
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while self._pieces:
            piece = self._pieces.pop()
            await send({"type": "http.response.body", "body": piece, "more_body": bool(self._pieces)})
            if self._place is not None:
                self._place.let_go(len(piece))


class _AsItComes(Response):
    """An answer that goes on until its source or its reader has had enough."""

    def __init__(self, streamed: Streamed) -> None:
        super().__init__(None, 200, {**HEADERS, "x-accel-buffering": "no"}, streamed.media_type)
        del self.headers["content-length"]
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            self._streamed.close()
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
                    async for piece in self._streamed.pieces:
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                    nursery.cancel_scope.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streamed.close()


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
