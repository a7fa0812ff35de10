"""One shard that this node has, or is about to: its lease, taking its log over, its commits, and letting it go.

    claiming     the lease is taken, the log is read from the stream
    active       its queues are here
    handing over its queues take nothing any more, what there is is written, then the lease is given up
    lost         another node has it, or its log can't be written here

How far the shard's stream was when it was last taken over is a key of the bucket of what all nodes have in common.  So
a stream that is gone, or ends before that, isn't taken for a new one, whichever node comes to it: what was confirmed
would be lost without a word.

Whatever happens to it ends here: the broker goes on, and another shard doesn't notice.
"""

from __future__ import annotations

import json
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from warren.core.cluster.figures import Tally
from warren.core.cluster.shard import Shard
from warren.core.errors import StorageError
from warren.core.storage.replicated.engine import ReplicatedEngine
from warren.gateway.cluster.flushing import ShardCommits
from warren.gateway.cluster.names import CLUSTER, DIRECTORY, SHARDS, shard_key, stream_key, stream_name
from warren.gateway.nats.errors import WRONG_LAST_SEQUENCE, ApiError, NatsError
from warren.gateway.nats.key_value import Bucket, Entry
from warren.gateway.nats.leases import Lease, said_by
from warren.gateway.nats.shard_stream import JetStreamShard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.gateway.cluster.node import ClusterNode

_log = logging.getLogger("warren.cluster")

COMPACTION_PAUSE_S: Final = 0.001
"""As the broker's own log has it."""

SLOW_S: Final = 15.0
"""A flush that takes longer than an election of the stream's servers keeps the lease from being renewed."""

RETRY_S: Final = 0.5
"""Between two tries to have a lease back that couldn't be renewed."""

FAILED_S: Final = 10.0
"""A shard that was lost is tried again after so long, if nobody else has it by then."""

REFUSED_S: Final = 1.0
"""The same of one that somebody else has taken first."""

HANDING_OVER_S: Final = 10.0
"""How long what is pending may take to be written before a shard is let go with it unconfirmed."""

CLAIMING: Final = "claiming"
ACTIVE: Final = "active"
HANDING_OVER: Final = "handing over"
LOST: Final = "lost"


