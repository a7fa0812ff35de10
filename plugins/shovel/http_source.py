"""A source that is an HTTP service: an address that is asked again and again, or a stream of server-sent events.

    poll     GET every `src-poll-interval` seconds, with the ETag and the date of the last answer, so that what hasn't
             changed (304) isn't a message; an answer of 200 is one, or several (`src-items`)
    events   GET once, and each event is a message; after a broken link with the id of the last event (Last-Event-ID)

What is remembered of an answer, or of an event, is remembered when the destination has its messages.  So whatever
breaks in between, the service is asked for them again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.http.client.event_stream import CONTENT_TYPE, EventStream
from warren.adapters.http.client.exchange import END, Head
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import Properties, encode_properties
from warren.gateway.plugin import HttpPeer
from warren.plugins.shovel.http_answers import retry_after_s, said
from warren.plugins.shovel.http_definition import EVENT, EVENTS, JSON_ARRAY, JSON_LINES, TIMEOUT_DEFAULT_S
from warren.plugins.shovel.http_messages import request_headers
from warren.plugins.shovel.mqtt_ends import NAMES

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from warren.adapters.http.client.event_stream import Event
    from warren.adapters.http.client.exchange import Response
    from warren.adapters.http.client.uri import HttpUri
    from warren.plugins.shovel.http_definition import HttpSourceDefinition

BODY_BYTES_MAX: Final = 128 * 1024 * 1024
"""Of an answer: as much as a message's body may have."""

ITEMS_BYTES_MAX: Final = 1024 * 1024
"""Of an answer that is taken apart: as long as that takes, nobody else has a turn; ten milliseconds or so."""

ERROR_BYTES_MAX: Final = 1024
"""Of the body of an answer that is none."""

RECONNECT_S: Final = 3.0
"""Before an event stream that has ended is asked for again, where the service doesn't say (HTML Standard 9.2.3)."""

RECONNECT_S_MAX: Final = 300.0

NOTHING_NEW_S: Final = 1.0
"""Until the next question, when there was nothing new: a service that doesn't wait with that isn't asked in a loop."""

PERSISTENT: Final = 2
MESSAGE: Final = "message"
HEADER_CHARACTERS_MAX: Final = 1024
"""Of what a service says of an answer or an event, as far as it goes along with the message."""


class HttpMemory:
    """What is known of a service from one connection to the next, while the broker runs.

    etag, modified: of the last answer whose messages the destination has.  last_id: of the last such event.
    not_before_s: when it may be asked again, in Trio's time.
    """

    def __init__(self) -> None:
        self.etag: str | None = None
        self.modified: str | None = None
        self.last_id: str | None = None
        self.not_before_s = 0.0


class HttpMessage:
    """A message that came over HTTP, as AMQP has it.

    event_id: of the event that it was, None for another.  source_id: which it is of all messages of the source.
    """

    __slots__ = ("body", "event_id", "exchange", "properties", "routing_key", "source_id")

    def __init__(
        self, body: bytes, routing_key: str, properties: Properties, event_id: str | None, source_id: str | None
    ) -> None:
        self.body = body
        self.exchange = NAMES.exchange
        self.routing_key = routing_key
        self.properties = properties
        self.event_id = event_id
        self.source_id = source_id


class _Source:
    """What both modes have in common."""

    waiting: int | None = None

    def __init__(self, definition: HttpSourceDefinition, uri: HttpUri, memory: HttpMemory) -> None:
        self.definition = definition
        self.uri = uri
        self.memory = memory
        self.peer = HttpPeer(uri)
        self.headers = request_headers(definition, uri)

    def routing_key(self, type: str) -> str:
        return self.definition.routing_key.replace(EVENT, type)

    def ack_alone(self, message: HttpMessage) -> None:
        """HTTP has no word for it."""

    def refused(self, head: Head, body: bytes) -> PeerError:
        """What an answer means that has no messages; it may ask for a pause."""
        pause_s = retry_after_s(head)
        text = said("the source", head, body, self.definition, self.uri)
        if pause_s is not None:
            self.memory.not_before_s = trio.current_time() + pause_s
            text += f"; it asks for a pause of {pause_s:g} s"
        return PeerError(text)


class PollSource(_Source):
    """Implements ends.Source."""

    def __init__(self, definition: HttpSourceDefinition, uri: HttpUri, memory: HttpMemory) -> None:
        super().__init__(definition, uri, memory)
        self._ready: deque[HttpMessage] = deque()
        self._last: HttpMessage | None = None
        self._validators: tuple[str | None, str | None] = (None, None)
        self._next_s = 0.0
        self._acknowledged = trio.Event()

    async def open(self) -> None:
        """Ask for the first time; PeerError if there is no answer, or none that can be used."""
        await self._ask()

    async def receive(self) -> Sequence[HttpMessage]:
        while True:
            if self._ready:
                await trio.lowlevel.checkpoint()
                found = list(self._ready)
                self._ready.clear()
                return found
            if self._last is not None:
                await self._acknowledged.wait()
            await trio.sleep_until(self._next_s)
            await self._ask()

    def ack(self, message: HttpMessage) -> None:
        if message is self._last:
            self.memory.etag, self.memory.modified = self._validators
            self._last = None
            self._acknowledged.set()

    async def _ask(self) -> None:
        memory, headers = self.memory, list(self.headers)
        if memory.etag is not None:
            headers.append(("If-None-Match", memory.etag))
        if memory.modified is not None:
            headers.append(("If-Modified-Since", memory.modified))
        if not self.peer.connected:
            await self.peer.connect()
        self._next_s = trio.current_time() + self.definition.interval_s
        response = await self.peer.exchange(
            "GET",
            self.uri.target,
            headers,
            b"",
            timeout_s=self.definition.timeout_s or TIMEOUT_DEFAULT_S,
            body_bytes_max=BODY_BYTES_MAX,
        )
        self._take(response)

    def _take(self, response: Response) -> None:
        head = response.head
        if head.status in (204, 304):
            self._next_s = max(self._next_s, trio.current_time() + NOTHING_NEW_S)
            return
        if head.status != 200:
            raise self.refused(head, response.body[:ERROR_BYTES_MAX])
        if response.body_bytes > BODY_BYTES_MAX:
            raise PeerError(f"the source answered with more than {BODY_BYTES_MAX} bytes")
        etag, modified = head.header("etag"), head.header("last-modified")
        properties = _properties(head.header("content-type"), {"http-etag": etag, "http-last-modified": modified})
        key = self.routing_key(MESSAGE)
        for number, body in enumerate(_items(response.body, self.definition.items)):
            source_id = None if etag is None else f"{self.uri.shown} {etag} {number} {_digest(body)}"
            self._ready.append(HttpMessage(body, key, properties, None, source_id))
        self._validators = etag, modified
        if self._ready:
            self._last = self._ready[-1]
            self._acknowledged = trio.Event()
        else:
            self.memory.etag, self.memory.modified = self._validators


