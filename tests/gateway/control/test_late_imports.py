"""What words import when they run is imported before: by then the files on the disk may be the next version's."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.warren_process import REPOSITORY

CONTROL = REPOSITORY / "gateway" / "control"


def imported_late(path: Path) -> Iterator[str]:
    """Modules of Warren that the functions of a file import."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("warren."):
                yield node.module
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    folder = REPOSITORY.joinpath(*name.split(".")[1:])
                    if folder.with_suffix(".py").exists() or folder.is_dir():
                        yield name


def test_all_of_it_is_there_once_commands_can_be_run() -> None:
    wanted = {name for path in CONTROL.rglob("*.py") for name in imported_late(path)}
    assert {"warren.core.administration.operations", "warren.gateway.turns"} <= wanted
    program = "import sys, warren.gateway.server, warren.gateway.control.commands; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert sorted(wanted - set(found.stdout.split())) == []
