"""A commit that one client waits for alone: begun and finished by turns of the hub, and never at others' cost."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.errors import StorageError
from warren.gateway.network import hub as hub_module
from warren.gateway.network.clock import Clock
from warren.gateway.network.hub import NEAR_S, NEXT_S, TOGETHER_S, Hub
from warren.gateway.network.sockets import Sockets
from warren.gateway.process import commit as commit_module
from warren.gateway.process import disk_thread
from warren.gateway.process.commit import QUICK_IN_A_ROW, run_commits
from warren.gateway.process.disk_thread import DiskThread
from warren.gateway.process.slow_disk import SlowDisk

PATIENCE_S = 60.0

NEXT_COUNT = 5
"""So many messages are sent, each upon the confirm of the one before."""


class Disk:
    """fdatasync that waits while `slow`, and says by `began` that it does; `go` lets it return.

    took_s: what the clock shows for each write.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow = False
        self.took_s = 0.0
        self.error: OSError | None = None
        self.began = threading.Event()
        self.go = threading.Event()
        self._clock_s = 0.0
        monkeypatch.setattr(os, "fdatasync", self._sync)
        monkeypatch.setattr(disk_thread, "perf_counter", self._clock)

    def _sync(self, descriptor: int) -> None:
        self.began.set()
        if self.slow:
            assert self.go.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error

    def _clock(self) -> float:
        self._clock_s += self.took_s
        return self._clock_s


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedBroker]:
    simulated = SimulatedBroker(tmp_path)
    yield simulated
    simulated.close()


@pytest.fixture
def client(simulated: SimulatedBroker) -> SimulatedClient:
    """Channel 1 confirms; the queue q is durable.  Commits are the hub's."""
    client = simulated.connect()
    client.declare("q", durable=True)
    client.confirm_select()
    simulated.commits_by_itself = False
    return client


@asynccontextmanager
async def committing(simulated: SimulatedBroker) -> AsyncIterator[Hub]:
    """A hub whose turns are the test's."""
    hub = Hub(simulated.broker, Clock())
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_commits, hub, SlowDisk("messages"))
            await trio.testing.wait_all_tasks_blocked()
            yield hub
            nursery.cancel_scope.cancel()
    finally:
        hub.close()


def confirmed(client: SimulatedClient) -> list[int]:
    client.collect()
    found = (event.method for event in client.take())
    return [method.delivery_tag for method in found if isinstance(method, methods.BasicAck)]


async def until(hub: Hub, is_so: Callable[[], bool]) -> None:
    """Turns of the hub, each when something is ready, until it is so."""
    with trio.fail_after(PATIENCE_S):
        while not is_so():
            await trio.lowlevel.wait_readable(hub.sockets.descriptor() or 0)
            hub.turn()


async def publish_quickly(hub: Hub, client: SimulatedClient, count: int) -> None:
    for _ in range(count):
        client.publish("q", b"body", properties=PERSISTENT)
        hub.turn()
        if hub.begin_commit is None:
            await until(hub, lambda: hub.begin_commit is not None)


async def test_a_lone_confirm_goes_out_with_the_turn_that_brought_the_message(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with committing(simulated) as hub:
        await publish_quickly(hub, client, QUICK_IN_A_ROW)
        assert confirmed(client)[-1] == QUICK_IN_A_ROW
        monkeypatch.setattr(hub_module, "NEAR_S", PATIENCE_S)
        client.publish("q", b"body", properties=PERSISTENT)
        hub.turn()
        assert confirmed(client) == [QUICK_IN_A_ROW + 1]


class Prompt:
    """A hub's sockets, beside which the client publishes once more as soon as it has the last confirm."""

    def __init__(self, sockets: Sockets, publish: Callable[[], bool]) -> None:
        self._sockets = sockets
        self._publish = publish

    def poll(self, timeout_s: float = 0.0) -> bool:
        return self._publish() or self._sockets.poll(timeout_s)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sockets, name)


@pytest.mark.parametrize(("together_s", "in_a_turn"), [(PATIENCE_S, NEXT_COUNT), (0.0, 1)], ids=["goes on", "ends"])
async def test_what_a_client_sends_upon_its_confirm_is_a_part_of_the_turn_for_a_while(
    simulated: SimulatedBroker,
    client: SimulatedClient,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    together_s: float,
    in_a_turn: int,
) -> None:
    numbers: list[int] = []

    def publish() -> bool:
        found = confirmed(client)
        numbers.extend(found)
        if not found or len(numbers) >= NEXT_COUNT:
            return False
        client.publish("q", b"next", properties=PERSISTENT)
        return True

    async with committing(simulated) as hub:
        await publish_quickly(hub, client, QUICK_IN_A_ROW)
        confirmed(client)
        monkeypatch.setattr(hub_module, "NEAR_S", PATIENCE_S)
        monkeypatch.setattr(hub_module, "NEXT_S", 0.0)
        monkeypatch.setattr(hub_module, "TOGETHER_S", together_s)
        hub.sockets = cast("Sockets", Prompt(hub.sockets, publish))
        client.publish("q", b"first", properties=PERSISTENT)
        hub.turn()
        numbers += confirmed(client)
        assert numbers == [QUICK_IN_A_ROW + 1 + number for number in range(in_a_turn)]


