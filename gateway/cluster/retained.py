"""MQTT's retained messages, between this node and the bucket of the cluster.

What is to be done is decided in adapters.mqtt.sessions.sharing_retained; here it is carried.  A message that is larger
than NATS takes at once goes in parts, keys of their own that are written before the topic's: whoever reads the bucket
in order has all parts when the topic comes.  Parts that a topic had before are cleared by all who see it written anew.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final

import trio

from warren.gateway.cluster.definitions import MARKER_S, make_definitions_bucket
from warren.gateway.nats.errors import WRONG_LAST_SEQUENCE, ApiError, NatsError
from warren.gateway.nats.key_value import Bucket, Entry
from warren.gateway.nats.watching import WatchMark, watch

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.sharing_retained import Change, SharedRetained
    from warren.gateway.nats.trio_client import TrioClient
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")

RETAINED: Final = "warren-retained"
"""The bucket."""

PART_BYTES: Final = 512 * 1024
"""A larger value goes in parts: NATS takes a megabyte at once, as it comes."""

WRITES_MAX: Final = 16
"""Under way at a time."""

RETRY_S: Final = 0.5
LOOK_S: Final = 0.5
"""How often it is looked for virtual hosts that have come."""

_PART: Final = "part."
_IN_PARTS: Final = b"parts:"


class RetainedExchange:
    """Of one node."""

    def __init__(self, shared: SharedRetained, replicas: int, name: str = RETAINED) -> None:
        self._shared = shared
        self._replicas = replicas
        self._bucket = Bucket(name)
        self._news = trio.Event()
        self._limit = trio.CapacityLimiter(WRITES_MAX)
        self._parts: dict[str, dict[str, bytes]] = {}
        self._parts_of: dict[str, tuple[str, int]] = {}
        self._to_clear: list[tuple[str, int]] = []
        shared.written = self._has_news

    def _has_news(self) -> None:
        self._news.set()

    async def run(self, hub: Hub, client: TrioClient) -> None:
        """Carry to and fro, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_all, hub, client, nursery)
            nursery.start_soon(self._look, hub)
            while True:
                try:
                    await make_definitions_bucket(client, self._bucket, self._replicas)
                    async with watch(client, self._bucket) as watching:
                        self._begins_anew()
                        while True:
                            self._take(hub, await watching.receive())
                except NatsError as error:
                    _log.debug("the cluster's retained messages can't be read now: %s", error)
                    await trio.sleep(RETRY_S)

    # Reading

    def _begins_anew(self) -> None:
        self._parts.clear()
        self._shared.begins_anew()

    def _take(self, hub: Hub, told: Entry | WatchMark) -> None:
        hub.note_time()
        if told is WatchMark.BEGINS_ANEW:
            self._begins_anew()
        elif isinstance(told, Entry):
            self._entry(told)
        else:
            self._shared.caught_up()
            self._has_news()
        hub.request_turn()

    def _entry(self, entry: Entry) -> None:
        if entry.key.startswith(_PART):
            if not entry.is_gone:
                self._parts.setdefault(entry.key.rpartition(".")[0], {})[entry.key] = entry.value
            return
        before = self._parts_of.pop(entry.key, None)
        if before is not None and entry.value[len(_IN_PARTS) :] != f"{before[0]} {before[1]}".encode():
            self._to_clear.append(before)
            self._has_news()
        if entry.is_gone:
            self._shared.entry(entry.key, None, entry.revision)
            return
        value = entry.value
        if value.startswith(_IN_PARTS):
            name, _, count = value[len(_IN_PARTS) :].decode().partition(" ")
            found = self._parts.pop(name, {})
            self._parts_of[entry.key] = name, int(count)
            value = b"".join(found.get(_part_key(name, index), b"") for index in range(int(count)))
            if len(found) < int(count):
                _log.warning("a retained message of the cluster lacks parts: it was replaced meanwhile")
                return
        self._shared.entry(entry.key, value, entry.revision)

    async def _look(self, hub: Hub) -> None:
        while True:
            await trio.sleep(LOOK_S)
            hub.note_time()
            self._shared.look()
            hub.request_turn()

    # Writing

    async def _write_all(self, hub: Hub, client: TrioClient, nursery: trio.Nursery) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            for change in self._shared.to_write():
                await self._limit.acquire_on_behalf_of(change)
                nursery.start_soon(self._write, hub, client, change)
            clear, self._to_clear = self._to_clear, []
            for name, count in clear:
                await self._clear_parts(client, name, count)
            hub.request_turn()

    async def _write(self, hub: Hub, client: TrioClient, change: Change) -> None:
        try:
            revision = await self._written(client, change)
        except NatsError as error:
            _log.debug("a retained message is written again, to %s: %s", change.key, error)
            await trio.sleep(RETRY_S)
            self._shared.again(change)
            self._has_news()
        else:
            hub.note_time()
            self._shared.done(change, revision)
            hub.request_turn()
        finally:
            self._limit.release_on_behalf_of(change)

    async def _written(self, client: TrioClient, change: Change) -> int:
        bucket, key, value = self._bucket, change.key, change.value
        if value is not None:
            if len(value) > PART_BYTES:
                value = await self._in_parts(client, value)
            return await client.call(bucket.put(key, value))
        entry = await client.call(bucket.get(key))
        if entry is None or entry.is_gone or change.only_at not in (-1, entry.revision):
            return 0
        try:
            return await client.call(bucket.delete(key, entry.revision, ttl_s=MARKER_S))
        except ApiError as error:
            if error.code in WRONG_LAST_SEQUENCE and change.only_at != -1:
                return 0
            raise

    async def _in_parts(self, client: TrioClient, value: bytes) -> bytes:
        """Write the parts; what the topic's own key is to hold."""
        name = _PART + secrets.token_hex(8)
        count = -(-len(value) // PART_BYTES)
        for index in range(count):
            part = value[index * PART_BYTES : (index + 1) * PART_BYTES]
            await client.call(self._bucket.put(_part_key(name, index), part))
        return _IN_PARTS + f"{name} {count}".encode()

    async def _clear_parts(self, client: TrioClient, name: str, count: int) -> None:
        for index in range(count):
            try:
                entry = await client.call(self._bucket.get(_part_key(name, index)))
                if entry is not None and not entry.is_gone:
                    await client.call(self._bucket.delete(entry.key, entry.revision, ttl_s=MARKER_S))
            except NatsError as error:
                # Another node does the same, or has done it.
                _log.debug("a part of a retained message stays in the bucket: %s", error)


def _part_key(name: str, index: int) -> str:
    return f"{name}.{index}"
