"""Files stay small: one that has more than 400 lines says at its head why."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = ("core", "adapters", "gateway", "plugins", "testing", "tests", "examples", "docs")

LINES_MAX = 400

REASON = "Longer than 400 lines because "
"""What the docstring of a longer file contains, followed by the reason."""


def is_too_long(source: str) -> bool:
    """Whether a source text has too many lines and gives no reason for it."""
    if len(source.splitlines()) <= LINES_MAX:
        return False
    docstring = " ".join((ast.get_docstring(ast.parse(source)) or "").split())
    return not docstring.partition(REASON)[2]


def test_long_files_say_why() -> None:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert paths, "no source files found"
    too_long = [path.relative_to(ROOT).as_posix() for path in paths if is_too_long(path.read_text("utf-8"))]
    assert not too_long, f"over {LINES_MAX} lines without '{REASON}...': {', '.join(too_long)}"


LINE = "a = 1\n"

SAMPLES = [
    (LINE * 400, False),
    (LINE * 401, True),
    ('"""About it."""\n' + LINE * 400, True),
    ('"""About it.\n\nLonger than 400 lines because it is one table.\n"""\n' + LINE * 400, False),
    ('"""About it.  Longer than 400 lines\nbecause it is one table.\n"""\n' + LINE * 400, False),
    ('"""About it.  Longer than 400 lines because """\n' + LINE * 400, True),
    (LINE * 400 + "# Longer than 400 lines because nobody looks here.\n", True),
]


@pytest.mark.parametrize(("source", "expected"), SAMPLES)
def test_the_rule_can_fail(source: str, expected: bool) -> None:
    assert is_too_long(source) is expected
