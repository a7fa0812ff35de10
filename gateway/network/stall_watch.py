"""Watching for stalls: whoever has the thread of the event loop for long, has all others wait.

What one client asks is worked on in turns of some milliseconds, whatever it is.  Should something break that rule, a
fault of Warren's, of a plugin's or of the program that embeds it, then the log says who it was and for how long, and
not only those who waited know.  Trio tells of each step of a task; one that took longer than `STALL_S` is a stall.  Of
the hub's own steps the sockets tell which of them took longest.

A machine that has other things to do isn't the broker's fault: time in which the thread wanted to run and couldn't is
taken off where the system tells it (proc_pid_schedstat(5)).
"""

from __future__ import annotations

import gc
import logging
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Final

import trio
from trio.abc import Instrument

from warren.core.clients.transport import connection_name
from warren.gateway.network.hub import Hub
from warren.gateway.network.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trio.lowlevel import Task

_log = logging.getLogger("warren.hub")

STALL_S: Final = 0.1
"""Five times what one client's request may take."""

WORTH_TELLING: Final = 0.5
"""A collection of garbage, or a client, that took less than this share of a stall wasn't it."""

SCHEDULED: Final = "/proc/thread-self/schedstat"


def waited_s() -> float:
    """How long this thread has been ready to run and didn't, since it began, in seconds; 0 where nobody tells."""
    try:
        with open(SCHEDULED, "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


HUB_TASKS: Final = f"{Hub.__module__}.{Hub.__qualname__}."
HUB_TASK: Final = f"{HUB_TASKS}{Hub.run.__name__}"
"""What Trio calls the tasks of the hub, and the one that looks at the sockets."""


class StallWatch(Instrument):
    """Of one broker, while it runs: an instrument of Trio's.

    clock, waited: for tests.
    """

    def __init__(
        self, hub: Hub, clock: Callable[[], float] = perf_counter, waited: Callable[[], float] = waited_s
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._waited = waited
        self._waited_before_s = waited()
        self._began_s = clock()
        self._collecting_since_s = 0.0
        self._collected_s = 0.0

    def start(self) -> None:
        """Watch from now on, in this run of Trio."""
        trio.lowlevel.add_instrument(self)
        gc.callbacks.append(self._collects)

    def stop(self) -> None:
        """Watch no more."""
        gc.callbacks.remove(self._collects)
        with suppress(KeyError):
            # Trio takes out one that fails by itself.
            trio.lowlevel.remove_instrument(self)

    def before_task_step(self, task: Task) -> None:
        """See trio.abc.Instrument."""
        self._began_s = self._clock()

    def after_task_step(self, task: Task) -> None:
        """See trio.abc.Instrument."""
        took_s = self._clock() - self._began_s
        if took_s >= STALL_S:
            self._stalled(task, took_s)
        if self._collected_s:
            self._collected_s = 0.0

    def look(self) -> None:
        """Once a second: what the thread waited until now is none of the next stall's."""
        self._waited_before_s = self._waited()

    def _stalled(self, task: Task, took_s: float) -> None:
        waited_s = self._waited()
        held_s = took_s - (waited_s - self._waited_before_s)
        self._waited_before_s = waited_s
        if held_s < STALL_S:
            return
        hub = self._hub
        who = self._who(task, held_s)
        hub.broker.stalls.note(held_s, who)
        hub.broker.rationed_log.warning(
            _log, ("stall", who), hub.broker.now_ms, "nobody was served for %.2f s, which %s took", held_s, who
        )

    def _who(self, task: Task, held_s: float) -> str:
        worth_s = held_s * WORTH_TELLING
        if self._collected_s >= worth_s:
            return "collecting garbage"
        if not task.name.startswith(HUB_TASKS):
            return f"the task {task.name}"
        sockets = self._hub.sockets
        if task.name == HUB_TASK and sockets.longest_s >= worth_s:
            found = sockets.longest()
            return (
                f"what came by {connection_name(found)}" if isinstance(found, Link) else "a connection that has ended"
            )
        return "a turn of the broker: deliveries, sends, timers or long work"

    def _collects(self, phase: str, info: Mapping[str, int]) -> None:
        now_s = self._clock()
        if phase == "start":
            self._collecting_since_s = now_s
        else:
            self._collected_s += now_s - self._collecting_since_s