async def test_a_turn_waits_for_nothing_while_a_task_is_ready(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with committing(simulated) as hub, trio.open_nursery() as others:
        await publish_quickly(hub, client, QUICK_IN_A_ROW)
        monkeypatch.setattr(hub_module, "NEAR_S", PATIENCE_S)
        disk.slow = True
        client.publish("q", b"body", properties=PERSISTENT)
        others.start_soon(trio.lowlevel.checkpoint)
        hub.turn()  # comes back although the disk keeps the sync waiting
        assert disk.began.wait(PATIENCE_S)
        disk.go.set()
        await until(hub, lambda: hub.begin_commit is not None)
        assert confirmed(client)[-1] == QUICK_IN_A_ROW + 1


async def test_no_confirm_is_sent_before_the_sync(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk
) -> None:
    async with committing(simulated) as hub:
        await publish_quickly(hub, client, QUICK_IN_A_ROW)
        confirmed(client)
        disk.slow = True
        client.publish("q", b"body", properties=PERSISTENT)
        hub.turn()  # comes back while the disk keeps the sync waiting: nobody else waits for it
        assert disk.began.wait(PATIENCE_S)
        client.publish("q", b"transient, and behind the other on its channel")
        other = simulated.connect()
        other.declare("other")
        other.consume("other", no_ack=True)
        other.publish("other", b"meanwhile")
        hub.turn()
        assert other.take_bodies() == [b"meanwhile"]
        assert confirmed(client) == []
        disk.go.set()
        await until(hub, lambda: hub.begin_commit is not None)
        assert confirmed(client) == [QUICK_IN_A_ROW + 2]


def test_a_turn_waits_for_no_disk_as_long_as_anybody_would_notice() -> None:
    assert max(NEAR_S, NEXT_S) + TOGETHER_S <= 0.005


async def test_the_first_slow_sync_ends_the_waiting(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_waiting() -> None:
        raise AssertionError("the turn waits for a disk that isn't known to be quick")

    async with committing(simulated) as hub:
        await publish_quickly(hub, client, QUICK_IN_A_ROW)
        disk.took_s = NEAR_S
        await publish_quickly(hub, client, 1)
        disk.took_s = 0.0
        with monkeypatch.context() as patched:
            patched.setattr(hub, "_await_commit", no_waiting)
            await publish_quickly(hub, client, QUICK_IN_A_ROW)
        waited = []
        monkeypatch.setattr(hub, "_await_commit", lambda: waited.append(True))
        client.publish("q", b"body", properties=PERSISTENT)
        hub.turn()
        assert waited == [True]
        await until(hub, lambda: hub.begin_commit is not None)


async def test_much_is_never_waited_for(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with committing(simulated) as hub:
        await publish_quickly(hub, client, QUICK_IN_A_ROW)
        client.publish("q", bytes(commit_module.NEAR_BYTES_MAX), properties=PERSISTENT)
        hub.turn()
        assert hub.begin_commit is None
        assert not hub.is_commit_near
        await until(hub, lambda: hub.begin_commit is not None)


async def test_what_comes_while_a_commit_is_under_way_rides_the_next(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk
) -> None:
    async with committing(simulated) as hub:
        disk.slow = True
        for _ in range(3):
            client.publish("q", b"body", properties=PERSISTENT)
            hub.turn()
        assert hub.begin_commit is None
        disk.go.set()
        await until(hub, lambda: hub.begin_commit is not None)
        assert confirmed(client) == [1, 3]


async def test_a_stop_finishes_the_commit_that_is_under_way(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = DiskThread.stop

    def release_and_stop(thread: DiskThread) -> None:
        disk.go.set()
        stop(thread)

    monkeypatch.setattr(DiskThread, "stop", release_and_stop)
    async with committing(simulated) as hub:
        disk.slow = True
        client.publish("q", b"body", properties=PERSISTENT)
        hub.turn()
    simulated.settle()
    assert confirmed(client) == [1]


@pytest.mark.parametrize("stops", [False, True], ids=["running", "stopping"])
async def test_a_disk_that_fails_ends_the_broker(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk, *, stops: bool
) -> None:
    disk.error = OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.RaisesGroup(pytest.RaisesExc(StorageError, match="can't be written"), flatten_subgroups=True):
        async with committing(simulated) as hub:
            client.publish("q", b"body", properties=PERSISTENT)
            hub.turn()
            if not stops:
                with trio.fail_after(PATIENCE_S):
                    await trio.lowlevel.wait_readable(hub.sockets.descriptor() or 0)
                    hub.turn()
                    await trio.sleep_forever()
    assert confirmed(client) == []


async def test_an_error_that_nobody_foresaw_ends_the_broker(
    simulated: SimulatedBroker, client: SimulatedClient, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("a mistake")

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a mistake"), flatten_subgroups=True):
        async with committing(simulated) as hub:
            monkeypatch.setattr(commit_module, "_begin", lambda hub: broken())
            client.publish("q", b"body", properties=PERSISTENT)
            hub.turn()
            with trio.fail_after(PATIENCE_S):
                await trio.sleep_forever()
    assert confirmed(client) == []
