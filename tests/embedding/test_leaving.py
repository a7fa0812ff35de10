"""However the block of `open_broker` is left, clients are told, and nothing stays behind."""

from __future__ import annotations

import gc
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.embedding.clients import TIME_LIMIT_S, ConnectedClient, on_channel
from tests.embedding.process_state import held, settings
from tests.embedding.test_open_broker import publish, take
from warren.gateway import EmbeddedBroker, open_broker

Directory = Path | None


class LeavingError(Exception):
    """What a program may raise in the block."""


@asynccontextmanager
async def with_a_client(directory: Directory) -> AsyncIterator[tuple[ConnectedClient, EmbeddedBroker]]:
    """A broker, and a client that is connected to it when the block begins and still when it is left."""
    async with trio.open_nursery() as nursery, open_broker(directory) as broker:
        client = ConnectedClient(broker)
        nursery.start_soon(client.run)
        await client.connected.wait()
        yield client, broker


async def leave_at_its_end(directory: Directory) -> ConnectedClient:
    async with with_a_client(directory) as (client, broker):
        await on_channel(broker, publish)
    return client


async def leave_by_an_exception(directory: Directory) -> ConnectedClient:
    clients = []
    with pytest.RaisesGroup(LeavingError, flatten_subgroups=True):
        async with with_a_client(directory) as (client, broker):
            clients.append(client)
            await on_channel(broker, publish)
            raise LeavingError
    return clients[0]


async def leave_by_cancellation(directory: Directory) -> ConnectedClient:
    """The client's thread is outside of what is cancelled, to see what it is told."""
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with open_broker(directory) as broker:
                client = ConnectedClient(broker)
                nursery.start_soon(client.run)
                await client.connected.wait()
                await on_channel(broker, publish)
                scope.cancel()
                await trio.sleep_forever()
    assert scope.cancelled_caught
    return client


LEAVING: list[Callable[[Directory], Awaitable[ConnectedClient]]] = [
    leave_at_its_end,
    leave_by_an_exception,
    leave_by_cancellation,
]


@pytest.fixture(params=["in memory", "on disk"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    return tmp_path / "data" if request.param == "on disk" else None


@pytest.mark.parametrize("leave", LEAVING)
async def test_connected_clients_are_told(
    leave: Callable[[Directory], Awaitable[ConnectedClient]], directory: Directory
) -> None:
    with trio.fail_after(TIME_LIMIT_S):
        client = await leave(directory)
    assert client.closed_with is not None
    code, text = client.closed_with
    assert code == 320
    assert text.startswith("CONNECTION_FORCED")


@pytest.mark.parametrize("leave", LEAVING)
async def test_what_was_confirmed_is_kept(
    leave: Callable[[Directory], Awaitable[ConnectedClient]], tmp_path: Path
) -> None:
    await leave(tmp_path)
    async with open_broker(tmp_path) as broker:
        assert await on_channel(broker, take) == b"kept"


@pytest.mark.parametrize("leave", LEAVING)
async def test_nothing_stays_behind(
    leave: Callable[[Directory], Awaitable[ConnectedClient]], directory: Directory
) -> None:
    gc.collect()
    before = held()
    await leave(directory)
    gc.collect()
    assert held() == before


async def test_starting_in_vain_leaves_nothing_behind(tmp_path: Path) -> None:
    async with open_broker() as other:
        host, port = other.address()
        # What it makes for itself, it makes when its tasks first run.
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        before = held()
        with pytest.raises((Exception, BaseExceptionGroup)):
            async with open_broker(tmp_path, listen=["amqp=127.0.0.1:0", f"amqp={host}:{port}"]):
                pytest.fail("it has started")
        gc.collect()
        assert held() == before


@pytest.mark.parametrize("leave", LEAVING)
async def test_the_rest_of_the_process_is_left_alone(
    leave: Callable[[Directory], Awaitable[ConnectedClient]], directory: Directory
) -> None:
    before = settings()
    await leave(directory)
    assert settings() == before


async def test_while_it_runs_too(directory: Directory) -> None:
    before = settings()
    async with open_broker(directory) as broker:
        await on_channel(broker, publish)
        assert settings() == before


async def test_the_limit_of_open_files_is_the_programs_own() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = min(limits[0], 512) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (lower, limits[1]))
    try:
        async with open_broker():
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == lower
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_a_data_directory_holds_no_trace_of_running(tmp_path: Path) -> None:
    """No control socket that leads nowhere, no unfinished write-ahead log; the lock file is there but free."""
    async with open_broker(tmp_path) as broker:
        await on_channel(broker, publish)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in names if name.endswith((".sock", "-wal", "-shm", ".tmp"))] == []


async def test_an_exception_of_the_program_arrives_as_it_is() -> None:
    """Not within a group: that the broker runs in a nursery is its own affair."""
    with pytest.raises(LeavingError):
        async with open_broker():
            raise LeavingError
