"""MQTT's client identifiers between nodes (adapters.mqtt.sessions.claims), carried by subjects of NATS core.

Claims are gathered for a moment and told to all; each node answers all of a word at once, to the node that asked.  What
a session has queued on another node is fetched over the link to that node, as messages of any queue there.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.adapters.mqtt.sessions.claims import Asked, Found
from warren.core.errors import BrokerError
from warren.core.messages.message import Message
from warren.gateway.nats.errors import NatsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.mqtt.sessions.claims import Claims, Move
    from warren.core.cluster.remote_queue import RemoteQueue
    from warren.core.routing.vhost import VirtualHost
    from warren.gateway.nats.trio_client import TrioClient
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")

SUBJECT: Final = "warren.sessions"

GATHER_S: Final = 0.005
"""How long claims are gathered: so much longer a CONNECT takes in a cluster, beside the way to the others and back."""

CLAIMS_PER_WORD: Final = 500
ROWS_PER_WORD: Final = 500
"""Subscriptions in one answer; filters may be long."""

ROW_BYTES_MAX: Final = 256 * 1024

TICK_S: Final = 0.5
RETRY_S: Final = 1.0

FETCHED_AT_ONCE: Final = 64
"""Messages of a session that are on their way between nodes."""

TOLD_S: Final = 0.2
"""After what a session binds was told, others know it: then it is bound on its old node no longer."""


class _Flush:
    """A core.storage.commit.Committed that one task waits for."""

    def __init__(self) -> None:
        self.done = trio.Event()

    def mark(self) -> int:
        return 0

    def flushed(self, mark: int) -> None:
        self.done.set()


class SessionsExchange:
    """Of one node.  remote: what stands for a queue of another node.  has_told: whether what is bound here was told."""

    def __init__(
        self, claims: Claims, remote: Callable[[str, VirtualHost, str], RemoteQueue], has_told: Callable[[], bool]
    ) -> None:
        self._claims = claims
        self._remote = remote
        self._has_told = has_told
        self._news = trio.Event()
        self._to_send: list[tuple[str, bytes]] = []
        self._put_move, self._take_move = trio.open_memory_channel[Any](float("inf"))
        claims.said = self._has_news
        claims.move = self._put_move.send_nowait

    def _has_news(self) -> None:
        self._news.set()

    async def run(self, hub: Hub, client: TrioClient) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            for subject in (SUBJECT, _subject_of(self._claims.node)):
                nursery.start_soon(self._hear_on, hub, client, subject)
            nursery.start_soon(self._say_on, client)
            nursery.start_soon(self._tick, hub)
            async for move in self._take_move:
                nursery.start_soon(self._move, hub, move)

    # Hearing

    async def _hear_on(self, hub: Hub, client: TrioClient, subject: str) -> None:
        while True:
            try:
                async with client.subscribe(subject) as heard:
                    # Others may have claimed what is here while nothing was heard.
                    self._claims.say_held()
                    while True:
                        message = await heard.receive()
                        hub.note_time()
                        self.hear(message.payload)
                        hub.request_turn()
            except NatsError as error:
                _log.debug("what nodes say of sessions isn't heard just now: %s", error)
            await trio.sleep(RETRY_S)

    def hear(self, payload: bytes) -> None:
        """What another node has said; what isn't understood is logged."""
        try:
            kind, node, *rest = json.loads(payload)
            if node == self._claims.node:
                return
            if kind == "claims":
                self._answer(node, [Asked(*each) for each in rest[0]])
            elif kind == "nothing":
                for stamp, vhost, client_id in rest[0]:
                    self._claims.nothing(node, stamp, vhost, client_id)
            elif kind == "found":
                stamp, is_last, found = rest
                self._claims.answered(node, stamp, Found(*found), is_last=is_last)
            elif kind == "bound":
                self._claims.bound(node, *rest)
            elif kind == "moved":
                self._claims.moved(node, *rest)
        except (ValueError, TypeError, KeyError) as error:
            _log.warning("something at %s is no word of a node: %s", SUBJECT, error)

    def _answer(self, node: str, asked: list[Asked]) -> None:
        nothing: list[tuple[int, str, str]] = []
        for each in asked:
            found = self._claims.asked(node, each)
            if each.is_held:
                continue
            if found is None:
                nothing.append((each.stamp, each.vhost, each.client_id))
                continue
            parts = list(_parts(found))
            for number, part in enumerate(parts, 1):
                self._send(node, "found", each.stamp, number == len(parts), list(part))
        if nothing:
            self._send(node, "nothing", nothing)

    # Saying

    def _send(self, node: str, kind: str, *words: object) -> None:
        """node: to whom; empty for all."""
        subject = _subject_of(node) if node else SUBJECT
        self._to_send.append((subject, json.dumps([kind, self._claims.node, *words]).encode()))
        self._has_news()

    def words(self) -> list[tuple[str, bytes]]:
        """What is to be said by now, each with its subject."""
        asked = self._claims.to_say()
        for at in range(0, len(asked), CLAIMS_PER_WORD):
            self._send("", "claims", [list(each) for each in asked[at : at + CLAIMS_PER_WORD]])
        words, self._to_send = self._to_send, []
        return words

    async def _say_on(self, client: TrioClient) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            await trio.sleep(GATHER_S)
            for subject, payload in self.words():
                try:
                    await client.publish(subject, payload)
                except NatsError as error:
                    _log.debug("other nodes don't hear of a session: %s", error)

    async def _tick(self, hub: Hub) -> None:
        while True:
            await trio.sleep(TICK_S)
            hub.note_time()
            self._claims.tick(hub.broker.now_ms)
            hub.request_turn()

    # Fetching

    async def _move(self, hub: Hub, move: Move) -> None:
        """Fetch what is queued, then bind, and fetch what came meanwhile; again until it is done, or not wanted."""
        is_bound = False
        name = move.registry.vhost.name, move.session.client_id
        while move.is_wanted:
            queue = self._remote(move.node, move.registry.vhost, move.queue)
            try:
                await self._fetch(hub, move, queue)
                if not is_bound:
                    is_bound = True
                    self._bind(move)
                    hub.request_turn()
                    while not self._has_told():
                        await trio.sleep(GATHER_S)
                    await trio.sleep(TOLD_S)
                self._send(move.node, "bound", move.stamp[0], *name)
                await trio.sleep(TOLD_S)
                await self._fetch(hub, move, queue)
                if move.is_wanted:
                    self._send(move.node, "moved", move.stamp[0], *name)
                return
            except BrokerError as error:
                if not is_bound:
                    # What is published from now on isn't to be missed, whatever becomes of what is there.
                    is_bound = True
                    self._bind(move)
                _log.warning(
                    "what client '%s' has on node '%s' comes later: %s", move.session.client_id, move.node, error.text
                )
                await trio.sleep(RETRY_S)
            finally:
                queue.far.close()
        if not is_bound:
            self._bind(move)

    def _bind(self, move: Move) -> None:
        session = move.session
        wanted = [each for each in session.subscriptions.values() if each.is_own]
        if session.queue is not None and not session.ended and wanted:
            move.registry.bind(session.queue, wanted)

    async def _fetch(self, hub: Hub, move: Move, queue: RemoteQueue) -> None:
        """Until there is no more.  Raises BrokerError."""
        while move.is_wanted:
            messages = await _polled(hub, queue)
            if not messages:
                return
            own = move.session.queue
            if own is None:
                return
            broker, vhost = hub.broker, move.registry.vhost
            for message in messages:
                body = message.body
                copy = Message(
                    broker.next_sequence(), message.address, message.properties, body, 0, len(body), 0, broker.now_ms
                )
                vhost.deliver_to(own, copy)
            flush = _Flush()
            broker.awaiting_flush[flush] = None
            hub.request_turn()
            await flush.done.wait()
            for message in messages:
                queue.acknowledge(message)
            hub.request_turn()


