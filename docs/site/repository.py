"""Links to files and folders of the repository that are no pages lead to pages that show them.

The Markdown says `[gateway/plugin.py](../gateway/plugin.py)`, which works where the repository is hosted. On the site
the same link leads to `files/gateway/plugin.py.html`, which shows the file with its lines; a folder's page lists what
is in it, and a folder with a README among the pages is that page. Pictures are offered for download, as Sphinx does it.
"""

from __future__ import annotations

import html
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx

from docs.site.navigation import relative_uri

_BINARY = (".gif", ".jpg", ".png", ".svg", ".webp")

_UNSHOWN = ("__pycache__", "corpus", "node_modules")


class Repository:
    """Which files and folders pages link to, found while they are read."""

    def __init__(self) -> None:
        self.wanted: set[str] = set()

    def mend_links(self, app: Sphinx, document: nodes.document) -> None:
        """Have the links of a page that has been read lead to pages of the site."""
        page = app.env.docname
        for link in [*document.findall(addnodes.download_reference), *document.findall(addnodes.pending_xref)]:
            if link.get("reftype") == "myst" and link.get("refdomain") is None:
                self._mend(app, page, link)

    def _mend(self, app: Sphinx, page: str, link: nodes.Element) -> None:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), str(link["reftarget"])))
        file = Path(app.srcdir) / path
        if path.startswith("..") or not file.exists() or file.suffix in _BINARY:
            return
        readme = "README" if path == "." else f"{path}/README"
        if file.is_dir() and readme in app.env.found_docs:
            link["refdomain"] = "doc"
            link["reftarget"] = readme
            link["reftargetid"] = None
            return
        self.wanted.add(path)
        shown = nodes.reference("", "", *link.children, internal=True)
        shown["refuri"] = relative_uri(app.builder.get_target_uri(page), app.builder.get_target_uri(f"files/{path}"))
        link.replace_self(shown)

    def pages(self, app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
        """The pages that show files and folders, and those that only lead to a page of another name."""
        for page in sorted(app.env.found_docs):
            if posixpath.basename(page) == "README" and page != "README":
                yield posixpath.join(posixpath.dirname(page), "index"), {"target": "README.html"}, "forward.html"
        yield "index", {"target": app.builder.get_target_uri(app.config.root_doc)}, "forward.html"
        todo = sorted(self.wanted)
        seen = set(todo)
        while todo:
            path = todo.pop(0)
            file = Path(app.srcdir) / path
            if file.is_dir():
                entries = [entry for entry in sorted(file.iterdir()) if _is_shown(entry)]
                new = [f"{path}/{entry.name}" for entry in entries if f"{path}/{entry.name}" not in seen]
                todo += new
                seen.update(new)
                body = _folder(entries)
            else:
                body = _file(app, file)
            yield f"files/{path}", {"title": path, "body": f"<h1>{html.escape(path)}</h1>{body}"}, "page.html"


def _is_shown(entry: Path) -> bool:
    return not entry.name.startswith(".") and entry.name not in _UNSHOWN and entry.suffix not in (".pyc", *_BINARY)


def _folder(entries: list[Path]) -> str:
    folder = entries[0].parent.name if entries else ""
    rows = (
        f'<li><a href="{html.escape(f"{folder}/{entry.name}.html")}">'
        f"<code>{html.escape(entry.name + ('/' if entry.is_dir() else ''))}</code></a></li>"
        for entry in entries
    )
    return f"<ul>{''.join(rows)}</ul>"


def _file(app: Sphinx, file: Path) -> str:
    try:
        language = get_lexer_for_filename(file.name).aliases[0]
    except ClassNotFound:
        language = "text"
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        return f"<p>{file.stat().st_size} bytes that are no text.</p>"
    return str(app.builder.highlighter.highlight_block(text, language, force=True, linenos="inline"))  # type: ignore[attr-defined]


def setup(app: Sphinx) -> dict[str, object]:
    """What Sphinx calls for an extension."""
    repository = Repository()
    app.connect("doctree-read", repository.mend_links)
    app.connect("html-collect-pages", repository.pages)
    return {"parallel_read_safe": False}
