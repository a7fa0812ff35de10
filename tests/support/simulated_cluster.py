"""Several brokers of core that share their definitions by a bucket in memory, which is slow, far away, or gone.

Every node has its own view of the bucket: what was written stands in a line until the node is given it (`deliver`).
`take_writes` has a node's writes come to the bucket, of which the answer may be lost.  Nothing happens by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from warren.core.access.answers import Unanswered
from warren.core.access.users import Users
from warren.core.broker import Broker
from warren.core.cluster.agreements import Agreements
from warren.core.cluster.definitions.items import decode
from warren.core.cluster.definitions.joining import Joining, Membership
from warren.core.cluster.definitions.proposals import Found, Write
from warren.core.cluster.definitions.replica import Replica
from warren.core.errors import BrokerError
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.memory import MemoryEngine
from warren.core.storage.recovery import add_vhost, recover

Value = TypeVar("Value")

TURNS_MAX = 1000


class Bucket:
    """Keys, each with its last value and revision, as JetStream keeps them."""

    def __init__(self) -> None:
        self.revision = 0
        self.keys: dict[str, tuple[int, bytes | None]] = {}

    def write(self, write: Write) -> int | None:
        """The new revision; None where the key is at another one than was expected."""
        if self.keys.get(write.key, (0, None))[0] != write.expected:
            return None
        self.revision += 1
        self.keys.pop(write.key, None)
        self.keys[write.key] = self.revision, write.raw
        return self.revision

    def found(self, key: str) -> Found | None:
        """What a key holds."""
        if key not in self.keys:
            return None
        revision, value = self.keys[key]
        return Found(revision, _id_of(value), is_gone=value is None)

    def forget_markers(self) -> None:
        """As when they have outlived their time."""
        for key in [key for key, (_, value) in self.keys.items() if value is None]:
            del self.keys[key]


class Node:
    """One broker.  answers: what commands that were begun have come to, by what they were called."""

    broker: Broker
    replica: Replica
    membership: Membership

    def __init__(self, name: str, bucket: Bucket, *, imports: bool = False, is_seeded: bool = False) -> None:
        self.name = name
        self.bucket = bucket
        self.imports = imports
        self.definitions = MemoryDefinitionStore()
        self.answers: dict[str, object] = {}
        self.now_ms = 1000
        self._seen = 0
        self._lost: list[Write] = []
        self._pinned: dict[str, list[object]] = {}
        if is_seeded:
            Node.stand_alone(self)
        self.start()

    def stand_alone(self) -> Broker:
        """A broker of no cluster over the node's definitions, with the defaults of a first start."""
        broker = Broker(MemoryEngine(), self.definitions, Users(self.definitions), now_ms=self.now_ms)
        recover(broker, default_user="guest", default_password="guest", default_vhost="/")
        return broker

    def start(self) -> None:
        """Start, or start again over the same definitions; nothing else has outlived."""
        agreements = Agreements(self.name)
        self.broker = Broker(
            MemoryEngine(),
            self.definitions,
            Users(self.definitions),
            now_ms=self.now_ms,
            components={"cluster": partial(Replica, agreements=agreements)},
        )
        recover(self.broker, default_user="guest", default_password="guest", default_vhost="/", with_defaults=False)
        replica = self.broker.components["cluster"]
        assert isinstance(replica, Replica)
        self.replica = replica
        self.membership = Membership(self.broker, replica, imports=self.imports)
        self.membership.seed = self._seed
        self.broker.share(agreements)
        self._seen = 0
        self._lost.clear()
        self.answers.clear()
        self.begin_anew()

    def _seed(self) -> None:
        add_vhost(self.broker, "/")
        self.broker.users.add_user("guest", "guest", ["administrator"])
        self.broker.users.set_permissions("guest", "/", ".*", ".*", ".*")

    # The bucket

    def begin_anew(self) -> None:
        """Read all keys once more, with the next `deliver`."""
        self.replica.begins_anew()
        self._seen = 0

    def deliver(self, count: int = 1_000_000) -> None:
        """Have the node hear of so many of the values that it hasn't heard of yet."""
        self.replica.bucket_revision = self.bucket.revision
        waiting = [(revision, key) for key, (revision, _) in self.bucket.keys.items() if revision > self._seen]
        for revision, key in sorted(waiting)[:count]:
            value = self.bucket.keys[key][1]
            self._seen = revision
            self.replica.entry(key, value, revision)
            if not self.replica.is_catching_up:
                self._look()
        if self.replica.is_catching_up and count >= len(waiting):
            self.replica.caught_up()
            self._look()
        self.settle()

    def _look(self) -> None:
        for _ in self.membership.look():
            pass

    def take_writes(self, lose: Callable[[], bool] = lambda: False) -> None:
        """Have the bucket take what the node has written.  lose: whether an answer is lost; it is asked for again."""
        writes, self._lost = [*self._lost, *self.replica.proposals.take()], []
        for write in writes:
            if not write.is_wanted:
                continue
            revision = self.bucket.write(write)
            if lose():
                self._lost.append(write)
            elif revision is not None:
                self.replica.proposals.done(write, revision)
            else:
                self.replica.proposals.refused(write, self.bucket.found(write.key))
        self.settle()

    def settle(self) -> None:
        """Do what the broker has left for later turns."""
        for _ in range(TURNS_MAX):
            if not self.broker.chores:
                return
            self.broker.chores.do_one_slice()
        raise AssertionError("the broker doesn't come to rest")

    def advance(self, ms: int) -> None:
        """Time passes."""
        self.now_ms += ms
        self.broker.now_ms = self.now_ms
        self.replica.proposals.tick(self.now_ms)

    # Clients

    def ask(self, name: str, command: Callable[[Broker], object]) -> None:
        """Begin a command as sessions do: again from its beginning, whenever what it waits for is there."""
        pinned = self._pinned.setdefault(name, [])

        def attempt() -> None:
            try:
                self.answers[name] = command(self.broker)
            except BrokerError as error:
                self.answers[name] = error
            except Unanswered as unanswered:
                pinned.append(unanswered.pin(attempt))
                return
            for awaited in pinned:
                awaited.release()  # type: ignore[attr-defined]
            pinned.clear()

        attempt()

    def answer(self, name: str) -> object:
        """What has become of a command; fails where it still waits, and raises what it was refused with."""
        found = self.answers[name]
        if isinstance(found, BrokerError):
            raise found
        return found

    @property
    def has_joined(self) -> bool:
        """Whether it has what the cluster has."""
        return self.membership.state is Joining.JOINED


def run(*nodes: Node) -> None:
    """Have everything come to rest: all is written, delivered and done."""
    for _ in range(TURNS_MAX):
        before = nodes[0].bucket.revision
        for node in nodes:
            node.take_writes()
        for node in nodes:
            node.deliver()
        if before == nodes[0].bucket.revision and not any(node.replica.proposals.has_something for node in nodes):
            return
    raise AssertionError("the cluster doesn't come to rest")


def _id_of(value: bytes | None) -> str:
    try:
        return "" if value is None else decode(value, 1).id
    except ValueError:
        return ""
