"""Copies of the repository in which mutants live: the work tree is never written to."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

FIRST_MTIME: Final = 2_000_000_000
"""Each mutant's file gets a time of its own from here on, so that no compiled form of another is taken for its."""


def copies_of(repository: Path, directory: Path, count: int) -> list[Path]:
    """So many copies of what git knows of the repository, with uncommitted changes and new files, compiled."""
    copies = [directory / str(number) for number in range(count)]
    _copy(repository, copies[0])
    for copy in copies[1:]:
        shutil.copytree(copies[0], copy, symlinks=True)
    return copies


def _copy(repository: Path, directory: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, copy = repository / name, directory / name
        if not os.path.lexists(source):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            copy.symlink_to(os.readlink(source))
        else:
            shutil.copy2(source, copy)
    compileall.compile_dir(directory, quiet=2)


class Tree:
    """One copy, in which one file at a time is a mutant."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mtime = FIRST_MTIME

    def mutate(self, name: str, source: str) -> None:
        """Have this file say something else."""
        self._mtime += 1
        file = self.path / name
        file.write_text(source)
        os.utime(file, (self._mtime, self._mtime))
