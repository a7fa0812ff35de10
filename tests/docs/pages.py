"""The documentation pages and the blocks of code in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

README = ROOT / "README.md"

CONFIGURATION = ROOT / "docs" / "configuration.md"

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_INDENTED = re.compile(r"^    (\S.*)$", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return [text for found, text in _BLOCK.findall(page.read_text("utf-8")) if found == language]


def commands(page: Path) -> list[str]:
    """Lines for the shell: those that are indented by four columns outside of fenced blocks."""
    return _INDENTED.findall(_BLOCK.sub("", page.read_text("utf-8")))
