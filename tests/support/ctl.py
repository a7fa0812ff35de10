"""Words of `warren ctl` without a process for each: the same function, called here, on a broker that may be one.

A start of Python and of the command line costs more than most tests that need a user or a policy; what the command is
as a process is shown where it is tested (tests/gateway/command_line).
"""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from warren.gateway.command_line import main as command_line


def ctl(data_directory: Path | None, *words: str) -> str:
    """What `warren ctl WORDS` prints.  AssertionError, with what it says, when it fails or complains."""
    said, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complained):
        code = command_line.run(["ctl", "--data-dir", str(data_directory), *words])
    assert code == 0, f"{' '.join(words)}: {said.getvalue()}{complained.getvalue()}"
    return said.getvalue()
