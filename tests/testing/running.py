"""Runs of pytest on a stranger's files: Warren is installed there as far as pytest can tell, nothing else of ours is.

An installation tells of its plugins in files beside the packages; those are made here of what pyproject.toml says, so
that the plugin comes in by its entry point.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT
from tests.support.warren_process import PYTHON_PATH

STRANGERS = Path(__file__).parent / "strangers"

TIME_LIMIT_S = 240.0
"""A run takes some seconds; the machine may be busy."""


@dataclass(frozen=True)
class Run:
    """What a run printed, and how many tests passed, failed..."""

    output: str
    counts: dict[str, int]


def pretend_installed(directory: Path) -> None:
    """Tell of Warren's plugin of pytest, as its installation does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = ["[pytest11]", *(f"{name} = {value}" for name, value in project["entry-points"]["pytest11"].items())]
    told = directory / f"warren_mq-{project['version']}.dist-info"
    told.mkdir(parents=True)
    (told / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: warren-mq\nVersion: {project['version']}\n")


def run_pytest(directory: Path, *arguments: str, ini: str = "", warnings: str = "error") -> Run:
    """Run pytest there.  ini: further lines of pytest.ini.  warnings: what becomes of warnings."""
    installed = directory / "installed"
    if not installed.exists():
        pretend_installed(installed)
    (directory / "pytest.ini").write_text(f"[pytest]\nnorecursedirs = installed\nfilterwarnings = {warnings}\n{ini}\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join([PYTHON_PATH, str(installed)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    last = done.stdout.rstrip().rpartition("\n")[2]
    counts = {
        word.removesuffix("s"): int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", last.partition(" in ")[0])
    }
    return Run(done.stdout, counts)


def copy_stranger(directory: Path, name: str) -> None:
    """One of the files in `strangers`, as a test file of the stranger's."""
    (directory / f"test_{name}.py").write_text((STRANGERS / f"{name}.py").read_text("utf-8"))
