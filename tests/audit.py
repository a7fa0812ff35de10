"""Whether a pinned requirement has a known vulnerability: `python -m tests.audit ADVISORIES [LOCK...]`.

ADVISORIES is a folder, or a zip, of records in the OSV format (JSON), as advisory databases publish them for PyPI; it
is looked at without a network.  Each pin that a record names is printed, and makes the exit code 1.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

LOCK = Path(__file__).parent / "requirements.lock"

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(text: str) -> dict[str, str]:
    """Versions by normalized names (PEP 503)."""
    return {_normalized(name): version for name, version in _PIN.findall(text)}


def records(place: Path) -> Iterator[Mapping[str, Any]]:
    """All advisories of a folder or a zip."""
    if place.is_dir():
        for path in sorted(place.rglob("*.json")):
            yield json.loads(path.read_text("utf-8"))
        return
    with zipfile.ZipFile(place) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def findings(pinned: Mapping[str, str], advisories: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each pin and advisory that names it; those that were withdrawn name nothing."""
    found = []
    for advisory in advisories:
        if advisory.get("withdrawn"):
            continue
        for affected in advisory.get("affected", ()):
            package = affected.get("package", {})
            name = _normalized(package.get("name", ""))
            version = pinned.get(name)
            if package.get("ecosystem") == "PyPI" and version is not None and _is_affected(version, affected):
                found.append(f"{name} {version}: {advisory.get('id')}: {advisory.get('summary', '')}")
    return sorted(set(found))


def _is_affected(version: str, affected: Mapping[str, Any]) -> bool:
    if version in affected.get("versions", ()):
        return True
    kinds = [each for each in affected.get("ranges", ()) if each.get("type") == "ECOSYSTEM"]
    return any(_is_within(Version(version), each.get("events", ())) for each in kinds)


def _is_within(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    """OSV: from `introduced` on, until `fixed`, or up to and with `last_affected`."""
    inside = False
    for event in events:
        for kind, value in event.items():
            try:
                bound = Version(value)
            except InvalidVersion:
                continue
            if kind == "introduced" and version >= bound:
                inside = True
            elif (kind == "fixed" and version >= bound) or (kind == "last_affected" and version > bound):
                inside = False
    return inside


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> int:
    """See the head of this file."""
    place, *locks = map(Path, arguments)
    pinned: dict[str, str] = {}
    for lock in locks or [LOCK]:
        pinned.update(pins(lock.read_text("utf-8")))
    count = 0

    def counted() -> Iterator[Mapping[str, Any]]:
        nonlocal count
        for each in records(place):
            count += 1
            yield each

    found = findings(pinned, counted())
    print(*found, f"{len(pinned)} pins, {count} advisories, {len(found)} findings", sep="\n")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
