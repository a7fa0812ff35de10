"""What a test may take: time, memory and disk, for every test and every fixture.

A broken feature must fail its test, not hang the run or eat the machine.  So each of a test's phases (its fixtures, the
test, the end of its fixtures) runs under a `Watch`:

- time: an interval timer (SIGALRM) looks once a second whether the phase is over its limit.  What blocks (a loop, a
  read) gets the error raised where it is.  Inside of Trio everything is cancelled first, so that tasks that wait for
  something end in good order, and the error says where they waited; then once more without shields; a loop that never
  waits doesn't hear of either and gets the error raised.  If even that doesn't end the phase, time and again, the
  process ends, with the stacks of its threads.
- memory: RLIMIT_DATA lets this process, and each child that the phase starts, allocate so much more than the process
  had at the beginning; the timer looks at the sum over this process and its children, less what it had itself, and
  less what processes that all tests share (`shared`) had.
- disk: RLIMIT_FSIZE bounds each file, and the timer looks at the whole of `tmp_path`.

A test that needs more says so: `@pytest.mark.limits(seconds=300)`.  The error is no Exception: code under test that
catches those (the broker does, lest one connection's bug ends the others) must not swallow it.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import resource
import signal
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Final

import pytest
import trio
from _pytest.faulthandler import fault_handler_stderr_fd_key
from trio._core._run import CancelStatus
from trio._core._wakeup_socketpair import WakeupSocketpair

MEBIBYTE: Final = 1 << 20

LOOK_S: Final = 1.0
"""Between two looks at what a phase has taken; most tests are over before the first."""

REPEAT_S: Final = 5.0
"""Between the first attempt to end a phase and the next: its clean-up gets so long."""

CANCELLATIONS: Final = 2
"""So often Trio is asked to cancel everything; the second time shields are lifted."""

ROOM_MIB: Final = 32
"""What there is for the watchdog's thread and for clearing up, once a phase has taken all of its memory."""

END_S: Final = 60.0
"""A phase that can't be ended so long after its limit takes the process with it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one phase of a test.  Most take milliseconds, and a few MiB; these are for a machine that is very busy."""

    seconds: float = 120.0
    memory_mib: int = 1536
    disk_mib: int = 512


class LimitExceededError(BaseException):
    """A test took more than it may."""


class LimitsPlugin:
    """Puts each phase of each test under its limits; tests/conftest.py registers it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        yield from self._bounded(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        yield from self._bounded(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        yield from self._bounded(item)

    def _bounded(self, item: pytest.Item) -> Generator[None]:
        marker = item.get_closest_marker("limits")
        limits = Limits(**marker.kwargs) if marker is not None else Limits()
        directory = getattr(item, "funcargs", {}).get("tmp_path")
        with bounded(limits, directory, self._config.stash.get(fault_handler_stderr_fd_key, 2)):
            yield


def register(config: pytest.Config) -> None:
    """For pytest_configure."""
    config.addinivalue_line(
        "markers",
        "limits(seconds, memory_mib, disk_mib): what the test and its fixtures may take, instead of the usual",
    )
    config.pluginmanager.register(LimitsPlugin(config), "limits")
    WakeupSocketpair.close = _close_without_signals  # type: ignore[method-assign,assignment]


_close = WakeupSocketpair.close


def _close_without_signals(pair: WakeupSocketpair) -> None:
    """What Trio does at its end, but in this order: no signal is written to the pair any more, then it is closed.

    Trio closes it first, and the timer's signal that comes right then can't be written, which fails the test.
    """
    if pair.old_wakeup_fd is not None:
        signal.set_wakeup_fd(pair.old_wakeup_fd)
        pair.old_wakeup_fd = None
    _close(pair)


_shared: set[int] = set()


def shared(process_id: int) -> None:
    """Say of a child that it is the whole session's: what it has when a phase begins isn't that phase's."""
    _shared.add(process_id)


@contextmanager
def bounded(limits: Limits, directory: Path | None = None, stacks_fd: int = 2) -> Iterator[None]:
    """Ends the block, with a LimitExceededError, when it takes more than `limits`; main thread only.

    directory: what counts as its use of the disk.  stacks_fd: where the stacks go if it can't be ended.
    """
    watch = Watch(limits, directory, stacks_fd)
    watch.begin()
    try:
        yield
    except LimitExceededError as error:
        raise _told_anew(error) from None
    except BaseException as error:
        if watch.exceeded is not None:
            raise LimitExceededError(watch.exceeded) from error
        if _holds(error, MemoryError):
            raise LimitExceededError(f"took more than {limits.memory_mib} MiB of memory") from error
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise LimitExceededError(f"wrote more than {limits.disk_mib} MiB to one file") from error
        raise
    finally:
        watch.end()
    if watch.exceeded is not None:
        raise LimitExceededError(watch.exceeded)


def _told_anew(error: LimitExceededError) -> LimitExceededError:
    """The same with the way to where it was raised as text.

    It comes from a signal, so a frame may have stood between two lines, at none (its number is None), and pytest can't
    show such a traceback: it would end the whole run over it.
    """
    places = [
        f"{entry.f_code.co_filename}:{line} in {entry.f_code.co_name}" for entry, line in walk_tb(error.__traceback__)
    ]
    return LimitExceededError("\n  ".join([str(error), *places]))