class OwnedShard:
    """See the head of this file.

    state: one of those.  why: what is to be said of it, for people.  shard: once it is active.
    """

    def __init__(self, node: ClusterNode, number: int) -> None:
        self.number = number
        self.state = CLAIMING
        self.why = ""
        self.shard: Shard | None = None
        self.commits: ShardCommits | None = None
        self.ended = trio.Event()
        self._node = node
        self._tally = node.tallies.setdefault(number, Tally())
        self._over = trio.Event()
        name = stream_name(number)
        self._stream = JetStreamShard(node.options, name)
        self._upkeep = JetStreamShard(node.options, name)
        self._lease = Lease(node.client, Bucket(SHARDS), shard_key(number), node.name, identity=node.identity)

    @property
    def is_slow(self) -> bool:
        """Whether a flush takes longer than it should, and another node might do better: not where there is no room."""
        return self.slow_s > SLOW_S and not self._stream.is_full

    @property
    def slow_s(self) -> float:
        """For how long the flush that is under way has been."""
        commits = self.commits
        return trio.current_time() - commits.began_s if commits is not None and commits.began_s else 0.0

    @property
    def reason(self) -> str:
        """Why it is as it is, or what it waits for, for people; empty where all is well."""
        return self.why or self._stream.trouble

    async def run(self) -> None:
        """Have the shard until it is lost or handed over."""
        try:
            if await self._taken():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._keep)
                    nursery.start_soon(self._own, nursery)
                    await self._over.wait()
                    nursery.cancel_scope.cancel()
        finally:
            self._close_streams()
            with trio.CancelScope(shield=True):
                await self._let_go()
            self.ended.set()

    def lose(self, why: str, again_s: float = FAILED_S) -> None:
        """It isn't to be this node's any more, at once.  again_s: when this node may try to have it again."""
        if self.state in (CLAIMING, ACTIVE):
            self._tally.lost += self.state == ACTIVE
            self.state = LOST
            self.why = why
            self._node.put_off(self.number, again_s)
            self._node.troubles[self.number] = why
            _log.warning("shard %d is let go: %s", self.number, why)
            self._close_streams()
        self._over.set()

    async def hand_over(self, why: str) -> None:
        """Write what there is, and give it up; returns when that is done.  why: for people."""
        shard, commits = self.shard, self.commits
        if self.state != ACTIVE or shard is None or commits is None:
            self.lose(why)
            await self.ended.wait()
            return
        self.state = HANDING_OVER
        self.why = why
        for queue in shard.queues.values():
            # Nobody's deliveries have failed by this.
            shard.engine.note_ready_from(queue.store_id, 0)
        await self._node.detach(shard)
        with trio.move_on_after(HANDING_OVER_S):
            await commits.finish()
        self._tally.handed_over += 1
        self._over.set()
        await self.ended.wait()

    async def _taken(self) -> bool:
        try:
            # What earlier runs of this node held is free: the lease of its name has shown that they are gone.
            if await self._lease.take_over(is_dead=True):
                return True
            self.why = "another node has it"
        except NatsError as error:
            self.why = str(error)
            self._node.troubles[self.number] = f"it can't be claimed: {error}"
        self._node.put_off(self.number, REFUSED_S)
        return False

    async def _keep(self) -> None:
        """Renew the lease; without it the shard is kept only as long as nobody can have it."""
        while True:
            why = await self._lease.keep(lambda: not self.is_slow)
            self._node.leases_lost += 1
            reached_s = 0.0
            while not self._lease.is_fresh:
                try:
                    # With NATS away nobody else can have it, and what waits may still be written.
                    entry = await self._node.client.call(Bucket(SHARDS).get(self._lease.key))
                    reached_s = reached_s or trio.current_time()
                    if not self.is_slow:
                        if not await self._lease.take():
                            self.lose(why)
                            return
                    elif (entry is not None and not entry.is_gone) or trio.current_time() - reached_s > SLOW_S:
                        self.lose(f"{why}, and its log can't be written")
                        return
                except NatsError:
                    reached_s = 0.0
                await trio.sleep(RETRY_S)

    async def _own(self, nursery: trio.Nursery) -> None:
        node = self._node
        began_s = trio.current_time()
        try:
            entry = await self._known()
            engine, found = await trio.to_thread.run_sync(self._open, _reached(entry), abandon_on_cancel=False)
        except (StorageError, NatsError, OSError) as error:
            self.lose(f"it can't be taken over: {error}")
            return
        if self.state != CLAIMING:
            engine.close()
            return
        for damage in engine.damage():
            _log.error("shard %d: %s", self.number, damage)
        engine.damaged = partial(self.lose, again_s=0.0)
        self.shard = shard = Shard(node.broker, self.number, engine, found)
        self.commits = ShardCommits(node.hub, nursery, shard, self.lose)
        await node.attach(shard)
        if self.state == CLAIMING:
            self.state = ACTIVE
            self._tally.taken_over += 1
            node.troubles.pop(self.number, None)
            messages = sum(queue.ready_count for queue in shard.queues.values())
            took_ms = (trio.current_time() - began_s) * 1000
            _log.info("shard %d is this node's, with %d messages; taken over in %d ms", self.number, messages, took_ms)
            node.hub.settle()
            node.look()
            nursery.start_soon(self._drop_deleted, shard)
            nursery.start_soon(self._note_stream, engine.claimed, 0 if entry is None else entry.revision)

    async def _known(self) -> Entry | None:
        """What is known of the stream, from whoever had the shard last; waits for it as for the stream itself."""
        while True:
            try:
                entry = await self._node.client.call(Bucket(CLUSTER).get(stream_key(self.number)))
            except NatsError as error:
                self.why = f"it can't be taken over yet: {error}"
                await trio.sleep(RETRY_S)
            else:
                self.why = ""
                return entry

    async def _note_stream(self, sequence: int, revision: int) -> None:
        """Write down how far the stream is, for whoever takes it over next."""
        value = json.dumps({"sequence": sequence, "node": self._node.name}).encode()
        try:
            await self._node.client.call(Bucket(CLUSTER).write(stream_key(self.number), value, revision))
        except ApiError as error:
            # Another node has it by now, or this one's answer was lost.
            if error.code not in WRONG_LAST_SEQUENCE:
                _log.warning("how far the stream of shard %d is can't be noted: %s", self.number, error)
        except NatsError:
            # Whoever has the shard next does it.
            return

    async def _drop_deleted(self, shard: Shard) -> None:
        """What is in the log of queues that were deleted while nobody had it goes, once it is known which there are."""
        node = self._node
        try:
            await node.definitions.catch_up(node.client)
        except NatsError:
            # Whoever has the shard next does it.
            return
        if not node.definitions.membership.trouble:
            # Who isn't let in, or whose bucket was emptied, doesn't know what there is.
            shard.drop_unknown(node.definitions.queue_numbers)

    def _open(self, least: int) -> tuple[ReplicatedEngine, Sequence[tuple[int, Sequence[int], Sequence[int]]]]:
        """least: how far the stream was once; 0 for one that nobody has had yet."""
        node = self._node
        if least:
            self._stream.find(replicas=node.replicas)
        else:
            self._stream.make(replicas=node.replicas)
        directory = node.directory / DIRECTORY / str(self.number)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = ReplicatedEngine(
            directory,
            self._stream,
            self._upkeep,
            owner=node.name,
            least=least,
            pause=partial(time.sleep, COMPACTION_PAUSE_S),
            clock_ns=time.monotonic_ns,
        )
        return engine, list(engine.recover())

    def _close_streams(self) -> None:
        self._stream.close()
        self._upkeep.close()

    async def _let_go(self) -> None:
        shard, commits = self.shard, self.commits
        if shard is not None:
            if self.state != HANDING_OVER:
                await self._node.detach(shard)
            self._tally.refused += shard.give_up()
            if commits is not None:
                await commits.stop()
            self._tally.refused += shard.give_up()
            try:
                shard.engine.close()
            except (OSError, StorageError) as error:
                _log.error("closing the log of shard %d failed: %s", self.number, error)
            self._node.hub.settle()
        if self._lease.is_fresh:
            with trio.move_on_after(RETRY_S):
                try:
                    await self._lease.give_up()
                except NatsError as error:
                    _log.warning("the lease of shard %d runs out by itself: %s", self.number, error)


def _reached(entry: Entry | None) -> int:
    """How far a shard's stream once was, by its key; 0 where nobody has had it yet."""
    sequence = said_by(entry).get("sequence") if entry is not None else None
    return sequence if isinstance(sequence, int) else 0
