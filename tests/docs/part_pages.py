"""Writes the lists of pages into the README of docs/tutorials, docs/how_to, docs/reference and docs/explanation.

    python -m tests.docs.part_pages

Each page of such a folder that isn't in a list of its README already is an entry, with its title and first sentence.
The site finds pages without; the lists are for who reads the folder where the repository is hosted. What stands around
them is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from docs.site.navigation import FOLDER_MARK
from tests.docs.pages import ROOT

END_MARK = "<!-- end of pages -->"

PARTS = [ROOT / "docs" / name / "README.md" for name in ("tutorials", "how_to", "reference", "explanation")]

_SENTENCE = re.compile(r"^(.+?[.:])(?=\s|$)", re.DOTALL)


def refreshed(part: Path) -> str:
    """The page of a part as it should be."""
    text = part.read_text("utf-8")
    before, mark, rest = text.partition(FOLDER_MARK)
    if not mark:
        return text
    after = rest.partition(END_MARK)[2]
    pages = [
        page for page in sorted(part.parent.glob("*.md")) if page != part and f"]({page.name})" not in before + after
    ]
    entries = "".join(f"{entry_of(page)}\n" for page in pages)
    return f"{before}{FOLDER_MARK}\n{entries}{END_MARK}{after}"


def entry_of(page: Path) -> str:
    """A page's line in the list: its title and the first sentence below it."""
    title, _, rest = page.read_text("utf-8").removeprefix("# ").partition("\n")
    return f"- [{title}]({page.name}): {first_sentence(rest)}"


def first_sentence(text: str) -> str:
    """The first sentence of the first paragraph, on one line, without links."""
    paragraphs = (
        paragraph for paragraph in text.strip().split("\n\n") if not paragraph.startswith(("<!--", "```", "#", "!"))
    )
    paragraph = " ".join(next(paragraphs, "").split())
    found = _SENTENCE.match(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph))
    return found[1].rstrip(":.") if found else paragraph


def refresh() -> None:
    """Write all of them as they should be."""
    for part in PARTS:
        part.write_text(refreshed(part), "utf-8")


if __name__ == "__main__":
    refresh()
