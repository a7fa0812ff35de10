"""The control socket itself: who may open it, and what happens to requests that are none."""

from __future__ import annotations

import json
import logging
import os
import socket
from pathlib import Path

import pytest
import trio

from tests.gateway.control.control_target import control_target
from warren.core.errors import StorageError
from warren.gateway.control.client import CommandFailedError, request
from warren.gateway.control.protocol import REQUEST_BYTES_MAX, SOCKET_NAME, encode
from warren.gateway.control.server import REQUEST_TIMEOUT_S, listening_socket


async def exchange(directory: Path, sent: bytes) -> bytes:
    """Everything that comes back for these bytes, after which our side is closed for writing."""
    async with await trio.open_unix_socket(str(directory / SOCKET_NAME)) as stream:
        try:
            await stream.send_all(sent)
            stream.socket.shutdown(socket.SHUT_WR)
        except (trio.BrokenResourceError, OSError):
            pass  # refused before we were done
        received = b""
        while chunk := await stream.receive_some():
            received += chunk
        return received


async def test_only_the_owner_may_open_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    os.umask(before)
    async with control_target(tmp_path):
        assert (tmp_path / SOCKET_NAME).stat().st_mode & 0o777 == 0o600
        assert os.umask(before) == before
    assert not (tmp_path / SOCKET_NAME).exists()


async def test_what_an_earlier_process_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET_NAME))
    assert (tmp_path / SOCKET_NAME).exists()
    async with control_target(tmp_path):
        answer = await trio.to_thread.run_sync(request, tmp_path, "ping")
    assert answer == {"ok": True, "text": "Ping succeeded"}


async def test_a_file_in_its_place_is_not(tmp_path: Path) -> None:
    (tmp_path / SOCKET_NAME).write_text("precious")
    with pytest.RaisesGroup(pytest.RaisesExc(StorageError, match=r"control\.sock can't be made")):
        async with control_target(tmp_path):
            pass
    assert (tmp_path / SOCKET_NAME).exists()


async def test_a_long_path(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120) / ("e" * 120)
    directory.mkdir(parents=True)
    async with control_target(directory):
        assert (directory / SOCKET_NAME).stat().st_mode & 0o777 == 0o600
        assert (await trio.to_thread.run_sync(request, directory, "ping"))["ok"] is True
    assert not (directory / SOCKET_NAME).exists()


def test_a_path_that_is_too_long_where_there_is_no_way_around(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    with pytest.raises(StorageError, match="too long for a Unix socket"):
        listening_socket(directory, "/nowhere")
    with pytest.raises(CommandFailedError, match="too long for a Unix socket"):
        request(directory, "ping", descriptors="/nowhere")


NOT_REQUESTS = [
    (b"\n", "not understood"),
    (b"ping\n", "not understood"),
    (b"[1]\n", "not a JSON object"),
    (b"[" * 100_000 + b"\n", "not understood"),
    (b"\xff\xfe\n", "not understood"),
    (b'{"command": "ping"}', "no newline within"),
    (b"x" * (REQUEST_BYTES_MAX + 1), "no newline within"),
    (b"{}\n", "unknown command 'None'"),
    (encode({"command": "list_queues", "arguments": "name"}), "arguments must be a list of strings"),
    (encode({"command": "list_queues", "arguments": [1]}), "arguments must be a list of strings"),
    (encode({"command": "list_queues", "options": []}), "options must be an object"),
    (encode({"command": "list_queues", "options": {"evil": 1}}), "doesn't take --evil"),
    (encode({"command": "add_user", "arguments": ["u"]}), "the password is missing"),
    (encode({"command": "delete_user"}), "not enough arguments"),
]


@pytest.mark.parametrize(("sent", "expected"), NOT_REQUESTS)
async def test_what_is_not_a_request(tmp_path: Path, sent: bytes, expected: str) -> None:
    async with control_target(tmp_path):
        answer = json.loads(await exchange(tmp_path, sent))
        assert (await trio.to_thread.run_sync(request, tmp_path, "ping"))["ok"] is True
    assert answer["ok"] is False
    assert answer["exit_code"] == 64
    assert expected in answer["error"]


async def test_a_client_that_says_nothing(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with control_target(tmp_path), await trio.open_unix_socket(str(tmp_path / SOCKET_NAME)) as stream:
        started = trio.current_time()
        assert await stream.receive_some() == b""
        assert trio.current_time() - started == pytest.approx(REQUEST_TIMEOUT_S)


async def test_a_client_that_hangs_up(tmp_path: Path) -> None:
    async with control_target(tmp_path):
        assert await exchange(tmp_path, b"") == b""
        async with await trio.open_unix_socket(str(tmp_path / SOCKET_NAME)) as stream:
            await stream.send_all(encode({"command": "ping"}))
        assert (await trio.to_thread.run_sync(request, tmp_path, "ping"))["ok"] is True


async def test_a_bug_in_a_command_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with control_target(tmp_path) as server:
        server.connect("broken")
        with caplog.at_level(logging.ERROR, "warren"), pytest.raises(CommandFailedError) as caught:
            await trio.to_thread.run_sync(request, tmp_path, "list_connections", ["pid"])
        assert (await trio.to_thread.run_sync(request, tmp_path, "ping"))["ok"] is True
    assert caught.value.exit_code == 70
    assert "a bug in the broker" in str(caught.value)
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_many_clients_at_once(tmp_path: Path) -> None:
    answers: list[object] = []

    async def ask() -> None:
        answers.append((await trio.to_thread.run_sync(request, tmp_path, "ping"))["ok"])

    async with control_target(tmp_path), trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    assert answers == [True] * 20


async def test_names_that_are_not_unicode(tmp_path: Path) -> None:
    async with control_target(tmp_path) as server:
        server.fill_queue("caf\udce9", 1)
        answer = await trio.to_thread.run_sync(request, tmp_path, "list_queues", ["name"])
    assert answer["rows"] == [{"name": "caf\udce9"}]


def test_no_broker(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "missing", tmp_path / ("d" * 120)):
        with pytest.raises(CommandFailedError) as caught:
            request(directory, "ping")
        assert caught.value.exit_code == 69
        assert str(caught.value).startswith(f"no Warren broker is running on {directory}; start one with")


def test_a_broker_that_was_killed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET_NAME))
    with pytest.raises(CommandFailedError, match="no Warren broker is running"):
        request(tmp_path, "ping")


def test_a_broker_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / SOCKET_NAME))
        hung.listen()
        with pytest.raises(CommandFailedError, match="did not answer within") as caught:
            request(tmp_path, "ping", timeout_s=0.01)
    assert caught.value.exit_code == 75


def test_a_broker_that_ends_meanwhile(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(tmp_path / SOCKET_NAME))
        dying.listen()
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(tmp_path / SOCKET_NAME))
            accepted, _ = dying.accept()
            accepted.close()
            assert first.recv(1) == b""
