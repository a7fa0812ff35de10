"""What is known of mutants: which were killed before, and which nobody can kill because they behave alike.

Verdicts are lines of JSON, appended as they come, so that a run can be stopped and resumed.  Whoever was killed stays
so for as long as the module says the same; a survivor is tried again when the tests have changed.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.mutants.mutations import Mutant

KILLED: Final = "killed"
SURVIVED: Final = "survived"

EQUIVALENT: Final = Path(__file__).with_name("equivalent.toml")


class Results:
    """Verdicts in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, str] = {}
        if file.exists():
            for line in file.read_text().splitlines():
                key, verdict = json.loads(line)
                self._known[key] = verdict

    def verdict(self, name: str, mutant: Mutant, tests: str) -> str | None:
        """What is known.  tests: the digest of those that were or would be run."""
        if self._known.get(_digest(name, mutant.source)) == KILLED:
            return KILLED
        return self._known.get(_digest(name, mutant.source, tests))

    def note(self, name: str, mutant: Mutant, tests: str, verdict: str) -> None:
        """Remember one."""
        key = _digest(name, mutant.source) if verdict == KILLED else _digest(name, mutant.source, tests)
        self._known[key] = verdict
        with self._file.open("a") as file:
            file.write(json.dumps([key, verdict]) + "\n")


def digest_of_files(directory: Path, paths: Iterable[str]) -> str:
    """What all Python files at these paths say."""
    found = hashlib.sha256()
    for path in paths:
        place = directory / path
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            found.update(file.read_bytes() if file.exists() else b"")
    return found.hexdigest()


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:24]


class Equivalents:
    """Mutants that nobody can tell from the original, with the reason for each (equivalent.toml)."""

    def __init__(self, file: Path = EQUIVALENT) -> None:
        content = tomllib.loads(file.read_text()) if file.exists() else {}
        self._reasons = {
            (each["module"], before, after): each["reason"]
            for each in content.get("equivalent", [])
            for before, after in each["changes"]
        }

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        """(module, before, after) of each."""
        return list(self._reasons)

    def reason(self, module: str, mutant: Mutant, original: str) -> str | None:
        """Why it behaves alike; None when it is not known to."""
        return self._reasons.get((module, *mutant.changed_lines(original)))
