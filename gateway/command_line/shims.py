"""`warren install-shims DIR`: programs with the names of RabbitMQ's, for scripts that call those.

Each is `warren ctl` under another name, since words and options are those of the programs (spec F.8); rabbitmq-plugins
is `warren plugins`.  They run with the Python that has made them, whatever PATH holds then.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

PROGRAMS: Final = {
    "rabbitmqctl": "ctl",
    "rabbitmq-diagnostics": "ctl",
    "rabbitmq-queues": "ctl",
    "rabbitmq-streams": "ctl",
    "rabbitmq-upgrade": "ctl",
    "rabbitmq-plugins": "plugins",
}
"""By name, the command of Warren's that each is."""

MARK: Final = "# Made by warren install-shims."
"""In the second line, by which a program of ours is known."""

EXECUTABLE: Final = 0o755


def install(directory: Path) -> None:
    """Make the programs, or make them anew.

    Raises FileExistsError, before anything is made, where another program has such a name there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in PROGRAMS]
    for path in paths:
        if path.exists() and MARK not in path.read_text("utf-8", "replace"):
            raise FileExistsError(f"{path} is another program; move it away, or choose another directory")
    for path in paths:
        path.write_text(_script(PROGRAMS[path.name]))
        path.chmod(EXECUTABLE)
        print(path)


def _script(command: str) -> str:
    run = "from warren.gateway.command_line.main import main; main()"
    return f'#!/bin/sh\n{MARK}\nexec {shlex.quote(sys.executable)} -c {shlex.quote(run)} {command} "$@"\n'
