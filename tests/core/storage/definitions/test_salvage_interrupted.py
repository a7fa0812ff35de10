"""A salvage that is killed, or finds the disk full, at any of its steps: the next one still has all there was.

Bits flipped in the middle of the write-ahead log; what lies behind them is what SQLite would delete.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warren.core.errors import StorageError
from warren.core.storage.definitions.places import wal_path
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.definitions.store import JSON

ROWS = 15

STEPS_MAX = 400
"""More than there are."""

CHILD_TIMEOUT_S = 120

CALLS = ("open", "fsync", "rename", "unlink", "mkdir", "link")
"""Of `os`, that change something or make it last."""

Rows = dict[str, dict[str, JSON]]


class Interruption:
    """Counts what a start does on the disk, and calls `strike` before the step of this number.  reached: it came."""

    def __init__(self, number: int, strike: Callable[[], None]) -> None:
        self._left = number
        self._strike = strike
        self.reached = False

    def step(self) -> None:
        self._left -= 1
        if not self._left:
            self.reached = True
            self._strike()

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **named: Any) -> Any:
            self.step()
            return call(*arguments, **named)

        return stepped

    def connection(self) -> type[sqlite3.Connection]:
        interruption = self

        class Stepped(sqlite3.Connection):
            def execute(self, *arguments: Any) -> sqlite3.Cursor:
                interruption.step()
                return super().execute(*arguments)

            def close(self) -> None:
                super().close()
                interruption.step()

        return Stepped


def patch(interruption: Interruption, set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Have every step counted."""
    for name in CALLS:
        set_attribute(os, name, interruption.before(getattr(os, name)))
    connect, made = sqlite3.connect, interruption.connection()
    set_attribute(sqlite3, "connect", lambda path, **named: connect(path, factory=made, **named))


def kill_at_every_step(damaged: Path, target: Path) -> None:
    """Run in a child: leave in `target`, by number, what starts left of `damaged` that were killed at that step."""
    for number in range(1, STEPS_MAX):
        directory = target / str(number)
        shutil.copytree(damaged, directory)
        pid = os.fork()
        if not pid:
            patch(Interruption(number, lambda: os._exit(1)), setattr)
            SqliteDefinitionStore(directory / "definitions.sqlite")
            os._exit(0)
        if not os.waitpid(pid, 0)[1]:
            return


@pytest.fixture(params=["log", "log and rows"])
def damaged(request: pytest.FixtureRequest, path: Path, tmp_path: Path) -> tuple[Path, Rows]:
    """A directory as a killed broker leaves it, then damaged; and what was in its database."""
    store = SqliteDefinitionStore(path)
    for number in range(2 * ROWS):
        store.put("queue", "/", f"q{number}", {"id": number, "filler": "x" * 50})
        store.commit()
        if number == ROWS:
            store.close()
            store = SqliteDefinitionStore(path)
    rows = {name: value for _, _, name, value in store.load()}
    directory = tmp_path / "damaged"
    directory.mkdir()
    for file in (path, wal_path(path)):
        shutil.copyfile(file, directory / file.name)
    store.close()
    copy = directory / path.name
    log = bytearray(wal_path(copy).read_bytes())
    used = len(log.rstrip(b"\0"))
    log[used // 3] ^= 0x10
    if request.param == "log and rows":
        log[used // 2 : used // 2 + 3] = b"xyz"
    wal_path(copy).write_bytes(log)
    return directory, rows


def assert_all_is_there(directory: Path, rows: Rows, what: str) -> None:
    """The next start serves everything that can be read, and tells of the damage."""
    store = SqliteDefinitionStore(directory / "definitions.sqlite")
    found = {name: value for _, _, name, value in store.load()}
    assert all(rows[name] == value for name, value in found.items()), what
    assert store.damage(), what
    if len(found) < len(rows):
        assert len(rows) - len(found) < ROWS // 2, what
        assert "bad" in store.damage()[0] or "earlier start" in store.damage()[0], what
    store.close()


def test_it_is_killed(damaged: tuple[Path, Rows], tmp_path: Path) -> None:
    directory, rows = damaged
    target = tmp_path / "killed"
    target.mkdir()
    program = f"from {__name__} import kill_at_every_step as run; from pathlib import Path; import sys\n"
    program += "run(Path(sys.argv[1]), Path(sys.argv[2]))"
    subprocess.run(
        [sys.executable, "-c", program, str(directory), str(target)],
        cwd=Path(__file__).parents[4],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        timeout=CHILD_TIMEOUT_S,
        check=True,
    )
    left = list(target.iterdir())
    assert 30 < len(left) < STEPS_MAX - 1, "it went through all steps"
    for each in left:
        assert_all_is_there(each, rows, f"killed at step {each.name}")


def test_the_disk_is_full(damaged: tuple[Path, Rows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, rows = damaged
    refused = 0

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for number in range(1, STEPS_MAX):
        copy = tmp_path / "full"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(directory, copy)
        interruption = Interruption(number, full)
        with monkeypatch.context() as patched:
            patch(interruption, patched.setattr)
            try:
                SqliteDefinitionStore(copy / "definitions.sqlite").close()
            except (StorageError, OSError):
                refused += 1
        assert_all_is_there(copy, rows, f"full at step {number}")
        if not interruption.reached:
            break
    assert 30 < refused < STEPS_MAX - 1
