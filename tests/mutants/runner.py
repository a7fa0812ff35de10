"""Runs tests on mutants, each in a process of its own, forked from one that has imported what all of them need.

The parent imports nothing of Warren, so every child imports the copy that it runs in.  A child leads a process group,
which is killed as a whole when its time is over: a mutant may loop for ever.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.covering import Chosen, Tracer
from tests.mutants.forking import Forking, Wanted
from tests.mutants.time_limit import TimeLimit

PRELOADED: Final = ("trio", "hypothesis", "pytest_trio", "pika", "h11", "wsproto", "typer", "rich", "ssl", "sqlite3")

TESTS_FAILED: Final = 1
"""pytest's exit code for that."""

TOO_LATE: Final = -1
"""In place of an exit code: killed when its time was over."""

POLL_S: Final = 0.01


def preload() -> None:
    """Import once what all children need."""
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue


@dataclass
class Child:
    """A process that runs tests in a copy of the repository."""

    pid: int
    limit: TimeLimit

    def poll(self) -> int | None:
        """Its exit code, once it is over or its time is."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self._kill_group()
            return os.waitstatus_to_exitcode(status)
        if not self.limit.is_over():
            return None
        self.kill()
        return TOO_LATE

    def kill(self) -> None:
        """End it now, with all that it started."""
        self._kill_group()
        os.waitpid(self.pid, 0)

    def wait(self) -> int:
        """Its exit code."""
        while (code := self.poll()) is None:
            time.sleep(POLL_S)
        return code

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def run_chosen(repository: Path, tree: Path, tests: Sequence[str], log: Path, seconds: float) -> Child:
    """Run these tests, until the first that fails."""
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    return _fork(repository, tree, log, seconds, lambda: _pytest(["-x", *files], [Chosen(tests)]))


def run_traced(
    repository: Path, tree: Path, paths: Sequence[str], files: Mapping[str, Path], log: Path, seconds: float
) -> Child:
    """Run all tests at these paths; files: which they may run, each with the file that says what of it they do."""
    full = {str((tree / name).resolve()): written for name, written in files.items()}
    # Under a tracer tests take many times as long, so their own limits of time are not for them.
    options = ["-p", "no:limits"]
    return _fork(repository, tree, log, seconds, lambda: _pytest([*options, *paths], [Tracer(full)]))


def run_forking(
    repository: Path, tree: Path, name: str, original: str, mutants: Sequence[Wanted], file: Path, log: Path
) -> Child:
    """Try these mutants of the module in the file `name`, one after the other (forking.py)."""
    files = list(dict.fromkeys(test.partition("::")[0] for wanted in mutants for test in wanted.tests))
    seconds = sum(wanted.seconds for wanted in mutants)
    plugin = Forking(tree / name, original, mutants, file)
    return _fork(repository, tree, log, seconds, lambda: _pytest(["-p", "no:limits", *files], [plugin]))


def _pytest(arguments: list[str], plugins: list[object]) -> int:
    options = ["-q", "--assert=plain", "-p", "no:cacheprovider", "--broker=warren", "--tb=line"]
    return int(pytest.main([*options, *arguments], plugins=plugins))


def _fork(repository: Path, tree: Path, log: Path, seconds: float, run: Callable[[], int]) -> Child:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Child(pid, TimeLimit(pid, seconds))
    code = 70
    try:
        os.setpgid(0, 0)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _move_into(repository, tree)
        code = run()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _move_into(repository: Path, tree: Path) -> None:
    """From here on, imports and child processes find the copy in place of the repository."""
    os.chdir(tree)
    places = [str(tree / "src"), str(tree)]
    ours = {str(repository), str(repository / "src"), ""}
    sys.path[:] = [*places, *(each for each in sys.path if each not in ours)]
    os.environ["PYTHONPATH"] = os.pathsep.join(places)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "warren")]:
        del sys.modules[name]
    importlib.invalidate_caches()
