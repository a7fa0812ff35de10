"""`warren install-shims`: programs with the names of RabbitMQ's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from warren.gateway.command_line import shims
from warren.gateway.command_line.main import run


def test_programs_that_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "new" / "bin"
    assert run(["install-shims", str(directory)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(directory / name) for name in shims.PROGRAMS]
    for name in shims.PROGRAMS:
        assert os.access(directory / name, os.X_OK)
    nowhere = str(tmp_path / "nowhere")
    done = subprocess.run(
        [directory / "rabbitmq-diagnostics", "-q", "ping", "--data-dir", nowhere],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "no Warren broker is running" in done.stderr) == (69, True)
    done = subprocess.run(
        [directory / "rabbitmq-plugins", "is_enabled", "--offline", "rabbitmq_mqtt"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Plugin rabbitmq_mqtt is enabled\n")
    assert run(["install-shims", str(directory)]) == 0, "made anew"


def test_another_program_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rabbitmq-queues").write_text("#!/bin/sh\necho another\n")
    with pytest.raises(FileExistsError):
        shims.install(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rabbitmq-queues"]
    assert run(["install-shims", str(tmp_path)]) != 0
