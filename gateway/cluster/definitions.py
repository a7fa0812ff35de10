"""What the cluster shares, between this broker and the bucket: reading it as it changes, and writing proposals.

All that is decided is decided in core.cluster.definitions; here it is carried to and fro.  A write is tried until it is
known what came of it, or nobody waits for it any more; many are under way at once.  NATS may be away for as long as it
likes: who changes something waits, and is refused after a while (core.cluster.definitions.proposals).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from warren.core.cluster.agreements import Agreements
from warren.core.cluster.definitions.items import decode
from warren.core.cluster.definitions.joining import Membership
from warren.core.cluster.definitions.proposals import Found, Write
from warren.core.cluster.definitions.replica import Replica
from warren.gateway.nats import jetstream
from warren.gateway.nats.errors import STREAM_NAME_IN_USE, WRONG_LAST_SEQUENCE, ApiError, NatsError
from warren.gateway.nats.key_value import Bucket, Entry
from warren.gateway.nats.watching import WatchMark, watch
from warren.gateway.turns import give_way

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.nats.trio_client import TrioClient
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")

DEFINITIONS: Final = "warren-definitions"
"""The bucket."""

WRITES_MAX: Final = 64
"""Under way at a time; further ones wait for their turn."""

RETRY_S: Final = 0.2
"""Before what couldn't be asked, or wasn't answered, is asked again."""

LOOK_S: Final = 0.5
"""How often it is looked at who has waited for too long."""

MARKER_S: Final = 60 * 60
"""How long the bucket knows that a key is gone.  Watches that were without a server for longer than half a minute
begin anew, so nobody needs it for as long."""


class SharedDefinitions:
    """Of one broker, in a cluster.

    node: this one's name.  imports: whether what the cluster lacks is brought (`--cluster-import`).  name: of the
    bucket.  The component that `component` makes belongs among the broker's when it is made; `begin` follows once that
    is recovered, without defaults, and `run` when it can be reached by NATS.
    """

    replica: Replica
    membership: Membership

    def __init__(self, node: str, *, imports: bool = False, replicas: int = 3, name: str = DEFINITIONS) -> None:
        self.agreements = Agreements(node)
        self.bucket = Bucket(name)
        self._imports = imports
        self._replicas = replicas
        self._joined = trio.Event()
        self._settled = trio.Event()
        self._taken = trio.Event()
        self._to_write = trio.Event()
        self._limit = trio.CapacityLimiter(WRITES_MAX)

    def component(self, broker: Broker) -> Replica:
        """The broker's part of it (core.component)."""
        self.replica = Replica(broker, self.agreements)
        return self.replica

    def begin(self, broker: Broker, seed: Callable[[], None]) -> None:
        """The broker is recovered: from now on it is one node of a cluster.

        seed: makes what a blank broker starts with, where this is the first node of a new cluster.
        """
        self.membership = Membership(broker, self.replica, imports=self._imports)
        self.membership.seed = seed
        self.membership.joined = self._has_joined
        self.membership.refused = self._settled.set
        self.replica.proposals.written = lambda: self._to_write.set()
        broker.share(self.agreements)

    @property
    def must_wait(self) -> bool:
        """Whether nobody can be served before this node has joined: it has never been in the cluster before."""
        return not self.membership.has_joined_before

    def _has_joined(self) -> None:
        self._joined.set()
        self._settled.set()

    async def joined(self) -> None:
        """Return once this node has what the cluster has."""
        await self._joined.wait()

    async def settled(self) -> str:
        """The same, or what keeps it from that, for people."""
        await self._settled.wait()
        return self.membership.trouble

    async def catch_up(self, client: TrioClient) -> None:
        """Return once all is done here that was agreed on before this call.  Raises NatsError."""
        last = (await client.call(jetstream.stream_info(self.bucket.stream))).last_sequence
        while max(self.replica.revision, self.replica.bucket_revision) < last or self.replica.is_catching_up:
            await self._taken.wait()

    @property
    def queue_numbers(self) -> set[int]:
        """Of all replicated queues that there are, in their shards' logs."""
        return self.replica.queue_numbers()

    async def run(self, hub: Hub, client: TrioClient) -> None:
        """Carry it to and fro, until cancelled.  Raises UnfitServer where the bucket can't keep what it is given."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_all, hub, client, nursery)
            nursery.start_soon(self._look_at_times, hub)
            await self._follow(hub, client)

    # Reading

    async def _follow(self, hub: Hub, client: TrioClient) -> None:
        while True:
            try:
                await make_definitions_bucket(client, self.bucket, self._replicas)
                async with watch(client, self.bucket) as watching:
                    self.replica.begins_anew()
                    while True:
                        await self._take(hub, client, await watching.receive())
            except NatsError as error:
                _log.warning("the cluster's definitions can't be read now, and are asked for again: %s", error)
                await trio.sleep(RETRY_S)

    async def _take(self, hub: Hub, client: TrioClient, told: Entry | WatchMark) -> None:
        replica = self.replica
        hub.note_time()
        if told is WatchMark.BEGINS_ANEW:
            replica.begins_anew()
        elif isinstance(told, Entry):
            replica.entry(told.key, None if told.is_gone else told.value, told.revision)
            if not replica.is_catching_up and not self._joined.is_set():
                await self._look()
        elif replica.is_catching_up:
            replica.bucket_revision = (await client.call(jetstream.stream_info(self.bucket.stream))).last_sequence
            replica.caught_up()
            await self._look()
        hub.request_turn()
        taken, self._taken = self._taken, trio.Event()
        taken.set()

    async def _look(self) -> None:
        for _ in self.membership.look():
            await give_way()

    # Writing

    async def _write_all(self, hub: Hub, client: TrioClient, nursery: trio.Nursery) -> None:
        while True:
            await self._to_write.wait()
            self._to_write = trio.Event()
            for write in self.replica.proposals.take():
                await self._limit.acquire_on_behalf_of(write)
                nursery.start_soon(self._write, hub, client, write)

    async def _write(self, hub: Hub, client: TrioClient, write: Write) -> None:
        try:
            await self._try_to_write(hub, client, write)
        finally:
            self._limit.release_on_behalf_of(write)

    async def _try_to_write(self, hub: Hub, client: TrioClient, write: Write) -> None:
        while write.is_wanted:
            try:
                await self._try_once(hub, client, write)
                return
            except NatsError as error:
                # Whatever became of it, to write it as it was does no harm: see core.cluster.definitions.proposals.
                _log.debug("writing key %s of the cluster's definitions again: %s", write.key, error)
                await trio.sleep(RETRY_S)

    async def _try_once(self, hub: Hub, client: TrioClient, write: Write) -> None:
        key, expected = write.key, write.expected
        try:
            if write.raw is None:
                revision = await client.call(self.bucket.delete(key, expected, ttl_s=MARKER_S))
            else:
                revision = await client.call(self.bucket.write(key, write.raw, expected))
        except ApiError as error:
            if error.code not in WRONG_LAST_SEQUENCE:
                raise
            found = await client.call(self.bucket.get(key))
            hub.note_time()
            self.replica.proposals.refused(write, None if found is None else _found(found))
        else:
            hub.note_time()
            self.replica.proposals.done(write, revision)
        hub.request_turn()

    async def _look_at_times(self, hub: Hub) -> None:
        while True:
            await trio.sleep(LOOK_S)
            hub.note_time()
            self.replica.proposals.tick(hub.broker.now_ms)
            self.replica.table.tidy(hub.broker.now_ms)
            hub.request_turn()


async def make_definitions_bucket(client: TrioClient, bucket: Bucket, replicas: int) -> None:
    """See that it is there.  Raises NatsError."""
    try:
        await client.call(bucket.create(replicas=replicas))
    except ApiError as error:
        if error.code != STREAM_NAME_IN_USE:
            raise


def _found(entry: Entry) -> Found:
    try:
        number = "" if entry.is_gone else decode(entry.value, entry.revision).id
    except ValueError:
        number = ""
    return Found(entry.revision, number, is_gone=entry.is_gone)
