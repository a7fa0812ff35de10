"""This node in its cluster: it joins, claims the shards that are to be its own, and hands them over.

The broker begins without waiting for long: what can't be reached yet is said, and queues of the cluster wait meanwhile
(core.cluster.unowned).  Nothing that goes wrong here ends the broker, but what is refused before it has begun to work.

Longer than 400 lines because it answers both what the broker asks and what the cluster does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from warren.adapters.mqtt.sessions.place import world_of
from warren.core.cluster.away import AwayQueue, away_queue, home_of
from warren.core.cluster.hook import Node
from warren.core.cluster.queue import is_replicated_here
from warren.core.cluster.queue import made as made_here
from warren.core.cluster.remote_queue import RemoteQueue
from warren.core.cluster.replacing import replace
from warren.core.cluster.shards import shard_of, to_claim, to_hand_over
from warren.core.cluster.sharing import QUORUM
from warren.core.cluster.unowned import UnownedQueue, unowned_queue
from warren.core.errors import StorageError
from warren.core.exchanges.stable_hash import stable_hash
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.gateway.cluster import status
from warren.gateway.cluster.asking import Asking
from warren.gateway.cluster.connecting import options_of
from warren.gateway.cluster.errors import ClusterRefusedError
from warren.gateway.cluster.figures import figures_of
from warren.gateway.cluster.forgetting import forget
from warren.gateway.cluster.identity import identity_of
from warren.gateway.cluster.interest import InterestExchange
from warren.gateway.cluster.joining import Joining, ask_for_rebalancing
from warren.gateway.cluster.names import CLUSTER, NODES, REBALANCE, SHARDS, node_key, shard_key, shard_number
from warren.gateway.cluster.owning import ACTIVE, CLAIMING, OwnedShard
from warren.gateway.cluster.sessions import SessionsExchange
from warren.gateway.cluster.tables import Table, node_of, owner_of
from warren.gateway.facts import node_name
from warren.gateway.nats.errors import NatsError
from warren.gateway.nats.key_value import Bucket, Entry
from warren.gateway.nats.leases import Lease
from warren.gateway.nats.trio_client import TrioClient, open_client
from warren.gateway.version import WARREN_VERSION

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.claims import Claims
    from warren.core.administration.listing.far import FarRow
    from warren.core.administration.steps import Steps
    from warren.core.broker import Broker
    from warren.core.cluster.beyond import Beyond
    from warren.core.cluster.figures import ClusterFigures, Tally
    from warren.core.cluster.shard import Shard
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.gateway.cluster.definitions import SharedDefinitions
    from warren.gateway.cluster.links import ClusterLinks
    from warren.gateway.cluster.retained import RetainedExchange
    from warren.gateway.cluster.settings import ClusterSettings
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")

START_WAIT_S: Final = 10.0
"""How long a start waits for its place in the cluster, and for the shards that are its own, before it goes on."""

LOOK_S: Final = 0.5
"""How often the state of things is looked at."""

RETRY_S: Final = 2.0
"""Between two tries to join."""

STRAY_S: Final = 6.0
"""A shard that whoever should have it doesn't claim for so long is any node's."""

AWAY_S: Final = 3.0
"""After that long without a NATS server, or in a flush, the alarm is raised: an election takes longer, a hiccup not."""

REBALANCED_S: Final = 10.0
"""How long `rebalanced` waits for all nodes to have done it."""

QUEUES_PER_SLICE: Final = 50
"""Queues that are exchanged in one turn, some 50 µs each without many messages or bindings."""

ALARM: Final = "cluster"
JOINING: Final = "joining"
JOINED: Final = "joined"
REFUSED: Final = "refused"
DRAINING: Final = "draining"


class ClusterNode:
    """See the head of this file; it is the broker's `core.cluster.hook.ClusterHook`.

    directory: the data directory.  state: one of the words above.  why: what keeps it from joining, for people.
    owners: the name of the node that has a shard.  troubles: why this node let a shard go, in words.
    tallies: what has happened to shards here since the start.  leases_lost: how often a lease was, of whatever.
    make_links: makes the links to other nodes; without it their queues
    can't be reached from here, and the other way round.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        directory: Path,
        broker: Broker,
        make_links: Callable[[ClusterNode, Hub], ClusterLinks] | None = None,
    ) -> None:
        self.name = settings.node_name or node_name()
        self.directory = directory
        self.broker = broker
        self.replicas = settings.replicas
        self.shards = settings.shards
        self.options = options_of(settings, self.name)
        self.identity = identity_of(directory)
        self.state = JOINING
        self.why = ""
        self.link = ""
        self.links: ClusterLinks | None = None
        self.interest: InterestExchange | None = None
        self.claims: Claims
        self.asking = Asking(broker, self.name, self._others, lambda: self.is_connected)
        self._make_links = make_links
        self._moved: set[int] = set()
        self._has_moved = trio.Event()
        self.hub: Hub
        self._nursery: trio.Nursery
        self._client: TrioClient | None = None
        self.owned: dict[int, OwnedShard] = {}
        self.owners: dict[int, str] = {}
        self._nodes = Table(node_of, self._node_changed)
        self._shards = Table(owner_of, self._owner_changed)
        self._asked = Table(_revision, self._rebalancing_asked)
        self._asked_at = 0
        self._put_off: dict[int, float] = {}
        self._stray_since_s: dict[int, float] = {}
        self.troubles: dict[int, str] = {}
        self.tallies: dict[int, Tally] = {}
        self.leases_lost = 0
        self.definitions: SharedDefinitions
        self.retained: RetainedExchange
        self._lease: Lease
        self._look = trio.Event()
        self._is_placed = trio.Event()
        self._refused: ClusterRefusedError | None = None
        self._has_begun = False
        self._stopping = trio.Event()
        self._stopped = trio.Event()
        self._away_since_s = 0.0

    # What the broker asks (core.cluster.hook)

    def end_of_turn(self) -> bool:
        """Begin what has to be written, and have told what has changed."""
        if self.interest is not None:
            self.interest.end_of_turn()
        more = False
        for owned in self.owned.values():
            if owned.commits is not None:
                more |= owned.commits.begin()
        return more

    def makes(self, made: type[Queue], *, durable: bool, exclusive: bool) -> bool:
        """Quorum queues are replicated, whatever policies say."""
        return made.type_name == QUORUM and durable and not exclusive

    def number_of(self, vhost: str, name: str) -> int:
        """The same on every node."""
        return (stable_hash(f"{vhost}\0{name}") >> 2) or 1

    def shard_of(self, vhost: str, name: str) -> int:
        """The shard of a queue."""
        return shard_of(vhost, name, self.shards)

    def queue(
        self,
        vhost: VirtualHost,
        name: str,
        *,
        auto_delete: bool,
        arguments: Mapping[str, FieldValue],
        arguments_raw: bytes,
        store_id: int,
    ) -> Queue:
        """The queue itself where its shard is here, or what stands for it."""
        owned = self.owned.get(self.shard_of(vhost.name, name))
        shard = owned.shard if owned is not None and owned.state in (CLAIMING, ACTIVE) else None
        if shard is None:
            return self._elsewhere(
                vhost,
                name,
                auto_delete=auto_delete,
                arguments=arguments,
                arguments_raw=arguments_raw,
                store_id=store_id,
            )
        return self._here(
            shard,
            vhost,
            name,
            auto_delete=auto_delete,
            arguments=arguments,
            arguments_raw=arguments_raw,
            store_id=store_id,
        )

    def beyond_of(self, vhost: VirtualHost) -> Beyond | None:
        """See ClusterHook."""
        return None if self.interest is None else self.interest.audiences.of(vhost)

    def queue_made(self, queue: Queue) -> None:
        """See ClusterHook."""
        if self.interest is not None:
            self.interest.bindings.made(queue)

    def queue_named(self, vhost: VirtualHost, name: str) -> None:
        """See ClusterHook."""
        if self.interest is not None:
            self.interest.bindings.named(vhost.name, name)

    def queue_unnamed(self, vhost: VirtualHost, name: str) -> None:
        """See ClusterHook."""
        if self.interest is not None:
            self.interest.bindings.unnamed(vhost.name, name)

    def place_of(self, queue: Queue) -> Node | None:
        """The node that has its shard."""
        owner = self.owners.get(self.shard_of(queue.vhost.name, queue.name), "")
        return self._nodes.rows.get(node_key(owner)) if owner else None

    @property
    def is_connected(self) -> bool:
        """Whether a NATS server is, as far as is known."""
        return self._client is not None and self._client.is_connected

    @property
    def holds_lease(self) -> bool:
        """Whether its place in the cluster is its own, as far as is known."""
        return self.state in (JOINED, DRAINING) and self._lease.is_fresh

    @property
    def client(self) -> TrioClient:
        """To the NATS servers; there is one from the start on."""
        assert self._client is not None
        return self._client

    @property
    def nodes(self) -> dict[str, Node]:
        """Those that are there, by name."""
        return {node.name: node for node in self._nodes.rows.values()}

    def _others(self) -> list[str]:
        return [node.name for node in self._nodes.rows.values() if node.name != self.name]

    async def rows_elsewhere(self, what: str, where: tuple[str, str] | None = None) -> Sequence[FarRow]:
        """See ClusterHook."""
        return await self.asking.rows(what, where)

    async def counts_elsewhere(self) -> Mapping[str, int]:
        """See ClusterHook."""
        return await self.asking.counts()

    async def count_elsewhere(self, queue: Queue | None = None) -> None:
        """See ClusterHook."""
        await self.asking.count(queue)

    def want_counts(self) -> None:
        """See ClusterHook."""
        self.asking.want_counts()

    async def close_elsewhere(
        self, reason: str, *, name: str = "", vhost: str = "", user: str = "", node: str = ""
    ) -> int:
        """See ClusterHook."""
        return await self.asking.close(reason, name=name, vhost=vhost, user=user, node=node)

    def _here(
        self,
        shard: Shard,
        vhost: VirtualHost,
        name: str,
        *,
        auto_delete: bool,
        arguments: Mapping[str, FieldValue],
        arguments_raw: bytes,
        store_id: int,
    ) -> Queue:
        queue = made_here(
            shard,
            vhost,
            name,
            auto_delete=auto_delete,
            arguments=arguments,
            arguments_raw=arguments_raw,
            store_id=store_id,
        )
        # Its rules decide what becomes of what it gets back.
        self.broker.policies.apply_to(vhost.name, queue)
        shard.attach(queue)
        return queue

    def _elsewhere(
        self,
        vhost: VirtualHost,
        name: str,
        *,
        auto_delete: bool,
        arguments: Mapping[str, FieldValue],
        arguments_raw: bytes,
        store_id: int,
    ) -> Queue:
        owner = self._reached(self.shard_of(vhost.name, name))
        if owner and self.links is not None:
            return self.links.remote(
                owner,
                vhost,
                name,
                auto_delete=auto_delete,
                arguments=arguments,
                arguments_raw=arguments_raw,
                store_id=store_id,
            )
        return unowned_queue(
            vhost,
            name,
            auto_delete=auto_delete,
            arguments=arguments,
            arguments_raw=arguments_raw,
            store_id=store_id,
        )

    def queue_at(
        self,
        vhost: VirtualHost,
        name: str,
        node: str,
        *,
        arguments: Mapping[str, FieldValue],
        arguments_raw: bytes,
        store_id: int,
    ) -> Queue:
        """What stands for a queue that another node has by itself: reached over a link, where this node has any."""
        if self.links is None:
            return away_queue(vhost, name, node, arguments=arguments, arguments_raw=arguments_raw, store_id=store_id)
        return self.links.remote(
            node, vhost, name, arguments=arguments, arguments_raw=arguments_raw, store_id=store_id, home=node
        )

    def home_elsewhere(self, vhost: str, name: str) -> str:
        """While this node is drained: the other one that has queues which are declared here; empty for this one."""
        if self.state != DRAINING or self.links is None:
            return ""
        nodes = [node for node in self._nodes.rows.values() if node.name != self.name]
        others = [node.name for node in nodes if node.link and not node.is_draining]
        return max(others, key=lambda node: stable_hash(f"{node}\0{vhost}\0{name}"), default="")

    def is_there(self, node: str) -> bool:
        """Whether it is in the cluster; this one always is."""
        return node == self.name or node_key(node) in self._nodes.rows or not self._nodes.is_complete

    # Shards that come and go

    def _queues_of(self, number: int) -> list[Queue]:
        return [
            queue
            for vhost in self.broker.vhosts.values()
            for queue in vhost.queues.values()
            if queue.of_cluster and not home_of(queue) and self.shard_of(vhost.name, queue.name) == number
        ]

    async def attach(self, shard: Shard) -> None:
        """Its queues are here from now on."""
        await self._exchange(shard.number, shard)

    async def detach(self, shard: Shard) -> None:
        """They aren't any more."""
        await self._exchange(shard.number, None)
        shard.queues.clear()

    def _reached(self, number: int) -> str:
        """The other node that has a shard and can be reached from here; empty where there is none."""
        owner = self.owners.get(number, "")
        if self.links is None or not owner or owner == self.name:
            return ""
        node = self._nodes.rows.get(node_key(owner))
        return owner if node is not None and node.link else ""

    def _is_in_place(self, old: Queue, number: int, shard: Shard | None) -> bool:
        if shard is not None:
            return is_replicated_here(old)
        if isinstance(old, RemoteQueue):
            return old.far.node == self._reached(number)
        return isinstance(old, UnownedQueue) and not self._reached(number)

    async def _keep_up(self) -> None:
        """Queues that other nodes have are reached where they are now."""
        while True:
            await self._has_moved.wait()
            self._has_moved = trio.Event()
            moved, self._moved = self._moved, set()
            for number in sorted(moved):
                owned = self.owned.get(number)
                if owned is None or owned.state not in (CLAIMING, ACTIVE):
                    await self._exchange(number, None)

    def _has_changed(self, numbers: Iterable[int]) -> None:
        self._moved.update(numbers)
        self._has_moved.set()

    async def _reach_homes(self) -> None:
        """There are links from now on, so what stood for queues of other nodes while there were none is exchanged."""
        away = [
            queue
            for vhost in self.broker.vhosts.values()
            for queue in vhost.queues.values()
            if isinstance(queue, AwayQueue)
        ]
        for count, old in enumerate(away, 1):
            new = self.queue_at(
                old.vhost,
                old.name,
                old.home,
                arguments=old.arguments,
                arguments_raw=old.arguments_raw,
                store_id=old.store_id,
            )
            replace(old.vhost, old, new)
            if count % QUEUES_PER_SLICE == 0:
                await trio.lowlevel.checkpoint()

    async def _exchange(self, number: int, shard: Shard | None) -> None:
        for count, old in enumerate(self._queues_of(number), 1):
            vhost = old.vhost
            if vhost.queues.get(old.name) is not old or self._is_in_place(old, number, shard):
                continue
            new = self.queue(
                vhost,
                old.name,
                auto_delete=old.auto_delete,
                arguments=old.arguments,
                arguments_raw=old.arguments_raw,
                store_id=old.store_id,
            )
            replace(vhost, old, new)
            if count % QUEUES_PER_SLICE == 0:
                self.hub.settle()
                await trio.lowlevel.checkpoint()
        self.hub.request_turn()

    def put_off(self, number: int, seconds: float) -> None:
        """A shard isn't to be tried again before so long."""
        self._put_off[number] = trio.current_time() + seconds

    def look(self) -> None:
        """Something may be different: see whether there is something to do."""
        self._look.set()

    # Running

    async def run(self, hub: Hub, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be a node of the cluster until `stop`.  Raises ClusterRefusedError before it has begun."""
        self.hub = hub
        if self._make_links is not None:
            self.links = self._make_links(self, hub)
            self.link = self.links.address
            await self._reach_homes()
        try:
            async with open_client(self.options) as self._client, trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._live, nursery)
                nursery.start_soon(self._watch_over)
                if self.links is not None:
                    nursery.start_soon(self.links.run)
                    nursery.start_soon(self._keep_up)
                with trio.move_on_after(START_WAIT_S) as waiting:
                    await self._is_placed.wait()
                if self._refused is not None:
                    raise self._refused
                if waiting.cancelled_caught:
                    _log.warning("starting without a place in the cluster: %s", self.why or "it takes long")
                self._has_begun = True
                task_status.started()
                await self._stopping.wait()
                await self._leave()
                nursery.cancel_scope.cancel()
        finally:
            self._stopped.set()

    async def stop(self) -> None:
        """Hand everything over, and leave the cluster; returns when that is done."""
        self._stopping.set()
        await self._stopped.wait()

    async def drain(self) -> None:
        """Hand all shards over, and take no others until `revive`."""
        if self.state != JOINED:
            return
        self.state = DRAINING
        self._tell()
        await self._announce()
        await self._hand_over(list(self.owned), "this node is drained")

    async def revive(self) -> None:
        """Take shards again."""
        if self.state == DRAINING:
            self.state = JOINED
            self._tell()
            await self._announce()
            self.look()

    async def forget(self, name: str) -> int:
        """Delete the durable queues of a node that has left for good (forgetting.py)."""
        return await forget(self, name)

    async def rebalanced(self) -> Mapping[str, int]:
        """Ask all nodes, this one too, to give away what others are to have; how many shards each has when they have.

        Raises StorageError where they can't be asked, or haven't in time.
        """
        try:
            await ask_for_rebalancing(self.client, self.name)
        except NatsError as error:
            raise StorageError(f"the nodes can't be asked: {error}") from error
        with trio.move_on_after(REBALANCED_S) as waiting:
            while not status.is_balanced(self):
                await trio.sleep(REBALANCED_S / 100)
        if waiting.cancelled_caught:
            raise StorageError("the shards are still on their way; see cluster_status")
        return {str(row["name"]): cast("int", row["shards"]) for row in status.node_rows(self)}

    def _details(self) -> dict[str, object]:
        return {
            "link": self.link,
            "version": WARREN_VERSION,
            "started_at_ms": self.broker.started_at_ms,
            "draining": self.state == DRAINING,
        }

    def _tell(self) -> None:
        self._lease.tell(self._details())

    async def _announce(self) -> None:
        try:
            await self._lease.renew()
        except NatsError as error:
            _log.warning("the other nodes hear of it later: %s", error)

    async def _live(self, nursery: trio.Nursery) -> None:
        bucket = Bucket(NODES)
        self._lease = Lease(
            self.client, bucket, node_key(self.name), self.name, identity=self.identity, details=self._details()
        )
        joining = Joining(self.client, self._lease, self.name, shards=self.shards, replicas=self.replicas)
        while not await self._joined(joining):
            await trio.sleep(RETRY_S)
        self.state, self.why = JOINED, ""
        _log.info("this is node '%s' of the cluster", self.name)
        nursery.start_soon(self._keep_node)
        nursery.start_soon(self.asking.run, self.hub, self.client)
        for table, name in ((self._nodes, NODES), (self._shards, SHARDS), (self._asked, CLUSTER)):
            nursery.start_soon(self._watch, table, Bucket(name))
        nursery.start_soon(self.definitions.run, self.hub, self.client)
        if self.links is not None:
            self._begin_interest(nursery, self.links)
        await self._know_definitions()
        nursery.start_soon(self.retained.run, self.hub, self.client)
        await self._claim(nursery)

    def _begin_interest(self, nursery: trio.Nursery, links: ClusterLinks) -> None:
        # The number of a write that made the lease only grows, whatever clocks do.
        self.interest = interest = InterestExchange(self.broker, self.name, self._lease.revision, links.audience)
        interest.begin()
        nursery.start_soon(interest.run, self.hub, self.client)

        def remote(node: str, vhost: VirtualHost, name: str) -> RemoteQueue:
            return links.remote(node, vhost, name, arguments={}, arguments_raw=EMPTY_TABLE_RAW)

        self.claims = world_of(self.broker).claim_by(self.name)
        sessions = SessionsExchange(self.claims, remote, lambda: not interest.own.is_anything_new)
        nursery.start_soon(sessions.run, self.hub, self.client)

    async def _know_definitions(self) -> None:
        """Return once all queues are known that shards may have messages of; never where this node isn't let in."""
        trouble = await self.definitions.settled()
        if trouble:
            self.state, self.why = REFUSED, trouble
            if not self._has_begun:
                self._refused = ClusterRefusedError(trouble)
                self._is_placed.set()
            await trio.sleep_forever()

    async def _watch(self, table: Table[Any], bucket: Bucket) -> None:
        told = ""
        while True:
            try:
                await table.watch(self.client, bucket)
            except NatsError as error:
                if told != str(error):
                    told = str(error)
                    _log.error("the bucket %s can't be watched: %s; it is tried again", bucket.name, error)
            await trio.sleep(RETRY_S)

    async def _joined(self, joining: Joining) -> bool:
        before = self.why
        try:
            await joining.join()
        except ClusterRefusedError as error:
            self.state, self.why = REFUSED, str(error)
            if not self._has_begun:
                self._refused = error
                self._is_placed.set()
            elif self.why != before:
                _log.critical("this node isn't taken into the cluster: %s", error)
            return False
        except NatsError as error:
            self.state, self.why = JOINING, str(error)
            if self.why != before:
                _log.warning("the cluster can't be joined yet: %s", error)
            return False
        return True

    async def _keep_node(self) -> None:
        """Keep this node's place; one that was lost is taken again, unless somebody else has the name now."""
        while True:
            why = await self._lease.keep(lambda: True)
            self.leases_lost += 1
            while not self._lease.is_fresh:
                try:
                    if not await self._lease.take():
                        _log.error("another node has the name '%s' now: %s", self.name, why)
                        self.why = f"another node has the name '{self.name}'"
                except NatsError:
                    pass
                await trio.sleep(RETRY_S / 4)
            self.why = ""

    # Claiming

    def _node_changed(self, key: str) -> None:
        self._has_changed(number for number, owner in self.owners.items() if not key or node_key(owner) == key)
        if self.interest is not None and self._nodes.is_complete:
            nodes = self._nodes.rows.values()
            others = [node.name for node in nodes if node.link and node.name != self.name]
            self.interest.set_nodes(others)
            self.claims.set_nodes(others)
            self.hub.request_turn()
        self.look()

    def _owner_changed(self, key: str) -> None:
        number = shard_number(key)
        if number >= 0:
            owner = self._shards.rows.get(key)
            if owner is None:
                self.owners.pop(number, None)
            else:
                self.owners[number] = owner
            self._has_changed([number])
        self.look()

    async def _claim(self, nursery: trio.Nursery) -> None:
        is_first = True
        while True:
            with trio.move_on_after(LOOK_S):
                await self._look.wait()
            self._look = trio.Event()
            if not (self._nodes.is_complete and self._shards.is_complete) or self._stopping.is_set():
                continue
            numbers = self._wanted(is_first)
            is_first = False
            for number in numbers:
                self.owned[number] = OwnedShard(self, number)
                nursery.start_soon(self._own, self.owned[number])
            if all(owned.state == ACTIVE for owned in self.owned.values()):
                self._is_placed.set()

    def _wanted(self, is_first: bool) -> list[int]:
        if self.state != JOINED or self.definitions.membership.trouble:
            return []
        there = [node.name for node in self._nodes.rows.values() if not node.is_draining]
        now_s = trio.current_time()
        numbers = to_claim(self.name, there, self.owners, self.shards)
        numbers += self._stray(now_s)
        if is_first:
            # Of an earlier run, which ended before it could give them up.
            numbers += [number for number, owner in self.owners.items() if owner == self.name]
        return [
            number
            for number in dict.fromkeys(numbers)
            if number not in self.owned and now_s >= self._put_off.get(number, now_s)
        ]

    def _stray(self, now_s: float) -> list[int]:
        """Shards that have had no owner for so long that whoever should have them can't."""
        without = [number for number in range(self.shards) if number not in self.owners]
        self._stray_since_s = {number: self._stray_since_s.get(number, now_s) for number in without}
        return [number for number, since_s in self._stray_since_s.items() if now_s - since_s > STRAY_S]

    async def _own(self, owned: OwnedShard) -> None:
        try:
            await owned.run()
        except Exception:
            _log.exception("shard %d: internal error", owned.number)
            self.put_off(owned.number, RETRY_S)
        finally:
            if self.owned.get(owned.number) is owned:
                del self.owned[owned.number]
            self.look()

    # Handing over

    def _rebalancing_asked(self, key: str) -> None:
        if not key:
            self._asked_at = self._asked_at or self._asked.rows.get(REBALANCE, 0) or 1
        elif key == REBALANCE and self._asked.is_complete and self._asked.rows.get(key, 0) > self._asked_at:
            self._asked_at = self._asked.rows[key]
            self._nursery.start_soon(self._rebalance)

    async def _rebalance(self) -> None:
        there = [node.name for node in self._nodes.rows.values() if not node.is_draining]
        given = to_hand_over(self.name, there, self.owners, self.shards)
        await self._hand_over(list(given), "the shards are rebalanced")

    async def _hand_over(self, numbers: list[int], why: str) -> None:
        async with trio.open_nursery() as nursery:
            for number in numbers:
                owned = self.owned.get(number)
                if owned is not None:
                    nursery.start_soon(owned.hand_over, why)

    async def _leave(self) -> None:
        with trio.CancelScope(shield=True):
            await self._hand_over(list(self.owned), "this node stops")
            if self.state in (JOINED, DRAINING):
                with trio.move_on_after(1.0):
                    try:
                        await self._lease.give_up()
                    except NatsError as error:
                        _log.warning("this node's place in the cluster runs out by itself: %s", error)

    # Trouble

    async def _watch_over(self) -> None:
        """Raise the alarm while nothing can be confirmed."""
        while True:
            await trio.sleep(LOOK_S)
            now_s = trio.current_time()
            if self.is_connected:
                self._away_since_s = now_s
            self._away_since_s = self._away_since_s or now_s
            stuck = [owned for owned in self.owned.values() if owned.slow_s > AWAY_S]
            raised = self.state != DRAINING and (now_s - self._away_since_s > AWAY_S or bool(stuck))
            if self.broker.alarms.set(ALARM, raised, source="cluster"):
                if raised:
                    why = next((f": {owned.reason}" for owned in stuck if owned.reason), "")
                    _log.error(
                        "the cluster's NATS servers don't take anything; publishing is blocked until they do%s", why
                    )
                else:
                    _log.warning("the cluster's NATS servers take messages again; publishing goes on")
                self.hub.settle()

    # For people

    @property
    def reason(self) -> str:
        """What is wrong with this node's place in the cluster, or with its part in what all share; empty: nothing."""
        return self.why or self.definitions.membership.trouble

    async def status(self) -> tuple[dict[str, Any], list[str]]:
        """The cluster as it is seen from here: for programs, and in words."""
        found = await status.status_of(self)
        return found, status.lines_of(found)

    def shard_rows(self) -> Steps[list[dict[str, object]]]:
        """See ClusterHook."""
        return status.shard_rows(self)

    def figures(self) -> ClusterFigures:
        """See ClusterHook."""
        return figures_of(self)

    def owners_of_shards(self) -> list[str]:
        """See ClusterHook."""
        return [self.owner_of(number) for number in range(self.shards)]

    def owner_of(self, number: int) -> str:
        """The node that has a shard; empty where none has."""
        owned = self.owned.get(number)
        return (
            self.name if owned is not None and owned.state == ACTIVE else self._shards.rows.get(shard_key(number), "")
        )


def _revision(entry: Entry) -> int | None:
    return entry.revision if entry.key == REBALANCE and not entry.is_gone else None