class Watch:
    """Over one phase.  exceeded: what it took too much of, once it did, and where its tasks were then."""

    def __init__(self, limits: Limits, directory: Path | None, stacks_fd: int) -> None:
        self.exceeded: str | None = None
        self._limits = limits
        self._directory = directory
        self._stacks_fd = stacks_fd
        own = _status("self")
        self._process_limits = _ProcessLimits(limits, own)
        self._ends_at = 0.0
        self._asked = 0
        self._heard = 0
        self._memory_at_start = _bytes_of(own, "RssAnon") + sum(_status_bytes(str(pid), "RssAnon") for pid in _shared)

    def begin(self) -> None:
        """From here on."""
        self._process_limits.set()
        self._ends_at = time.monotonic() + self._limits.seconds
        self._previous = signal.signal(signal.SIGALRM, self._look)
        look_s = min(LOOK_S, self._limits.seconds)
        signal.setitimer(signal.ITIMER_REAL, look_s, look_s)

    def end(self) -> None:
        """Until here."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._previous)
        if self.exceeded is not None:
            faulthandler.cancel_dump_traceback_later()
        self._process_limits.restore()

    def _look(self, number: int, frame: FrameType | None) -> None:
        if self.exceeded is None:
            self.exceeded = self._what_is_exceeded()
            if self.exceeded is None:
                return
            signal.setitimer(signal.ITIMER_REAL, REPEAT_S, REPEAT_S)
            # That is a thread, for whose stack there has to be room.
            self._process_limits.make_room()
            faulthandler.dump_traceback_later(END_S, exit=True, file=self._stacks_fd)
        try:
            token = trio.lowlevel.current_trio_token()
        except RuntimeError:
            raise LimitExceededError(self.exceeded) from None
        # Raising in the middle of Trio itself would break what comes after, so it is asked to cancel, as long as it
        # listens: it has done what it was asked to the last time.
        if self._asked != self._heard or self._asked == CANCELLATIONS:
            raise LimitExceededError(self.exceeded)
        self._asked += 1
        token.run_sync_soon(self._cancel_everything)

    def _what_is_exceeded(self) -> str | None:
        limits = self._limits
        if time.monotonic() >= self._ends_at:
            return f"not done within {limits.seconds:g} s"
        memory = sum(_status_bytes(str(pid), "RssAnon") for pid in _family(os.getpid()))
        if memory - self._memory_at_start > limits.memory_mib * MEBIBYTE:
            return f"took more than {limits.memory_mib} MiB of memory, with its child processes"
        if self._directory is not None and _disk_bytes(self._directory) > limits.disk_mib * MEBIBYTE:
            return f"wrote more than {limits.disk_mib} MiB to {self._directory}"
        return None

    def _cancel_everything(self) -> None:
        """Runs in Trio, in a task of its own: notes where all others wait, then cancels the program's main task."""
        self._heard += 1
        root = trio.lowlevel.current_root_task()
        if root is None or not root.child_nurseries:
            return
        nursery = root.child_nurseries[-1]
        tasks = list(_descendants(nursery))
        if self._heard == 1:
            places = [place for task in tasks for place in [_place(task)] if place]
            self.exceeded = "\n  ".join([f"{self.exceeded}; its tasks were at", *places])
        else:
            for task in tasks:
                _lift_shields(task)
        nursery.cancel_scope.cancel()


class _ProcessLimits:
    """The kernel's limits on a process, which children inherit.  status: what /proc says of it."""

    def __init__(self, limits: Limits, status: str) -> None:
        self._wanted = {resource.RLIMIT_FSIZE: limits.disk_mib * MEBIBYTE}
        if sys.platform == "linux":
            self._wanted[resource.RLIMIT_DATA] = _bytes_of(status, "VmData") + limits.memory_mib * MEBIBYTE
        self._before: dict[int, int] = {}

    def set(self) -> None:
        for which, wanted in self._wanted.items():
            soft, hard = resource.getrlimit(which)
            if hard == resource.RLIM_INFINITY or wanted <= hard:
                self._before[which] = soft
                resource.setrlimit(which, (wanted, hard))

    def make_room(self) -> None:
        """Let the process have a little more memory than it may."""
        if resource.RLIMIT_DATA in self._before:
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (_status_bytes("self", "VmData") + ROOM_MIB * MEBIBYTE, hard))

    def restore(self) -> None:
        for which, soft in self._before.items():
            resource.setrlimit(which, (soft, resource.getrlimit(which)[1]))


def _holds(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether it is one of these, or a group with one in it."""
    if isinstance(error, BaseExceptionGroup):
        return any(_holds(each, kind) for each in error.exceptions)
    return isinstance(error, kind)


# Trio's tasks


def _descendants(nursery: trio.Nursery) -> Iterator[trio.lowlevel.Task]:
    for task in nursery.child_tasks:
        yield task
        for inner in task.child_nurseries:
            yield from _descendants(inner)


def _lift_shields(task: trio.lowlevel.Task) -> None:
    status: CancelStatus | None = task._cancel_status
    while status is not None:
        status._scope.shield = False
        status = status._parent


def _place(task: trio.lowlevel.Task) -> str:
    """The innermost line of a task that is neither Trio's nor a library's."""
    found = ""
    for frame, line in task.iter_await_frames():
        if "site-packages" not in frame.f_code.co_filename and "/lib/python" not in frame.f_code.co_filename:
            found = f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
    return found


# Linux's accounts of processes; elsewhere everything is 0


def _status_bytes(pid: str, name: str) -> int:
    """VmData: what RLIMIT_DATA counts of a process.  RssAnon: memory of its own, without files and what it shares."""
    return _bytes_of(_status(pid), name)


def _status(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/status") as file:
            return file.read()
    except OSError:
        return ""


def _bytes_of(status: str, name: str) -> int:
    _, found, rest = status.partition(f"\n{name}:")
    return int(rest.split(None, 1)[0]) * 1024 if found else 0


def _family(pid: int) -> Iterator[int]:
    """A process and all its descendants."""
    yield pid
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return  # ended meanwhile
    for task in tasks:
        try:
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def _disk_bytes(directory: Path) -> int:
    """What the files below take on disk; files come and go meanwhile."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
    return total
