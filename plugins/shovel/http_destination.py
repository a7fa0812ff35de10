"""A destination that is an HTTP service: each message is a request, and an answer of 2xx says that it has arrived.

One request at a time, or several (`dest-concurrency`), each on a connection of its own that is kept.  What becomes of
an answer:

    2xx                                 the service has the message
    401, 407, 408, 425, 429, 5xx, none  it takes nothing just now, whatever the message is: tried again, and not
                                        before `Retry-After` says
    anything else                       it doesn't take this message: tried again, or given up (`dead-letter-after`)

What is behind a message that isn't taken isn't sent: it is turned away as well, so that all of it goes out again in
order.  A service that can't be reached any more ends the shovel's connection, as with brokers.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from warren.adapters.peers.errors import PeerError
from warren.gateway.plugin import HttpPeer
from warren.plugins.bridging.ack_modes import ON_CONFIRM
from warren.plugins.bridging.ends import Arrived, Outcome
from warren.plugins.shovel.http_answers import retry_after_s, said
from warren.plugins.shovel.http_definition import JSON_ARRAY, TIMEOUT_DEFAULT_S
from warren.plugins.shovel.http_messages import NotSendable, message_headers, request_headers, target_of

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from warren.adapters.http.client.exchange import Response
    from warren.adapters.http.client.uri import HttpUri
    from warren.core.messages.properties import Properties
    from warren.plugins.shovel.http_definition import HttpDestinationDefinition

PASSING: Final = frozenset({401, 407, 408, 425, 429})
"""Answers beside 5xx that say nothing of the message: who asks isn't known any more, or asks too much."""

WAITING_MAX: Final = 256
"""Messages that wait for their request before no more are taken."""

ANSWER_BYTES_MAX: Final = 1024
"""Of an answer's body, which may say why a message isn't taken."""

BATCH_BYTES_MAX: Final = 1024 * 1024
"""Of the bodies in one request; a larger one goes alone."""

JSON_BYTES_MAX: Final = 256 * 1024
"""Of a body that is looked at whether it is JSON: a few milliseconds."""


class _Waiting(NamedTuple):
    number: int
    target: str
    headers: list[tuple[str, str]]
    body: bytes


