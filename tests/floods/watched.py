"""A broker process that measures itself: how long each step of its one thread took, and how much work it was.

    python -m tests.floods.watched SOCKET HOW -m warren serve ...

is `python -m warren serve ...` and a thread that answers at SOCKET, a Unix socket, one line of JSON to one word:

    begin   forget what was measured, and measure from now on
    end     stop that, and say what was found
    calm    answered once the broker has nothing more to do
    count   how many objects there are once garbage is collected, and the memory

HOW is `time`, `trace` or `calls`.  With `time` a step is as long as the processor worked for it in this thread: a
machine that has others to serve makes it no longer, and what the thread waits for isn't in it.  With `trace` it is
told, too, where the longest steps were, which costs time.  With `calls` a step is as long as the number of calls that
it made of Python's functions and of C's: nearly the same on any machine, and slower.
"""

from __future__ import annotations

import gc
import json
import runpy
import socket
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.abc import Instrument

from warren.gateway.network.stall_watch import StallWatch

if TYPE_CHECKING:
    from types import FrameType

    from trio.lowlevel import Task

    from warren.gateway.network.hub import Hub

HELD_S: Final = 0.02
"""What nobody's request may take."""

LOOK_S: Final = 0.004
"""How often the stack of a long step is looked at."""

LOOKS: Final = 5
"""So often in a row the broker must be calm to be believed."""

DEPTH: Final = 14
"""Frames of a stack that are told."""


class Measure(Instrument):
    """Of the thread that runs Trio.  how: see the head of this file."""

    def __init__(self, hub: Hub, how: str) -> None:
        self._hub = hub
        self._how = how
        self._thread = threading.get_ident()
        self._on = False
        self._began_s = 0.0
        self._calls = 0
        self._collecting_since_s = 0.0
        self._collected_s = 0.0
        self._stacks: Counter[str] = Counter()
        self._is_in_step = False
        self.begin()
        self._on = False
        gc.callbacks.append(self._collects)
        if how == "trace":
            threading.Thread(target=self._look, daemon=True).start()

    def begin(self) -> None:
        """Forget what was found, and go on."""
        self._steps = self._long = 0
        self._longest: float = 0
        self._longest_task = ""
        self._longest_collection_s = 0.0
        self._found: dict[str, Any] = {}
        self._on = True

    def end(self) -> dict[str, Any]:
        """What was found; nothing is measured from now on."""
        self._on = False
        return {
            "steps": self._steps,
            "long": self._long,
            "longest": self._longest,
            "task": self._longest_task,
            "collection": self._longest_collection_s,
            "stacks": self._found,
        }

    @property
    def is_calm(self) -> bool:
        """Whether the broker has nothing to do but to wait for its clients."""
        hub = self._hub
        return not (hub._more_to_do or hub.broker.chores or hub.broker.commit_wanted)

    def before_task_step(self, task: Task) -> None:
        """See trio.abc.Instrument."""
        # Also while nothing is measured: that may begin in the middle of a step.
        self._collected_s = 0.0
        self._calls = 0
        self._began_s = thread_time()
        if not self._on:
            return
        if self._how == "calls":
            sys.setprofile(self._called)
        else:
            self._is_in_step = True

    def after_task_step(self, task: Task) -> None:
        """See trio.abc.Instrument."""
        if self._how == "calls":
            sys.setprofile(None)
            took: float = self._calls
        else:
            took = thread_time() - self._began_s
            self._is_in_step = False
        if not self._on:
            return
        self._steps += 1
        self._longest_collection_s = max(self._longest_collection_s, self._collected_s)
        if took > self._longest or (took >= HELD_S and self._how != "calls"):
            self._note(task, took)

    def _note(self, task: Task, took: float) -> None:
        if self._how != "calls" and took >= HELD_S:
            self._long += 1
            stacks, self._stacks = self._stacks, Counter()
            for stack, _ in stacks.most_common(1):
                self._found[f"{took * 1000:.0f} ms, {self._collected_s * 1000:.0f} ms collecting"] = stack
        if took > self._longest:
            self._longest, self._longest_task = took, task.name

    def _called(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            self._calls += 1

    def _collects(self, phase: str, info: dict[str, int]) -> None:
        if threading.get_ident() != self._thread:
            return
        if phase == "start":
            self._collecting_since_s = thread_time()
        else:
            self._collected_s += thread_time() - self._collecting_since_s

    def _look(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(LOOK_S)
            if self._is_in_step:
                frame = sys._current_frames().get(self._thread)
                lines = traceback.extract_stack(frame)[-DEPTH:]
                self._stacks[" < ".join(f"{Path(e.filename).name}:{e.lineno} {e.name}" for e in reversed(lines))] += 1
            else:
                self._stacks.clear()


def answer(path: str, measure: list[Measure]) -> None:
    """Answer at `path`, one after the other, for ever."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            peer, _ = listener.accept()
            with peer, peer.makefile("rw") as lines:
                for line in lines:
                    found = asked(line.strip(), measure[0])
                    lines.write(json.dumps(found) + "\n")
                    lines.flush()


def asked(word: str, measure: Measure) -> dict[str, Any]:
    """The answer to one word."""
    if word == "begin":
        measure.begin()
        return {}
    if word == "end":
        return measure.end()
    if word == "calm":
        pause = threading.Event()
        looks = 0
        while looks < LOOKS:
            pause.wait(LOOK_S)
            looks = looks + 1 if measure.is_calm else 0
        return {}
    gc.collect()
    return {"objects": len(gc.get_objects()) + gc.get_freeze_count()}


def main() -> None:
    """See the head of this file."""
    path, how, _, program, *arguments = sys.argv[1:]
    measure: list[Measure] = []
    start = StallWatch.start

    def start_both(watch: StallWatch) -> None:
        start(watch)
        measure.append(Measure(watch._hub, how))
        trio.lowlevel.add_instrument(measure[0])

    StallWatch.start = start_both  # type: ignore[assignment,method-assign]
    threading.Thread(target=answer, args=(path, measure), daemon=True).start()
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
