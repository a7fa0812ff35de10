"""Which form of Warren's modules is imported: those that setup.py compiled, or the sources of these.

Python prefers a compiled module to its source.  That is right but for two cases, in which everything is imported from
the sources, since compiled modules know each other's inside and can't be mixed with later sources:

    WARREN_FORM=interpreted    in the environment asks for it: for a debugger, or for tests of both forms with one build
    a source has changed       since it was compiled, in a checkout that was installed with `pip install -e`: it is
                               newer than the library that all compiled modules are in

Which form it has become, and why, is said by `warren.gateway.version`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

VARIABLE = "WARREN_FORM"

LIBRARY = f"warren__mypyc{EXTENSION_SUFFIXES[0]}"
"""What mypyc puts all compiled modules into; beside each source is a small one of its name that leads there."""

NOTE = "interpreted.txt"
"""The reason why an installation wasn't compiled, which setup.py leaves in the package."""

FOLDERS = ("core", "adapters", "gateway", "plugins")


_why = ""


def why_interpreted() -> str:
    """Why Warren's modules aren't compiled; empty if they are, or if that needs no words."""
    return _why


def give_back() -> None:
    """Have the system forget that this process has all of the compiled modules' code in memory; Linux alone.

    A start runs through most of it once, and what is used from then on is a small part, which comes back by itself when
    it is used: the pages are those of a file.  Memory that the start has freed goes back, too.
    """
    give = getattr(sys.modules.get(LIBRARY.partition(".")[0]), "give_back", None)
    if give is not None:  # as it is where modules aren't compiled, or were by an earlier setup.py
        give()


class Sources:
    """Finds Warren's modules by their sources alone (a meta path finder)."""

    def __init__(self) -> None:
        self._of_folders: dict[str, FileFinder] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What is asked for each import: nothing for what isn't Warren's."""
        if path is None or not name.startswith("warren."):
            return None
        for folder in path:
            finder = self._of_folders.get(folder)
            if finder is None:
                finder = self._of_folders[folder] = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
            if found := finder.find_spec(name):
                return found
        return None

    def invalidate_caches(self) -> None:
        """Files may have come or gone."""
        self._of_folders.clear()


def choose(package: Path) -> None:
    """See to it that the right form is imported.  package: the directory of the package `warren`."""
    global _why
    _why = why_sources(package)
    if _why:
        sys.meta_path.insert(0, Sources())
    else:
        _why = noted(package)


def why_sources(package: Path) -> str:
    """Why everything has to be imported from the sources, whatever is compiled; empty if it needn't."""
    if os.environ.get(VARIABLE) == "interpreted":
        return f"{VARIABLE} asks for it"
    changed = changed_since(package)
    return f"{changed} is newer than its compiled form" if changed else ""


def noted(package: Path) -> str:
    """Why the installation wasn't compiled; empty if it was, or nothing was to be said."""
    try:
        return (package / NOTE).read_text("utf-8").strip()
    except OSError:
        return ""


def changed_since(package: Path) -> str:
    """The first source of a checkout that has changed, or is gone, since it was compiled; empty if none has."""
    root = package.parent.parent
    try:
        built_ns = (package.parent / LIBRARY).stat().st_mtime_ns
        (root / "compiled-modules.toml").stat()
    except OSError:
        return ""
    for folder in FOLDERS:
        for source in _compiled_in(str(package / folder)):
            try:
                if os.stat(source).st_mtime_ns <= built_ns:
                    continue
            except OSError:
                pass
            return os.path.relpath(source, package)
    return ""


def _compiled_in(folder: str) -> Iterator[str]:
    """The sources of what was compiled below a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(EXTENSION_SUFFIXES[0]):
                yield entry.path.removesuffix(EXTENSION_SUFFIXES[0]) + ".py"
            elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                yield from _compiled_in(entry.path)
