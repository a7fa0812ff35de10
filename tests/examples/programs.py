"""The example programs as processes: started, read line by line, interrupted as by Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import child
from tests.support.warren_process import REPOSITORY

TIME_LIMIT_S = 60.0
"""For one step of a program. A step takes a fraction of a second; a busy machine may take many times that."""

EXAMPLES = REPOSITORY / "examples"


class Program:
    """One running example."""

    def __init__(self, process: child.Child, log: Path) -> None:
        self._process = process
        self._log = log

    def lines(self) -> list[str]:
        """The lines that it has printed so far, on both outputs, without one that hasn't ended yet."""
        text = self._log.read_text()
        return text[: text.rfind("\n") + 1].splitlines()

    def wait_for(self, line: str) -> None:
        """Return once it has printed this line; raises child.ChildError if it ends instead, or takes too long."""
        child.wait_until(lambda: line in self.lines(), self._process, self._log, TIME_LIMIT_S, f"printing {line!r}")

    def finish(self) -> list[str]:
        """Wait for its end, which must be a success, and give all that it printed."""
        code = self._process.wait(TIME_LIMIT_S)
        assert code == 0, f"exit code {code}\n{child.log_tail(self._log)}"
        return self.lines()

    def interrupt(self) -> list[str]:
        """Press Ctrl-C, then `finish`."""
        self._process.send_signal(signal.SIGINT)
        return self.finish()

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait(TIME_LIMIT_S)

    def end(self) -> None:
        """End it if it still runs, and whatever it started."""
        child.stop(self._process, grace_s=0)


class Programs:
    """Starts examples against one broker."""

    def __init__(self, url: str, directory: Path, stomp_url: str = "", mqtt_url: str = "") -> None:
        self._urls = {"AMQP_URL": url, "STOMP_URL": stomp_url, "MQTT_URL": mqtt_url}
        self._directory = directory
        self._started: list[Program] = []

    def start(self, name: str, *arguments: str) -> Program:
        """Start `examples/NAME.py`; the broker's URLs come by environment."""
        log = self._directory / f"{len(self._started)}.log"
        command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
        process = child.start(command, log, {**os.environ, **self._urls}, self._directory)
        program = Program(process, log)
        self._started.append(program)
        return program

    def run(self, name: str, *arguments: str) -> list[str]:
        """Start one that ends by itself, and give what it prints."""
        return self.start(name, *arguments).finish()

    def end(self) -> None:
        for program in self._started:
            program.end()


@contextmanager
def interruptible_children() -> Iterator[None]:
    """Children started inside react to SIGINT, even if these tests run where it is ignored (a background job)."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def help_of(path: Path) -> str:
    """What `PROGRAM --help` prints."""
    command = [sys.executable, str(path), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
    return done.stdout