class EventSource(_Source):
    """Implements ends.Source."""

    def __init__(self, definition: HttpSourceDefinition, uri: HttpUri, memory: HttpMemory) -> None:
        super().__init__(definition, uri, memory)
        self._events = EventStream(memory.last_id)
        self._waiting: list[Event] = []
        self._streaming: bool | None = False

    async def open(self) -> None:
        """Have the stream; PeerError if there is none."""
        headers = [*self.headers, ("Accept", CONTENT_TYPE), ("Cache-Control", "no-store")]
        last_id = self._events.last_id
        if last_id:
            headers.append(("Last-Event-ID", last_id.encode().decode("latin-1")))
        self._events = EventStream(last_id)
        await self.peer.connect()
        limit_s = self.uri.connection_timeout_ms / 1000
        with trio.move_on_after(limit_s):
            await self.peer.ask("GET", self.uri.target, headers)
            self._streaming = None
            while self._streaming is None:
                self._hear(await self.peer.came())
            return
        raise PeerError(f"{self.uri.host} port {self.uri.port} didn't answer within {limit_s:g} s")

    async def receive(self) -> Sequence[HttpMessage]:
        while not self._waiting:
            if not self._streaming:
                retry_s = RECONNECT_S if self._events.retry_ms is None else self._events.retry_ms / 1000
                await trio.sleep(min(retry_s, RECONNECT_S_MAX))
                await self.open()
            else:
                await self._more()
        await trio.lowlevel.checkpoint()
        events, self._waiting = self._waiting, []
        return [self._message(event) for event in events]

    def ack(self, message: HttpMessage) -> None:
        if message.event_id is not None:
            self.memory.last_id = message.event_id

    async def _more(self) -> None:
        silence_s = self.definition.timeout_s
        with trio.move_on_after(float("inf") if silence_s is None else silence_s):
            self._hear(await self.peer.came())
            return
        raise PeerError(f"the source was silent for {silence_s:g} s")

    def _hear(self, came: Sequence[object]) -> None:
        for each in came:
            if isinstance(each, Head):
                kind = (each.header("content-type") or "").partition(";")[0].strip().lower()
                if each.status != 200:
                    raise self.refused(each, b"")
                if kind != CONTENT_TYPE:
                    raise PeerError(f"the source answered with the type '{kind[:100]}', which isn't {CONTENT_TYPE}")
                self._streaming = True
            elif isinstance(each, bytes):
                self._waiting += self._events.receive(each)
            elif each is END:
                self._streaming = False

    def _message(self, event: Event) -> HttpMessage:
        properties = _properties("text/plain; charset=utf-8", {"event-id": event.id, "event-type": event.type})
        source_id = None if event.id is None else f"{self.uri.shown} {event.id} {_digest(event.data)}"
        return HttpMessage(event.data, self.routing_key(event.type), properties, event.id, source_id)


async def open_source(
    definition: HttpSourceDefinition, uri: HttpUri, memory: HttpMemory, held: AsyncExitStack
) -> PollSource | EventSource:
    """Ask the service; PeerError if it has no answer that can be used.  held: what is let go with the source."""
    await trio.sleep_until(memory.not_before_s)
    kind = EventSource if definition.mode == EVENTS else PollSource
    source = kind(definition, uri, memory)
    held.push_async_callback(source.peer.aclose)
    await source.open()
    return source


def _items(body: bytes, items: str) -> Iterator[bytes]:
    """The messages that an answer is."""
    if items not in (JSON_LINES, JSON_ARRAY):
        yield body
        return
    if len(body) > ITEMS_BYTES_MAX:
        raise PeerError(f"the source answered with more than {ITEMS_BYTES_MAX} bytes, which 'src-items' takes apart")
    if items == JSON_LINES:
        yield from (line for line in body.splitlines() if line.strip())
        return
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise PeerError("the source answered with something else than a JSON array, which 'src-items' asks for")
    for each in value:
        yield json.dumps(each, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _properties(content_type: str | None, headers: dict[str, str | None]) -> Properties:
    given = {name: value[:HEADER_CHARACTERS_MAX] for name, value in headers.items() if value is not None}
    fields: dict[str, object] = {"delivery_mode": PERSISTENT}
    if content_type is not None and len(content_type) <= 255:
        fields["content_type"] = content_type
    if given:
        fields["headers"] = given
    return encode_properties(**fields)  # type: ignore[arg-type]  # which of them there are is only known here


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()
