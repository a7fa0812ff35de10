"""How a broker ends: clients that don't answer, signals that are repeated, a disk that is gone."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.support.tls_broker import run_of
from tests.support.warren_process import start_warren
from warren.core.broker import Broker
from warren.core.errors import StorageError
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.queues.classic.contents import SETTLED_AT_ONCE
from warren.core.queues.classic.queue import ClassicQueue
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.process import runner
from warren.gateway.process.goodbye import GOODBYE_S, SILENT_S
from warren.gateway.process.stop_signals import HANGUPS, STOP_SIGNALS, note_stop_signals, terminal_is_gone
from warren.gateway.process.stores import close_stores

# Clients that don't answer

STOMP_CONNECT = b"CONNECT\nlogin:guest\npasscode:guest\n\n\0"
MQTT_CONNECT = bytes.fromhex("10 1c 0004") + b"MQTT" + bytes.fromhex("04 c2 003c 0002") + b"me\0\5guest\0\5guest"
LOGINS = {"stomp": STOMP_CONNECT, "mqtt": MQTT_CONNECT, "amqp": b"AMQP\0\0\x09\x01"}


async def connected(broker: EmbeddedBroker, protocol: str) -> trio.SocketStream:
    """A client that has got as far as an answer."""
    stream = await trio.open_tcp_stream(*broker.address(protocol))
    await stream.send_all(LOGINS[protocol])
    await stream.receive_some()
    return stream


@pytest.mark.parametrize("protocol", LOGINS)
async def test_silent_clients_are_not_waited_for_to_the_end(
    protocol: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with open_broker(listen=[f"{protocol}=127.0.0.1:0"]) as broker:
        streams = [await connected(broker, protocol) for _ in range(3)]
        began_s = trio.current_time()
        await broker._server.stop_app()
        assert trio.current_time() - began_s == SILENT_S
        assert "3 clients don't answer; cutting them off" in caplog.text
        for stream in streams:
            await stream.aclose()


async def test_without_clients_nothing_is_waited_for(autojump_clock: MockClock) -> None:
    async with open_broker(listen=["amqp=127.0.0.1:0"]) as broker:
        began_s = trio.current_time()
        await broker._server.stop_app()
        assert trio.current_time() == began_s


async def test_while_somebody_sends_everybody_is_waited_for_up_to_a_bound(autojump_clock: MockClock) -> None:
    async with open_broker(listen=["stomp=127.0.0.1:0"]) as broker, trio.open_nursery() as nursery:
        silent, busy = await connected(broker, "stomp"), await connected(broker, "stomp")

        async def go_on() -> None:
            try:
                while True:
                    await busy.send_all(b"\n")
                    await trio.sleep(SILENT_S * 0.75)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

        nursery.start_soon(go_on)
        await wait_all_tasks_blocked()
        began_s = trio.current_time()
        await broker._server.stop_app()
        assert 2 * SILENT_S < trio.current_time() - began_s <= GOODBYE_S
        await silent.aclose()
        await busy.aclose()
        nursery.cancel_scope.cancel()


# Signals


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, *HANGUPS)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_noted_where_nobody_receives_them(handlers: None) -> None:
    noted = note_stop_signals()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        signal.raise_signal(number)
    assert noted == [signal.SIGTERM, signal.SIGINT, signal.SIGTERM]


def test_what_trio_s_receiver_leaves_over_ends_nothing(handlers: None) -> None:
    noted = note_stop_signals()

    async def stopping() -> None:
        with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
            for _ in range(2):
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
                await wait_all_tasks_blocked()
            async for number in signals:
                assert number in STOP_SIGNALS
                signal.raise_signal(signal.SIGTERM)
                break

    trio.run(stopping)
    assert noted, "the rest is given to the handlers that were there before"


def test_repeated_signals_end_it_in_good_order(tmp_path: Path) -> None:
    running = start_warren(tmp_path, data_directory=tmp_path / "data", listen=["stomp=127.0.0.1:0"])
    try:
        with socket.create_connection(running.addresses["stomp"]) as silent:
            silent.sendall(STOMP_CONNECT)
            assert silent.recv(4096).startswith(b"CONNECTED")
            for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
                os.kill(running.process.pid, number)
            while silent.recv(4096):
                os.kill(running.process.pid, signal.SIGTERM)
            os.kill(running.process.pid, signal.SIGTERM)
        assert running.process.wait(timeout=60) == 0
    finally:
        running.kill()
    assert running.log.read_text().endswith("[info] stopped\n")


# A disk that is gone


def failing(number: int) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT, errno.ENODEV, errno.ESTALE])
async def test_a_directory_that_is_lost_ends_the_broker_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async def until_it_ends() -> None:
        async with open_broker(data_directory=tmp_path / "data", listen=["amqp=127.0.0.1:0"]) as broker:
            monkeypatch.setattr(shutil, "disk_usage", failing(number))
            with trio.fail_after(60):
                await run_of(broker).limits.set(disk_free_bytes=1)
                await trio.sleep_forever()

    with pytest.raises(StorageError) as raised:
        await until_it_ends()
    text = str(raised.value)
    assert text.startswith(f"the data directory {tmp_path / 'data'} can't be looked at: {os.strerror(number)}. What is")
    assert text.endswith("replace the disk, or put the directory back, then start again")


async def test_a_directory_that_cannot_be_looked_at_for_now_blocks_publishers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_broker(data_directory=tmp_path / "data", listen=["amqp=127.0.0.1:0"]) as broker:
        run = run_of(broker)
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "disk_usage", failing(errno.EACCES))
            await run.limits.set(disk_free_bytes=1)
            assert run.broker.alarms.raised() == ["disk"]
            assert "can't be looked at: Permission denied" in caplog.text
        await run.limits.set(disk_free_bytes=1)
        assert run.broker.alarms.raised() == []


async def test_a_disk_that_fails_everywhere_at_once_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def until_it_ends() -> None:
        async with open_broker(data_directory=tmp_path / "data", listen=["amqp=127.0.0.1:0"]) as broker:
            run = run_of(broker)
            run.broker.add_vhost("dirty", {})
            for name in ("fdatasync", "fsync", "ftruncate", "pwrite", "unlink"):
                monkeypatch.setattr(os, name, failing(errno.EIO))
            monkeypatch.setattr(shutil, "disk_usage", failing(errno.EIO))
            run.hub.settle()
            with trio.fail_after(60):
                await run.limits.set(disk_free_bytes=1)
                await trio.sleep_forever()

    with pytest.raises(StorageError, match=r"^(the message log in .* can't be written|the data directory .* can't be)"):
        await until_it_ends()


def fill(broker: Broker, count: int) -> ClassicQueue:
    """The durable queue `q` with `count` stored messages."""
    queue = broker.vhosts["/"].queues["q"]
    assert isinstance(queue, ClassicQueue)
    address, properties = Address("", "q"), encode_properties(delivery_mode=2)
    for _ in range(count):
        message = Message(broker.next_sequence(), address, properties, b"body", 0, 4, 0, broker.now_ms)
        broker.store.append(message, (queue.store_id,))
        queue.append(message)
    return queue


async def test_a_purge_does_not_come_back_after_a_stop_in_good_order(tmp_path: Path) -> None:
    """However many it were: they are settled over many turns, but not over a stop."""
    async with open_broker(data_directory=tmp_path / "data", listen=()) as broker:
        async with broker.connect() as client:
            await client.declare_queue("q", durable=True)
        run = run_of(broker)
        queue = fill(run.broker, 10 * SETTLED_AT_ONCE)
        await broker._server.kept()
        run.hub.settle()
        queue.purge(lambda count: None)
        assert queue.burials.leaving
    async with open_broker(data_directory=tmp_path / "data", listen=()) as broker:
        store = run_of(broker).broker.store
        assert run_of(broker).broker.vhosts["/"].queues["q"].ready_count == 0
        assert store.statistics()["entries"] == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_stop_on_a_full_disk_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """What the last commit holds is tried once: nobody is left who could cancel another try."""

    def the_disk_is_full_now(broker: Broker) -> None:
        fill(broker, 1)
        monkeypatch.setattr(os, "pwrite", failing(number))

    async def until_it_ends() -> None:
        async with open_broker(data_directory=tmp_path / "data", listen=()) as broker:
            async with broker.connect() as client:
                await client.declare_queue("q", durable=True)
            # The commit loop has ended by then.
            monkeypatch.setattr(runner, "finish_chores", the_disk_is_full_now)

    with pytest.raises(StorageError) as raised:
        await until_it_ends()
    assert str(raised.value).startswith("the broker was stopped while the message log in ")
    assert str(raised.value).endswith("Nothing unwritten was confirmed; make room, then start again")


class Unclosable:
    """A store that fails when it is closed; it notes that somebody tried."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.tried = False

    def close(self) -> None:
        self.tried = True
        if self.error is not None:
            raise self.error