async def _polled(hub: Hub, queue: RemoteQueue) -> list[Message]:
    """Some messages, in order; none where there are none.  Raises BrokerError."""
    found: list[Message] = []
    errors: list[BrokerError] = []
    waiting = FETCHED_AT_ONCE
    done = trio.Event()

    def answered(polled: object) -> None:
        nonlocal waiting
        waiting -= 1
        if isinstance(polled, BrokerError):
            errors.append(polled)
        elif isinstance(polled, tuple):
            found.append(polled[0])
        if not waiting:
            done.set()

    hub.note_time()
    for _ in range(FETCHED_AT_ONCE):
        queue.get(answered, no_ack=False)
    hub.request_turn()
    await done.wait()
    if errors:
        raise errors[0]
    return found


def _parts(found: Found) -> list[Found]:
    """As many rows in one as may be."""
    parts: list[Found] = []
    rows: list[Any] = []
    size_bytes = 0
    for row in found.subscriptions:
        own_bytes = len(json.dumps(row))
        if rows and (len(rows) >= ROWS_PER_WORD or size_bytes + own_bytes > ROW_BYTES_MAX):
            parts.append(found._replace(subscriptions=rows))
            rows, size_bytes = [], 0
        rows.append(row)
        size_bytes += own_bytes
    return [*parts, found._replace(subscriptions=rows)]


def _subject_of(node: str) -> str:
    return f"{SUBJECT}.{base64.urlsafe_b64encode(node.encode()).decode().rstrip('=')}"
