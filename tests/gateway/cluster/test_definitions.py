"""Definitions that brokers share by real NATS servers: joining, answers, servers that go away, and whole brokers."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import pytest
import trio

from tests.support.nats_servers import NatsServer, nats_cluster, nats_server, nats_server_path, options_of
from warren.core.access.users import Users
from warren.core.administration.operations import exchanges, users
from warren.core.broker import Broker
from warren.core.cluster.definitions.joining import Joining
from warren.core.cluster.definitions.rows import local_rows
from warren.core.errors import BrokerError, ClusterAway, PreconditionFailed
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.memory import MemoryEngine
from warren.core.storage.recovery import add_vhost, recover
from warren.gateway.cluster.definitions import SharedDefinitions
from warren.gateway.nats.trio_client import open_client
from warren.gateway.network.answered import when_known
from warren.gateway.network.hub import Hub

Value = TypeVar("Value")

WAIT_S = 90.0


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server, which nobody stops."""
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NatsServer]]:
    """Three servers, for this test alone."""
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with nats_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


class FakeHub:
    """What carries definitions to and fro wants of a hub: the broker's time, and turns of it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.offset_ms = 0

    def note_time(self) -> None:
        self.broker.now_ms = int(trio.current_time() * 1000) + self.offset_ms

    def request_turn(self) -> None:
        while self.broker.chores:
            self.broker.chores.do_one_slice()


class Node:
    """One broker with its connection to the servers."""

    def __init__(self, servers: list[NatsServer], name: str, bucket: str, store: MemoryDefinitionStore | None = None):
        self.servers = servers
        self.store = store or MemoryDefinitionStore()
        replicas = 3 if len(servers) > 1 else 1
        self.definitions = SharedDefinitions(name, name=bucket, replicas=replicas)
        self.broker = Broker(
            MemoryEngine(),
            self.store,
            Users(self.store),
            now_ms=0,
            components={"cluster": self.definitions.component},
        )
        recover(self.broker, default_user="", default_password="", default_vhost="/", with_defaults=False)
        self.definitions.begin(self.broker, self._seed)
        self.hub = FakeHub(self.broker)

    def _seed(self) -> None:
        add_vhost(self.broker, "/")
        self.broker.users.add_user("guest", "guest", ["administrator"])

    async def run(self) -> None:
        async with open_client(options_of(self.servers), patience_s=5) as client:
            await self.definitions.run(cast("Hub", self.hub), client)

    async def do(self, command: Callable[[Broker], Value]) -> Value:
        """As a session or an endpoint does it."""

        async def attempt() -> Value:
            return command(self.broker)

        self.hub.note_time()
        with trio.fail_after(WAIT_S):
            return await when_known(attempt)

    async def until(self, condition: Callable[[Broker], bool]) -> None:
        """Wait for what another node has done."""
        with trio.fail_after(WAIT_S):
            while not condition(self.broker):
                await trio.sleep(0.01)


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """Have them joined, until the block ends."""
    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(node.run)
        with trio.fail_after(WAIT_S):
            for node in nodes:
                await node.definitions.joined()
        yield
        nursery.cancel_scope.cancel()


def declare(name: str, type_name: str = "direct") -> Callable[[Broker], object]:
    return lambda broker: exchanges.declare(broker, "/", name, type_name)[0].type_name


def has(name: str) -> Callable[[Broker], bool]:
    return lambda broker: name in broker.vhosts["/"].exchanges


def shared(node: Node) -> list[object]:
    return sorted(((*change[:3], change.value) for change in local_rows(node.broker, "n")), key=repr)


def bucket_name() -> str:
    return "b" + secrets.token_hex(6)


async def test_what_is_declared_on_one_node_is_on_all_and_deletions_are_too(nats: NatsServer) -> None:
    bucket = bucket_name()
    one, two = Node([nats], "n1", bucket), Node([nats], "n2", bucket)
    assert one.definitions.must_wait
    async with running(one, two):
        assert await one.do(declare("x")) == "direct"
        await two.until(has("x"))
        await two.do(lambda broker: users.add(broker, "ada", "secret"))
        await one.until(lambda broker: "ada" in broker.users)
        assert shared(one) == shared(two)
        await two.do(lambda broker: exchanges.delete(broker, "/", "x"))
        assert not has("x")(two.broker)
        await one.until(lambda broker: not has("x")(broker))
        assert await one.do(declare("x", "fanout")) == "fanout", "behind the marker of what is gone"


async def test_of_two_declarations_at_once_one_wins(nats: NatsServer) -> None:
    bucket = bucket_name()
    one, two = Node([nats], "n1", bucket), Node([nats], "n2", bucket)
    outcomes: list[object] = []

    async def try_it(node: Node, type_name: str) -> None:
        try:
            outcomes.append(await node.do(declare("x", type_name)))
        except PreconditionFailed as error:
            outcomes.append(error.name)

    async with running(one, two):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(try_it, one, "direct")
            nursery.start_soon(try_it, two, "fanout")
        assert sorted(map(str, outcomes)) in (["PRECONDITION_FAILED", "direct"], ["PRECONDITION_FAILED", "fanout"])
        await two.until(has("x"))
        assert shared(one) == shared(two)


async def test_many_at_once_are_written_beside_each_other(nats: NatsServer) -> None:
    bucket = bucket_name()
    one, two = Node([nats], "n1", bucket), Node([nats], "n2", bucket)
    async with running(one, two):
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(one.do, declare(f"x{number}"))
        await two.until(lambda broker: all(has(f"x{number}")(broker) for number in range(200)))
        assert shared(one) == shared(two)


async def test_a_node_that_starts_again_knows_everything_before_it_has_read_anything(nats: NatsServer) -> None:
    bucket = bucket_name()
    one, two = Node([nats], "n1", bucket), Node([nats], "n2", bucket)
    async with running(one, two):
        await one.do(declare("stays"))
        await one.do(declare("goes"))
        await two.until(has("goes"))
    async with running(one):
        await one.do(lambda broker: exchanges.delete(broker, "/", "goes"))
    again = Node([nats], "n2", bucket, two.store)
    assert not again.definitions.must_wait
    assert has("stays")(again.broker)
    async with running(again):
        await again.until(lambda broker: not has("goes")(broker))
        assert has("stays")(again.broker)
        assert again.definitions.membership.state is Joining.JOINED


async def test_without_a_majority_of_servers_who_changes_something_waits_and_is_refused(
    cluster: list[NatsServer],
) -> None:
    bucket = bucket_name()
    one, two = Node(cluster, "n1", bucket), Node(cluster, "n2", bucket)
    async with running(one, two):
        assert await one.do(declare("before")) == "direct"
        await two.until(has("before"))
        for server in cluster[:2]:
            server.stop(0)
        with pytest.raises(ClusterAway, match="can't be changed now"):
            await one.do(declare("during"))
        assert await one.do(declare("before")) == "direct", "what is there is there"
        for server in cluster[:2]:
            server.start()

        async def after() -> bool:
            try:
                return await two.do(declare("after")) == "direct"
            except BrokerError:
                return False

        with trio.fail_after(WAIT_S):
            while not await after():
                await trio.sleep(0.1)
        await one.until(has("after"))
        await two.until(lambda broker: has("during")(broker) == has("during")(one.broker))
        assert shared(one) == shared(two)
