"""The documentation is a site: built without a warning, whole, on the disk as on a server, and asks no other host."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser.devtools import Browser, browser, find_chromium
from tests.browser.page import Page, new_page
from tests.docs.pages import ROOT
from tests.docs.part_pages import PARTS, refreshed
from tests.interop.clients import need

pytest.importorskip("sphinx", reason="Sphinx is missing; tests/requirements.lock has it")

pytestmark = pytest.mark.limits(seconds=900)
"""The site takes ten to twenty seconds of CPU time, which on a busy machine are minutes."""

LOADED = {
    "script": "src",
    "img": "src",
    "link": "href",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "audio": "src",
}
"""What a browser fetches without being asked, by the attribute that says from where."""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command that builds the site, in a process of its own, as Sphinx changes much in the one that it is in."""
    command = [sys.executable, "-m", "docs.site", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)


class Found(HTMLParser):
    """The links, anchors and parts of one page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names."""
        values = dict(attrs)
        if anchor := values.get("id"):
            self.anchors.add(anchor)
        if tag == "a" and (link := values.get("href")):
            self.links.append(link)
        if (attribute := LOADED.get(tag)) and (link := values.get(attribute)):
            self.loaded.append(link)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built once for all tests here."""
    folder = tmp_path_factory.mktemp("site")
    built = run(folder)
    assert built.stderr == ""
    assert built.returncode == 0
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Found]:
    """Every page of it, with what it links to."""
    return {page: Found(page) for page in sorted(site.rglob("*.html"))}


def test_every_page_of_the_documentation_is_there(site: Path) -> None:
    written = [page.relative_to(ROOT) for page in (ROOT / "docs").rglob("*.md")]
    assert len(written) > 40
    assert [str(page) for page in written if not (site / page.with_suffix(".html")).is_file()] == []


def test_links_and_anchors_lead_somewhere(pages: dict[Path, Found]) -> None:
    assert list(_broken(pages)) == []


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<h1 id="here"></h1><a href="#here"></a><a href="#there"></a><a href="other.html"></a>')
    assert list(_broken({page: Found(page)})) == ["page.html: #there", "page.html: other.html"]


def test_nothing_is_fetched_from_other_hosts(site: Path, pages: dict[Path, Found]) -> None:
    assert [link for found in pages.values() for link in found.loaded if "//" in link] == []
    styles = [style.read_text("utf-8") for style in site.rglob("*.css")]
    assert len(styles) > 3
    urls = [url for style in styles for url in re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", style)]
    assert [url for url in map("".join, urls) if "//" in url and not url.strip("'\"").startswith("data:")] == []


def test_warnings_are_told(tmp_path: Path) -> None:
    docs = tmp_path / "source" / "docs"
    docs.mkdir(parents=True)
    (docs / "README.md").write_text("# Pages\n\n- [One](one.md)\n")
    (docs / "one.md").write_text("# One\n\n[Nowhere](two.md), [no heading](#three), [no file](../gateway)\n")
    (docs / "alone.md").write_text("# Alone\n")
    built = run(tmp_path / "site", "--source", tmp_path / "source")
    assert built.returncode == 1
    assert built.stderr.count("WARNING") == 4
    assert "two.md" in built.stderr
    assert "three" in built.stderr
    assert "../gateway" in built.stderr
    assert "alone.md" in built.stderr


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.parent.name)
def test_lists_of_pages_are_in_step(part: Path) -> None:
    assert refreshed(part) == part.read_text("utf-8"), "run: python -m tests.docs.part_pages"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests here."""
    need(find_chromium() is not None, "chromium")
    with browser(parent=tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """A tab, in which nothing may complain."""
    with new_page(chromium) as page:
        yield page
        assert page.complaints() == []


def test_the_front_page_is_where_one_begins(site: Path, tab: Page) -> None:
    assert 'content="0; url=docs/README.html"' in (site / "index.html").read_text("utf-8")
    tab.open((site / "docs" / "README.html").as_uri())
    parts = tab.evaluate(
        "[...document.querySelectorAll('.sidebar-tree > ul > li > a')].map((each) => each.textContent)"
    )
    assert parts[:4] == ["Tutorials", "How-to", "Reference", "Explanation"]


def test_it_is_searched_without_a_server(site: Path, tab: Page) -> None:
    tab.expect("Access to fetch", "Failed to load resource", "Failed to fetch")  # of texts around what was found
    tab.open(f"{(site / 'search.html').as_uri()}?q=x-single-active-consumer")
    tab.wait_for("document.querySelector('#search-results a[href*=\"reference/arguments\"]')")


def test_it_is_dark_where_that_is_preferred(site: Path, tab: Page) -> None:
    backgrounds = []
    for scheme in ("light", "dark"):
        tab.prefer(prefers_color_scheme=scheme)
        tab.open((site / "docs" / "guarantees.html").as_uri())
        backgrounds.append(tab.evaluate("getComputedStyle(document.querySelector('.content')).color"))
    assert len(set(backgrounds)) == 2


def test_a_phone_shows_it_without_moving_sideways(site: Path, tab: Page) -> None:
    tab.resize(390, 844, phone=True)
    wide = []
    for page in sorted((site / "docs").rglob("*.html")):
        if page.name != "index.html":  # which leads elsewhere at once
            tab.open(page.as_uri())
            if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(page.relative_to(site).as_posix())
    assert wide == []


def _broken(pages: dict[Path, Found]) -> Iterator[str]:
    for page, found in pages.items():
        for link in [*found.links, *found.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            there = target.is_file()
            if there and parts.fragment and target in pages:
                there = unquote(parts.fragment) in pages[target].anchors
            if not there:
                yield f"{page.name}: {link}"
