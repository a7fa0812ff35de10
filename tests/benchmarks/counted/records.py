"""What was counted last, in records.json, and what of a new count is too much.

A record belongs to a form of Warren (interpreted or compiled) and to a version of Python.  Where there is none for a
version, the nearest one stands in, within a wider margin: builds of Python differ by a tenth of what the calibration
makes up for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.counted.counting import Counted

FILE = Path(__file__).with_name("records.json")

MARGIN = 1.15
"""What the same Python may take more than was recorded: fifty times what two runs differ by."""

MARGIN_ELSEWHERE = 1.4
"""The same with the record of another version of Python."""

RECORD_WITH = "python -m tests.benchmarks.counted --record"

Records = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Form, version of Python, load: instructions per thousand messages as a part of the calibration's."""


def read(file: Path = FILE) -> Records:
    """What is recorded."""
    records: Records = json.loads(file.read_text())
    return records


def write(counted: Counted, file: Path = FILE) -> None:
    """Record this count in place of the last one of its form and version."""
    records = {form: dict(versions) for form, versions in read(file).items()}
    shares = {name: round(share, 4) for name, share in counted.shares.items()}
    records.setdefault(counted.form, {})[counted.version] = shares
    file.write_text(json.dumps(records, indent=2, sort_keys=True) + "\n")


def nearest(records: Records, form: str, version: str) -> tuple[str, float]:
    """The version whose record stands for this one, and the margin.  Raises LookupError where a form has no record."""
    versions = records.get(form)
    if not versions:
        raise LookupError(f"nothing is recorded for the {form} form: {RECORD_WITH}")
    if version in versions:
        return version, MARGIN
    return min(versions, key=lambda each: _distance(each, version)), MARGIN_ELSEWHERE


def too_much(counted: Counted, records: Records) -> list[str]:
    """A line for each load that takes more than it may, or that nothing is recorded for."""
    version, margin = nearest(records, counted.form, counted.version)
    recorded = records[counted.form][version]
    lines = []
    for name, share in counted.shares.items():
        if name not in recorded:
            lines.append(f"{name}: nothing is recorded: {RECORD_WITH}")
        elif share > recorded[name] * margin:
            lines.append(
                f"{name}: {share / recorded[name] - 1:+.0%} against the record of the {counted.form} form with Python "
                f"{version}; at most {margin - 1:+.0%}.  If that is meant: {RECORD_WITH}"
            )
    return lines


def _distance(one: str, other: str) -> list[int]:
    return [abs(a - b) for a, b in zip(_numbers(one), _numbers(other), strict=True)]


def _numbers(version: str) -> list[int]:
    """3.13.0rc1 is taken for 3.13.0."""
    *parts, last = version.split(".")[:3]
    digits = last[: next((at for at, letter in enumerate(last) if not letter.isdigit()), len(last))]
    return [*map(int, parts), int(digits or 0)]
