"""The tree of pages follows from the lists that readers see.

A page that lists others, `- [Title](page.md): what it is` or in the first column of a table, is their parent: the list
is written once, reads well where the repository is hosted, and makes the site's navigation. Where a list has the mark
`<!-- pages of this folder -->`, every page of the folder belongs to it, whether it is in it yet or not.

The navigation is written here rather than by Sphinx, which copies the headings of all pages for each page, only to
leave them out again: more than half of the time that the site took.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    Context = dict[str, Any]

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


class Navigation:
    """What pages are called in the lists, and the tree that follows from them."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}

    def add_tree(self, app: Sphinx, page: str, content: list[str]) -> None:
        """Have a page that lists others be their parent."""
        if page in PARENTS:
            self._titles.update(listed(page, content[0]))
            content[0] += tree(page, content[0], app.env.found_docs)

    def offer(self, app: Sphinx, page: str, template: str, context: Context, document: object) -> None:
        """Give a page's template the navigation as seen from that page."""
        context["toctree"] = lambda **options: self._below(app, app.config.root_doc, page, 1)

    def _below(self, app: Sphinx, parent: str, page: str, level: int) -> str:
        """The list of what is below a page; empty where nothing is."""
        entries = "".join(
            self._entry(app, child, page, level)
            for child in app.env.toctree_includes.get(parent, ())
            if child != parent
        )
        return f"<ul>{entries}</ul>" if entries else ""

    def _entry(self, app: Sphinx, child: str, page: str, level: int) -> str:
        below = self._below(app, child, page, level + 1)
        title = html.escape(self._titles.get(child) or app.env.titles[child].astext())
        current = " current" if child == page or 'class="current ' in below else ""
        target = (
            "#" if child == page else relative_uri(app.builder.get_target_uri(page), app.builder.get_target_uri(child))
        )
        link = f'<a class="{f"{current} reference internal".strip()}" href="{target}">{title}</a>'
        return f'<li class="toctree-l{level}{current}">{link}{below}</li>'


def relative_uri(base: str, target: str) -> str:
    """The way from one page to another."""
    return posixpath.relpath(target, posixpath.dirname(base) or ".")


def setup(app: Sphinx) -> dict[str, object]:
    """What Sphinx calls for an extension."""
    navigation = Navigation()
    app.connect("source-read", navigation.add_tree)
    app.connect("html-page-context", navigation.offer, priority=100)  # before the theme asks for it
    return {"parallel_read_safe": False}