class HttpDestination:
    """Implements ends.Destination.  uri: the service's."""

    def __init__(self, definition: HttpDestinationDefinition, uri: HttpUri, ack_mode: str) -> None:
        self._definition = definition
        self._uri = uri
        self._confirms = ack_mode == ON_CONFIRM
        self._headers = request_headers(definition, uri)
        self._own = frozenset(name.lower() for name, _ in self._headers)
        self._last_number = 0
        self._queue: deque[_Waiting] = deque()
        self._settled: list[Outcome] = []
        self._untold: str | None = None
        self._singly = 0
        self._not_before_s = 0.0
        self._pause_said = ""
        self._error: PeerError | None = None
        self._changed = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope(shield=True)
        self._over = trio.Event()

    @property
    def blocked(self) -> str | None:
        """Why it is to be left alone for now."""
        return self._pause_said if self._not_before_s > trio.current_time() else None

    async def open(self, peers: trio.Nursery, held: AsyncExitStack) -> None:
        """Connect; PeerError if that can't be done.  Then requests go out, by tasks in `peers`, until it is let go."""
        first = HttpPeer(self._uri)
        await first.connect()
        held.push_async_callback(self.aclose)
        peers.start_soon(self._run, first)

    async def aclose(self) -> None:
        """End its tasks, also when cancelled."""
        self._scope.cancel()
        with trio.CancelScope(shield=True):
            await self._over.wait()

    async def ready(self) -> None:
        await trio.lowlevel.checkpoint()
        while self._error is None and self._not_before_s > trio.current_time():
            with trio.move_on_at(self._not_before_s):
                await self._changed.park()
        while self._error is None and len(self._queue) >= WAITING_MAX:
            await self._changed.park()
        if self._error is not None:
            raise self._error

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        self._last_number = number = self._last_number + 1
        if self._untold is not None:
            # Who publishes doesn't know yet that something before this was turned away, and nothing is to overtake it.
            self._settle(Outcome(number, False, self._untold, True))
            return number
        try:
            target = target_of(self._uri, message, exchange, routing_key, properties)
        except NotSendable as error:
            self._untold = str(error)
            self._settle(Outcome(number, False, str(error)))
            return number
        headers = []
        if self._definition.batch_max == 1:
            headers = list(message_headers(exchange, routing_key, properties, self._own))
        self._queue.append(_Waiting(number, target, headers, message.body))
        return number

    def flush(self) -> None:
        self._changed.unpark_all()

    async def wait_ended(self) -> None:
        while self._error is None:
            await self._changed.park()
        raise self._error

    async def outcomes(self) -> Sequence[Outcome]:
        while not self._settled:
            if self._error is not None:
                raise self._error
            await self._changed.park()
        settled, self._settled = self._settled, []
        self._untold = None
        return settled

    # The tasks

    async def _run(self, first: HttpPeer) -> None:
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._send_all, first)
                    for _ in range(1, self._definition.concurrency):
                        nursery.start_soon(self._send_all, HttpPeer(self._uri))
        finally:
            self._over.set()

    async def _send_all(self, peer: HttpPeer) -> None:
        """Send what waits, on one connection; nothing of it raises."""
        try:
            while self._error is None:
                while not self._queue and self._error is None:
                    await self._changed.park()
                await trio.sleep_until(self._not_before_s)
                batch = await self._next()
                if batch:
                    await self._send(peer, batch)
        finally:
            with trio.CancelScope(shield=True):
                await peer.aclose()

    async def _next(self) -> list[_Waiting]:
        """The messages of the next request, maybe none."""
        definition, queue = self._definition, self._queue
        if definition.batch_max == 1:
            await trio.lowlevel.checkpoint()
            return [queue.popleft()] if queue else []
        batch: list[_Waiting] = []
        size = 0
        while queue and len(batch) < (1 if self._singly else definition.batch_max):
            if batch and size + len(queue[0].body) > BATCH_BYTES_MAX:
                break
            message = queue.popleft()
            self._singly = max(0, self._singly - 1)
            element = _json(message.body)
            if element is None:
                text = f"a message isn't JSON of at most {JSON_BYTES_MAX} bytes, which 'dest-batch-max' asks for"
                self._turn_away([message], text, passing=False)
            else:
                batch.append(message._replace(body=element))
                size += len(element)
            await trio.lowlevel.checkpoint()
        return batch

    async def _send(self, peer: HttpPeer, batch: list[_Waiting]) -> None:
        definition = self._definition
        body, headers = batch[0].body, batch[0].headers
        if definition.batch_max > 1:
            body, headers = _together(batch, definition.batch_format, self._own)
        headers = [*self._headers, *headers, ("Content-Length", str(len(body)))]
        try:
            if not peer.connected:
                await peer.connect()
        except PeerError as error:
            self._queue.extendleft(reversed(batch))
            self._fail(error)
            return
        try:
            response = await peer.exchange(
                definition.method,
                batch[0].target,
                headers,
                body,
                timeout_s=definition.timeout_s or TIMEOUT_DEFAULT_S,
                body_bytes_max=ANSWER_BYTES_MAX,
            )
        except PeerError as error:
            self._turn_away(batch, error.text, passing=True)
        except ValueError as error:
            self._turn_away(batch, str(error), passing=False)
        else:
            self._judge(batch, response)

    # What becomes of messages

    def _judge(self, batch: list[_Waiting], response: Response) -> None:
        status = response.head.status
        if 200 <= status < 300:
            self._settle(*(Outcome(each.number, False, None) for each in batch))
            return
        passing = status in PASSING or status >= 500
        text = said("the destination", response.head, response.body, self._definition, self._uri)
        if passing:
            pause_s = retry_after_s(response.head)
            if pause_s is not None:
                self._not_before_s = trio.current_time() + pause_s
                self._pause_said = text = f"{text}; it asks for a pause of {pause_s:g} s"
        self._turn_away(batch, text, passing=passing)

    def _turn_away(self, batch: list[_Waiting], text: str, *, passing: bool) -> None:
        """A request has failed: its messages, and those that wait behind it, are to come again."""
        self._untold = text
        behind = [each.number for each in self._queue]
        self._queue.clear()
        if len(batch) > 1 and not passing:
            # One of them may be at fault: it is found by sending each by itself.
            self._singly = len(batch)
            passing = True
        self._settle(
            *(Outcome(each.number, False, text, passing) for each in batch),
            *(Outcome(number, False, text, True) for number in behind),
        )

    def _settle(self, *outcomes: Outcome) -> None:
        refused = next((each.refused for each in outcomes if each.refused is not None), None)
        if not self._confirms and refused is not None:
            # Nobody can be told of one message: nothing more is lost than what is under way.
            self._fail(PeerError(refused))
        self._settled.extend(outcomes)
        self._changed.unpark_all()

    def _fail(self, error: PeerError) -> None:
        if self._error is None:
            self._error = error
        self._changed.unpark_all()


def _json(body: bytes) -> bytes | None:
    """A body as JSON on one line; None if it isn't any."""
    if len(body) > JSON_BYTES_MAX:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if b"\n" not in body and b"\r" not in body:
        return body
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _together(batch: list[_Waiting], form: str, own: frozenset[str]) -> tuple[bytes, list[tuple[str, str]]]:
    bodies = [each.body for each in batch]
    if form == JSON_ARRAY:
        body, content_type = b"[" + b",".join(bodies) + b"]", "application/json"
    else:
        body, content_type = b"\n".join(bodies) + b"\n", "application/x-ndjson"
    return body, [] if "content-type" in own else [("Content-Type", content_type)]
