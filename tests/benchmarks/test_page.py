"""Results are put into the page, and the page has a place for each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.page import PAGE, SECTIONS, put


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(
        "a\n<!-- table: begin -->\nold\n<!-- table: end -->\nb\n<!-- curves: begin -->\n<!-- curves: end -->\n"
    )
    return file


def test_a_section_is_replaced(page: Path) -> None:
    put("table", "new \\1\n", page)
    put("curves", "\nlines\nof it\n\n", page)
    expected = "a\n<!-- table: begin -->\n\nnew \\1\n\n<!-- table: end -->\nb\n"
    assert page.read_text() == expected + "<!-- curves: begin -->\n\nlines\nof it\n\n<!-- curves: end -->\n"


def test_a_page_without_the_section_is_refused(page: Path) -> None:
    with pytest.raises(ValueError, match="0 sections 'profile'"):
        put("profile", "x", page)


def test_the_page_has_all_sections(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text("utf-8"), "utf-8")
    for section in SECTIONS:
        put(section, f"this is the {section}", copy)
        assert f"this is the {section}" in copy.read_text("utf-8")