BROKEN = [OSError(errno.EIO, "Input/output error"), StorageError("definitions.sqlite: broken")]


@pytest.mark.parametrize("error", BROKEN)
@pytest.mark.parametrize("first_fails", [True, False])
def test_both_stores_are_closed_and_what_fails_is_told(
    caplog: pytest.LogCaptureFixture, error: Exception, first_fails: bool
) -> None:
    store, definitions = Unclosable(error if first_fails else None), Unclosable(None if first_fails else error)
    with pytest.raises(StorageError, match=r"the data can't be closed in good order: .*(error|broken)"):
        close_stores(store, definitions, failed=False)
    assert (store.tried, definitions.tried) == (True, True)
    close_stores(store, definitions, failed=True)
    assert caplog.text.count("closing the data failed, too: ") == 2, "the run's own error says more"


def test_a_directory_that_is_removed_from_under_the_process_leaves_no_traceback(tmp_path: Path) -> None:
    running = start_warren(tmp_path, data_directory=tmp_path / "data")
    try:
        shutil.rmtree(tmp_path / "data")
        assert running.process.wait(timeout=60) == 78
    finally:
        running.kill()
    log = running.log.read_text()
    assert "can't be looked at: No such file or directory. What is written from now on would be lost" in log
    assert "Traceback" not in log


