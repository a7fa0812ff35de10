"""Links between pages lead somewhere, and the lock files name no server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, README, ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_there_are_pages() -> None:
    assert README in PAGES
    assert len(PAGES) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    local = [link.partition("#")[0] for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_requirements_are_pinned_by_hash_and_name_no_server() -> None:
    lines = (ROOT / "tests" / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if "://" in line or line.startswith(("--index-url", "--extra", "--find"))] == []
    pins = [line for line in lines if re.match(r"[a-z]", line)]
    assert len(pins) > 20
    assert [line for line in pins if not re.match(r"[a-z0-9.-]+==\S+", line)] == []
    names = [index for index, line in enumerate(lines) if re.match(r"[a-z]", line)]
    assert [lines[index] for index in names if "--hash=sha256:" not in lines[index + 1]] == []


def test_the_license_is_apache() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
