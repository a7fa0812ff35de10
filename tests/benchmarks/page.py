"""What was measured, in docs/performance.md: each kind stands between two comments, and is replaced as a whole."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.warren_process import REPOSITORY

PAGE = REPOSITORY / "docs" / "performance.md"

SECTIONS = ("table", "profile", "curves")


def put(section: str, text: str, page: Path = PAGE) -> None:
    """Replace a section.  Raises ValueError where the page has none of this name, or two."""
    before = page.read_text("utf-8")
    pattern = re.compile(rf"(<!-- {section}: begin -->\n).*?(<!-- {section}: end -->)", re.DOTALL)
    after, count = pattern.subn(lambda found: f"{found[1]}\n{text.strip()}\n\n{found[2]}", before)
    if count != 1:
        raise ValueError(f"{page.name} has {count} sections {section!r}")
    page.write_text(after, "utf-8")