# SIGHUP


def test_a_hangup_is_not_noted_without_a_terminal(handlers: None) -> None:
    noted = note_stop_signals()
    signal.raise_signal(signal.SIGHUP)
    assert noted == []


def test_a_terminal_that_is_gone_is_told_from_one_that_never_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_there in (True, False):
        monkeypatch.setattr(os, "isatty", lambda descriptor, is_there=is_there: is_there)
        assert terminal_is_gone(started_in_terminal=True) is not is_there
        assert not terminal_is_gone(started_in_terminal=False)


def test_a_hangup_ends_nothing(tmp_path: Path) -> None:
    running = start_warren(tmp_path, data_directory=tmp_path / "data", listen=["stomp=127.0.0.1:0"])
    try:
        with socket.create_connection(running.addresses["stomp"]) as client:
            os.kill(running.process.pid, signal.SIGHUP)
            client.sendall(STOMP_CONNECT)
            assert client.recv(4096).startswith(b"CONNECTED")
        os.kill(running.process.pid, signal.SIGTERM)
        assert running.process.wait(timeout=60) == 0
    finally:
        running.kill()
    log = running.log.read_text()
    assert "[info] got SIGHUP\n" in log
    assert "there is nothing to load again" in log


def test_the_end_of_its_terminal_is_a_stop_in_good_order() -> None:
    master, slave = os.openpty()
    options = ["--in-memory", "--listen-only", "stomp=127.0.0.1:0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "warren", "serve", *options], stdin=slave, stdout=slave, stderr=slave
    )
    try:
        os.close(slave)
        log = b""
        while b"is ready" not in log:
            log += os.read(master, 4096)
        os.close(master)
        os.kill(process.pid, signal.SIGHUP)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
