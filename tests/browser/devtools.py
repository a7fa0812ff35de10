"""Chromium without a window, driven over the DevTools protocol through two pipes: no port, no driver, no library.

Theory of operation: `--remote-debugging-pipe` makes Chromium read commands from descriptor 3 and write answers and
events to descriptor 4, each a JSON object that ends with NUL.  The pipes are named ones in the profile's directory, so
that the browser starts like every other child process of the tests, with its guard.  Everything here is synchronous:
`Browser.call` reads until its answer is there, and keeps the events that come before it.  Every read is bounded.

A page is a tab in a browser context of its own, so that no test sees what another one has stored.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import child

TIME_LIMIT_S = 60.0
"""For one thing to happen in a page: milliseconds, on a busy machine many times that."""

ANSWER_LIMIT_S = 1.5 * TIME_LIMIT_S
"""For one answer, which may be that something has not happened in time."""

STOP_GRACE_S = 60.0

READ_BYTES = 1 << 20

OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)
"""No traffic but the tests' own, and no use of /dev/shm, which is small in containers."""

Event = tuple[str, str, dict[str, Any]]
"""The session (a page) that it came from, its name, its parameters."""


class DevToolsError(AssertionError):
    """The browser refused a command, or did not do in time what was asked."""


def find_chromium() -> str | None:
    """The browser's program, if it is installed."""
    return shutil.which("chromium")


class Browser:
    """A running browser; `call` sends it a command."""

    def __init__(self, process: child.Child, log: Path, commands: int, answers: int) -> None:
        self.process = process
        self.events: list[Event] = []
        self._log = log
        self._commands = commands
        self._answers = answers
        self._received = b""
        self._last_id = 0

    def call(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        """The result of a command, of the page `session` or of the browser as a whole."""
        self._last_id += 1
        identifier = self._last_id
        command: dict[str, object] = {"id": identifier, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        self._write(json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while True:
            message = self._read(deadline, method)
            if message.get("id") == identifier:
                break
            self._keep(message)
        if "error" in message:
            raise DevToolsError(f"{method}: {message['error']}")
        result = message["result"]
        assert isinstance(result, dict)
        return result

    def wait_for_event(self, session: str, name: str, time_limit_s: float = TIME_LIMIT_S) -> dict[str, Any]:
        """The parameters of the first event of this name; it is taken out of `events`."""
        deadline = time.monotonic() + time_limit_s
        while True:
            for index, (from_session, event, parameters) in enumerate(self.events):
                if (from_session, event) == (session, name):
                    del self.events[index]
                    return parameters
            self._keep(self._read(deadline, name))

    def _keep(self, message: Mapping[str, Any]) -> None:
        if "method" in message:
            self.events.append((message.get("sessionId", ""), message["method"], message["params"]))

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._commands, data) :]

    def _read(self, deadline: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], 1)
            if ready:
                self._received += os.read(self._answers, READ_BYTES)
            elif self.process.poll() is not None:
                raise DevToolsError(f"{waiting_for}: the browser has ended\n{child.log_tail(self._log)}")
            elif time.monotonic() > deadline:
                raise DevToolsError(f"{waiting_for}: no answer in time\n{child.log_tail(self._log)}")
        raw, _, self._received = self._received.partition(b"\0")
        message = json.loads(raw)
        assert isinstance(message, dict)
        return message


@contextmanager
def browser(
    options: Sequence[str] = (), environment: Mapping[str, str] | None = None, parent: Path | None = None
) -> Iterator[Browser]:
    """A browser with a profile of its own below `parent`, ended and removed at the end.  Raises if there is none."""
    program = find_chromium()
    if program is None:
        raise DevToolsError("chromium is not installed")
    with tempfile.TemporaryDirectory(prefix="chromium-", dir=parent, ignore_cleanup_errors=True) as name:
        directory = Path(name)
        commands, answers = _pipe(directory / "commands"), _pipe(directory / "answers")
        try:
            process = _start(program, directory, options, environment or {})
            try:
                yield Browser(process, directory / "log", commands, answers)
            finally:
                child.stop(process, STOP_GRACE_S)
        finally:
            os.close(commands)
            os.close(answers)


def _pipe(path: Path) -> int:
    """A named pipe, opened for both directions so that neither end waits for the other."""
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR)


def _start(program: str, directory: Path, options: Sequence[str], environment: Mapping[str, str]) -> child.Child:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [program, *OPTIONS, *sandbox, f"--user-data-dir={directory / 'profile'}", *options, "about:blank"]
    # Chromium maps far more memory than it uses, so RLIMIT_DATA is not for it; what it uses counts among the test's.
    shell = ["sh", "-c", 'ulimit -d unlimited; exec "$@" 3<commands 4>answers', "chromium", *command]
    home = {"HOME": str(directory), "XDG_CONFIG_HOME": str(directory), "XDG_CACHE_HOME": str(directory)}
    return child.start(shell, directory / "log", {**os.environ, **home, **environment}, directory)
