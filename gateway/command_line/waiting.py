"""`await_startup` and `wait`: until the broker serves, which may not be there yet."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.api_client import Where, ask
from warren.gateway.control.client import CommandFailedError

POLL_S: Final = 0.1
"""How often it is looked: a start takes some tenths of a second."""

TIMEOUT_DEFAULT_S: Final = 300.0
"""rabbitmqctl's for await_startup."""

CHECK: Final = "check_running"
"""The word that says whether it serves."""

NOT_YET: Final = (codes.UNAVAILABLE, codes.TEMPORARY_FAILURE)


def wait(where: Where, timeout_s: float | None, *, pid_file: Path | None = None, pid: int | None = None) -> None:
    """Return when the broker serves.

    timeout_s: None waits for ever.  pid_file: of the broker's process, waited for, too.  pid: of it.  Raises
    CommandFailedError when the time is over, the process is gone, or the broker is there and can't be asked.
    """
    until_s = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        if pid_file is not None and pid is None:
            pid = _pid_in(pid_file)
        if pid is not None and not _lives(pid):
            raise CommandFailedError(f"the process {pid} has ended", codes.UNAVAILABLE)
        try:
            if pid_file is None or pid is not None:
                ask(where, CHECK, timeout_s=timeout_s)
                return
        except CommandFailedError as error:
            if error.exit_code not in NOT_YET:
                raise
        if until_s is not None and time.monotonic() >= until_s:
            text = f"the broker hasn't started within {timeout_s:g} seconds (--timeout)"
            raise CommandFailedError(text, codes.TEMPORARY_FAILURE)
        time.sleep(POLL_S)


def _pid_in(file: Path) -> int | None:
    """None while there is none in it yet."""
    try:
        text = file.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
