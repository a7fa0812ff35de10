"""`await_startup` and `wait`: until a broker serves that may not be there yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from warren.gateway.command_line import main as command_line
from warren.gateway.command_line.waiting import wait
from warren.gateway.configuration.config import Config
from warren.gateway.control.client import CommandFailedError
from warren.gateway.server import open_server


class Waiting:
    """Somebody who waits for a broker in a directory, in a thread.  looked: how often it was in vain."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.looked = trio.Event()
        self.codes: list[int] = []
        token = trio.lowlevel.current_trio_token()

        def sleep(seconds: float) -> None:
            trio.from_thread.run_sync(self.looked.set, trio_token=token)
            os.sched_yield()

        monkeypatch.setattr("warren.gateway.command_line.waiting.time.sleep", sleep)

    async def run(self, *words: str) -> None:
        ctl = ["ctl", *words, "--data-dir", str(self.directory)]
        self.codes.append(await trio.to_thread.run_sync(lambda: command_line.run(ctl)))


@pytest.fixture
async def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(tmp_path / "data", monkeypatch)


async def test_until_it_is_started(waits: Waiting) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits.run, "await_startup")
        await waits.looked.wait()
        async with open_server(Config(data_directory=waits.directory, in_memory=True, listen=())) as server:
            while not waits.codes:
                await trio.sleep(0)
            assert waits.codes == [0]
            await server.stop_app()
            waits.looked = trio.Event()
            nursery.start_soon(waits.run, "wait", "--pid", str(os.getpid()))
            await waits.looked.wait()
            await server.start_app()
            while len(waits.codes) < 2:
                await trio.sleep(0)
    assert waits.codes == [0, 0]


async def test_with_a_file_of_the_process(waits: Waiting, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    config = Config(data_directory=waits.directory, in_memory=True, listen=())
    async with open_server(config), trio.open_nursery() as nursery:
        nursery.start_soon(waits.run, "wait", str(file))
        await waits.looked.wait()
        file.write_text(f"{os.getpid()}\n")
    assert waits.codes == [0]


def test_it_gives_up(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match=r"hasn't started within 0\.01 seconds") as raised:
        wait(tmp_path, 0.01)
    assert raised.value.exit_code == 75
    for content in (None, "", "no number", "9" * 30):
        if content is not None:
            (tmp_path / "pid").write_text(content)
        with pytest.raises(CommandFailedError, match="hasn't started"):
            wait(tmp_path, 0.01, pid_file=tmp_path / "pid")


def test_a_process_that_has_ended(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(CommandFailedError, match=f"the process {ended.pid} has ended") as raised:
        wait(tmp_path, None, pid=ended.pid)
    assert raised.value.exit_code == 69


def test_what_cant_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(["ctl", "wait", "--pid", "x"]) == 64
    assert "--pid must be a number" in capsys.readouterr().err


def test_the_version_needs_no_broker(capsys: pytest.CaptureFixture[str]) -> None:
    from warren.adapters.session.keys import PRODUCT_VERSION

    assert command_line.run(["ctl", "version"]) == 0
    assert capsys.readouterr().out == f"{PRODUCT_VERSION.default}\n"
