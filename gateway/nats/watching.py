"""Watching a bucket: every key's last value, and then every change, in order, whatever happens to the connection.

A consumer pushes the changes with numbers, and says now and then how far it has got.  Where a number is missing, or
nothing is heard for a while, or the connection was lost, another consumer begins behind the last revision that came.
Markers of keys that have outlived their time are kept for `MARKER_S`: behind a longer gap all is read anew, and who
watches is told so.  The same where the bucket isn't the one that it was, or was set back to an earlier time: going on
behind the last revision would pass over what is in it now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum
from typing import Final

import trio

from warren.gateway.nats import jetstream
from warren.gateway.nats.errors import NatsDisconnected, NatsUnreachable, NoResponders
from warren.gateway.nats.headers import CONTROL, Headers, decode_headers
from warren.gateway.nats.key_value import MARKER_S, Bucket, Entry
from warren.gateway.nats.session import new_inbox
from warren.gateway.nats.trio_client import Subscription, TrioClient

HEARTBEAT_S: Final = 5

SILENCE_S: Final = 3.0 * HEARTBEAT_S
"""Without a word for so long the consumer is taken for lost."""

GAP_MAX_S: Final = MARKER_S / 2
"""Half of what markers live, so that no difference of clocks matters."""

RETRY_S: Final = 0.2


class WatchMark(Enum):
    """What a watch says beside entries."""

    CAUGHT_UP = "caught up"
    """All that there was when it began, or began anew, has come."""
    BEGINS_ANEW = "begins anew"
    """All keys follow once more; one that doesn't come before CAUGHT_UP is gone."""


class Watch:
    """See the head of this file; `watch` makes it."""

    def __init__(self, client: TrioClient, bucket: Bucket) -> None:
        self._client = client
        self._bucket = bucket
        self._stack = AsyncExitStack()
        self._messages: Subscription | None = None
        self._revision = 0
        self._created = ""
        self._number = 0
        self._heard_s = 0.0
        self._is_behind = True
        self._marks: list[WatchMark] = []

    async def receive(self) -> Entry | WatchMark:
        """The next word.  While no server can be reached it waits; raises NatsError for what won't mend by itself."""
        while True:
            if self._messages is None:
                await self._begin()
            if self._marks:
                return self._marks.pop(0)
            entry = await self._next()
            if entry is not None:
                return entry

    def lose_consumer(self) -> None:
        """Go on with another consumer, as if this one were lost."""
        self._messages = None

    async def aclose(self) -> None:
        """End it."""
        self._messages = None
        await self._stack.aclose()

    async def _begin(self) -> None:
        """A consumer that goes on where the last one ended, as soon as there is a server for it."""
        while True:
            if trio.current_time() - self._heard_s > GAP_MAX_S:
                self._begin_anew()
            try:
                info = await self._client.call(jetstream.stream_info(self._bucket.stream))
                if info.created != self._created or info.last_sequence < self._revision:
                    self._begin_anew()
                    self._created = info.created
                await self._stack.aclose()
                self._stack = AsyncExitStack()
                messages = await self._stack.enter_async_context(self._client.subscribe(new_inbox(), renews=False))
                config = self._bucket.watch_config(messages.subject, after=self._revision, heartbeat_s=HEARTBEAT_S)
                consumer = await self._client.call(jetstream.create_consumer(self._bucket.stream, config))
            except (NatsDisconnected, NatsUnreachable, NoResponders):
                await trio.sleep(RETRY_S)
                continue
            self._messages = messages
            self._number = 0
            self._heard_s = trio.current_time()
            self._is_behind = consumer.pending > 0
            if not self._is_behind:
                self._marks.append(WatchMark.CAUGHT_UP)
            return

    def _begin_anew(self) -> None:
        """Unless nothing was told yet."""
        if self._revision:
            self._revision = 0
            self._marks.append(WatchMark.BEGINS_ANEW)

    async def _next(self) -> Entry | None:
        """One message of the consumer; None for what isn't for who watches."""
        messages = self._messages
        if messages is None:
            return None
        try:
            with trio.fail_after(SILENCE_S):
                message = await messages.receive()
        except (trio.TooSlowError, NatsDisconnected):
            self._messages = None
            return None
        headers = decode_headers(message.headers) if message.headers else None
        if headers is not None and headers.status == CONTROL:
            if int(headers.fields.get("Nats-Last-Consumer", self._number)) != self._number:
                self._messages = None
            else:
                self._heard_s = trio.current_time()
            return None
        place = jetstream.place_of(message.reply)
        if place.number != self._number + 1:
            self._messages = None
            return None
        self._number = place.number
        self._revision = place.sequence
        self._heard_s = trio.current_time()
        if self._is_behind and not place.pending:
            self._is_behind = False
            self._marks.append(WatchMark.CAUGHT_UP)
        return self._bucket.entry_of(message.subject, message.payload, place.sequence, headers or Headers())


@asynccontextmanager
async def watch(client: TrioClient, bucket: Bucket) -> AsyncIterator[Watch]:
    """Watch a bucket until the block ends."""
    watching = Watch(client, bucket)
    try:
        yield watching
    finally:
        await watching.aclose()
