"""Packages of the examples, installed for a test."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

TIME_LIMIT_S = 120.0


def install_by_hand(source: Path, directory: Path) -> None:
    """What an installation leaves behind: the modules, and metadata with the entry points of its pyproject.toml."""
    document = tomllib.loads((source / "pyproject.toml").read_text())
    for module in document["tool"]["setuptools"]["py-modules"]:
        shutil.copy(source / f"{module}.py", directory)
    project = document["project"]
    write_metadata(directory, project["name"], project["entry-points"], project["version"])


def write_metadata(
    directory: Path, name: str, entry_points: Mapping[str, Mapping[str, str]], version: str = "1.0"
) -> None:
    """The metadata of an installed package.  entry_points: by group, where each is by its name."""
    metadata = directory / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{entry} = {where}\n" for entry, where in entries.items())
        for group, entries in entry_points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))


def install_by_pip(source: Path, directory: Path) -> None:
    """Without an index, so only where what pip needs to build a package is installed."""
    pytest.importorskip("wheel", reason="pip can't build packages here without an index")
    copy = directory.parent / "source"
    shutil.copytree(source, copy)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [*command, "--target", str(directory), str(copy)], capture_output=True, timeout=TIME_LIMIT_S, check=True
    )
