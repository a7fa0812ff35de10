"""A disk that takes no more of a stream, or fails: what a client of the stream protocol sees, and what is kept."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from tests.support.simulated_stream import bodies_of, publish, published
from tests.support.tls_broker import run_of
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import decode, encode
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.core.errors import StorageError
from warren.core.storage.disk.stream_files import DiskFiles
from warren.gateway import EmbeddedBroker, open_broker

PATIENCE_S: Final = 60

LISTEN: Final = ("stream=127.0.0.1:0",)

SUBSCRIPTION: Final = 5


class Disk:
    """The files of streams with a fault: `number` is the error that writes to segments have, 0 for none.

    written: of a write that fails, so many bytes come to the file.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
        self.number = 0
        write = DiskFiles.write

        def faulty(files: DiskFiles, name: str, data: bytes, at: int, *, sync: bool) -> None:
            if self.number and name.endswith(".segment"):
                write(files, name, data[:written], at, sync=False)
                raise OSError(self.number, os.strerror(self.number))
            write(files, name, data, at, sync=sync)

        monkeypatch.setattr(DiskFiles, "write", faulty)


class Client:
    """One connection; what comes is read one command after the other."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._received = b""
        self._correlation = 0

    async def tell(self, *many: commands.Command) -> None:
        await self._stream.send_all(b"".join(map(encode, many)))

    async def take(self) -> Any:
        size = int.from_bytes(await self._exactly(4), "big")
        return decode(await self._exactly(size))

    async def _exactly(self, count: int) -> bytes:
        while len(self._received) < count:
            some = await self._stream.receive_some()
            assert some, "the broker has closed the connection"
            self._received += some
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    async def ask(self, make: Any, *values: object, code: Code = Code.OK) -> Any:
        self._correlation += 1
        await self.tell(make(self._correlation, *values))
        found = await self.take()
        assert (found.correlation_id, found.code) == (self._correlation, code), found
        return found


@asynccontextmanager
async def connected(broker: EmbeddedBroker) -> AsyncIterator[Client]:
    """A client that has logged in."""
    ((host, port),) = broker.listening["stream"]
    async with await trio.open_tcp_stream(host, port) as stream:
        client = Client(stream)
        await client.ask(commands.PeerProperties, {})
        await client.ask(commands.SaslHandshake)
        await client.ask(commands.SaslAuthenticate, "PLAIN", b"\0guest\0guest")
        assert isinstance(await client.take(), commands.Tune)
        await client.tell(commands.Tune(0, 0))
        await client.ask(commands.Open, "/")
        yield client


async def publish_one(client: Client, id: int) -> None:
    await client.tell(publish(1, published(id, b"%d" % id)))


async def stored(client: Client, count: int) -> list[tuple[int, bytes]]:
    """So many messages from the first on."""
    await client.ask(commands.Subscribe, SUBSCRIPTION, "s", OffsetSpec(OffsetType.FIRST), 100)
    found: list[tuple[int, bytes]] = []
    while len(found) < count:
        found += bodies_of((await client.take()).chunk)
    await client.ask(commands.Unsubscribe, SUBSCRIPTION)
    return found


def numbered(count: int) -> list[tuple[int, bytes]]:
    return [(offset, b"%d" % (offset + 1)) for offset in range(count)]


@pytest.mark.interpreted("it replaces a method of DiskFiles")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("written", [0, 30, 70])
async def test_publishers_wait_for_room_and_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int, written: int
) -> None:
    disk = Disk(monkeypatch, written)
    with trio.fail_after(PATIENCE_S):
        async with (
            open_broker(data_directory=tmp_path / "data", listen=LISTEN) as broker,
            connected(broker) as client,
            connected(broker) as other,
        ):
            await client.ask(commands.Create, "s", {})
            await client.ask(commands.DeclarePublisher, 1, "p", "s")
            for id in (1, 2):
                await publish_one(client, id)
                assert await client.take() == commands.PublishConfirm(1, [id])
            disk.number = number
            await publish_one(client, 3)
            await client.tell(commands.StoreOffset("r", "s", 1))
            alarms = run_of(broker).broker.alarms
            while "disk" not in alarms.raised():
                await trio.sleep(0)
            await publish_one(client, 4)
            assert await stored(other, 2) == numbered(2)
            disk.number = 0
            confirmed: list[int] = []
            while len(confirmed) < 2:
                confirm = await client.take()
                assert isinstance(confirm, commands.PublishConfirm)
                confirmed += confirm.publishing_ids
            assert confirmed == [3, 4]
            assert alarms.raised() == []
            assert await stored(other, 4) == numbered(4)
        async with open_broker(data_directory=tmp_path / "data", listen=LISTEN) as broker, connected(broker) as client:
            assert await stored(client, 4) == numbered(4)
            assert (await client.ask(commands.QueryPublisherSequence, "p", "s")).sequence == 4
            assert (await client.ask(commands.QueryOffset, "r", "s")).offset == 1
    (line,) = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    where = tmp_path / "data" / "streams"
    assert line.startswith(f"the stream in {where}")
    assert f"can't be written: {os.strerror(number)}. Publishing is blocked" in line


@pytest.mark.interpreted("it replaces a method of DiskFiles")
async def test_a_disk_that_fails_ends_the_broker_and_nothing_of_it_was_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, 70)
    confirmed: list[int] = []

    async def until_it_ends() -> None:
        async with open_broker(data_directory=tmp_path / "data", listen=LISTEN) as broker, connected(broker) as client:
            await client.ask(commands.Create, "s", {})
            await client.ask(commands.DeclarePublisher, 1, "p", "s")
            await publish_one(client, 1)
            confirmed.extend((await client.take()).publishing_ids)
            disk.number = errno.EIO
            await publish_one(client, 2)
            await trio.sleep_forever()

    with trio.fail_after(PATIENCE_S):
        with pytest.raises(StorageError) as raised:
            await until_it_ends()
        assert str(raised.value).startswith(f"the stream in {tmp_path / 'data' / 'streams'}")
        assert f"can't be written: {os.strerror(errno.EIO)}. Nothing unwritten was confirmed" in str(raised.value)
        assert confirmed == [1]
        disk.number = 0
        async with open_broker(data_directory=tmp_path / "data", listen=LISTEN) as broker, connected(broker) as client:
            assert (await client.ask(commands.QueryPublisherSequence, "p", "s")).sequence == 1
            assert await stored(client, 1) == numbered(1)
