"""Clients in other languages: whether they are installed, and running their programs.

What isn't installed is skipped with a reason on a developer's machine. Where `CI=true` says that everything has been
installed (`.ci/run` does), it is a failure, so that no client drops out of the tests unnoticed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent

TIME_LIMIT_S = 60.0
"""For one program, which takes a second or so."""

BUILD_TIME_LIMIT_S = 300.0
"""For a compiler that has nothing in its cache, on a busy machine."""


def need(found: bool, what: str) -> None:
    """Skip the test, or fail it in CI, unless a client was found."""
    if found:
        return
    text = f"{what} is not installed (.ci/run does that on Debian)"
    if os.environ.get("CI") == "true":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def run(
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    time_limit_s: float = TIME_LIMIT_S,
) -> bytes:
    """What a program prints; that it fails, or doesn't end in time, fails the test."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        timeout=time_limit_s,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def run_for_json(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object that a program prints."""
    result = json.loads(run(command, environment=environment))
    assert isinstance(result, dict)
    return result


def url(address: tuple[str, int]) -> str:
    """The address as most clients take it. No slash at the end: to some, that names the virtual host ""."""
    host, port = address
    return f"amqp://guest:guest@{host}:{port}"
