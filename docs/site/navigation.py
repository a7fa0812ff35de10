"""The tree of pages follows from the lists that readers see.

A page that lists others, `- [Title](page.md): what it is` or in the first column of a table, is their parent: the list
is written once, reads well where the repository is hosted, and makes the site's navigation. Where a list has the mark
`<!-- pages of this folder -->`, every page of the folder belongs to it, whether it is in it yet or not.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER_MARK = "<!-- pages of this folder -->"

# Pages whose lists are navigation. Lists elsewhere are only lists.
PARENTS = (
    "docs/README",
    "docs/tutorials/README",
    "docs/how_to/README",
    "docs/reference/README",
    "docs/explanation/README",
    "docs/contributing",
    "docs/spec/README",
    "examples/README",
)

_ENTRY = re.compile(r"^(?:-|\|) \[([^\]]*)\]\(([^)\s#]+)\.md\)", re.MULTILINE)


def listed(page: str, text: str) -> dict[str, str]:
    """What a page lists, in order: pages by their names in the repository, without suffix, and what it calls them."""
    folder = posixpath.dirname(page)
    found = ((posixpath.normpath(posixpath.join(folder, entry)), title) for title, entry in _ENTRY.findall(text))
    return {entry: title.replace("`", "") for entry, title in found}


def tree(page: str, text: str, pages: Collection[str]) -> str:
    """What the site adds to a page that lists others, as Markdown: the same list, as a part of the navigation.

    `pages` are all that there are.
    """
    folder = posixpath.dirname(page)
    known = listed(page, text)
    entries = [f"{title} </{entry}>" for entry, title in known.items()]
    more: list[str] = []
    if FOLDER_MARK in text:
        more = [other for other in pages if posixpath.dirname(other) == folder and other != page]
    elif page == "examples/README":  # it lists folders, and some of them have pages
        more = [other for other in pages if posixpath.dirname(posixpath.dirname(other)) == folder]
    entries += [f"/{other}" for other in sorted(more) if other not in known]
    lines = ["", "```{toctree}", ":hidden:", "", *entries, "```", ""]
    return "\n".join(lines) if entries else ""


def _add_tree(app: Sphinx, page: str, content: list[str]) -> None:
    if page in PARENTS:
        content[0] += tree(page, content[0], app.env.found_docs)


def setup(app: Sphinx) -> dict[str, object]:
    """What Sphinx calls for an extension."""
    app.connect("source-read", _add_tree)
    return {"parallel_read_safe": True}
