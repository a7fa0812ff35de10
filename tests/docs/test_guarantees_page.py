"""docs/guarantees.md and SECURITY.md name tests that are there: each promise has one, in the file that is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "guarantees.md"

SECURITY = ROOT / "SECURITY.md"

TEXT = PAGE.read_text("utf-8")

_HOLDER = re.compile(r"\[`(test_\w+)`\]\(([^)\s]+)\)")

HOLDERS = [(name, file, page) for page in (PAGE, SECURITY) for name, file in _HOLDER.findall(page.read_text("utf-8"))]

PROMISES = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| promised ")]


def is_there(name: str, source: str) -> bool:
    """Whether a file's text has a test of this name."""
    return re.search(rf"^(?:    )?(?:async )?def {name}\(", source, re.MULTILINE) is not None


@pytest.mark.parametrize(("name", "file", "page"), sorted(set(HOLDERS)))
def test_what_holds_a_promise_is_there(name: str, file: str, page: Path) -> None:
    assert is_there(name, (page.parent / file).read_text("utf-8"))


def test_every_promise_is_held_by_a_test() -> None:
    assert len(PROMISES) > 20
    assert [promise for promise in PROMISES if "[`test_" not in promise.rpartition("| ")[2]] == []


def test_a_name_that_is_none_would_be_found() -> None:
    assert is_there("test_this", "async def test_this() -> None:\n")
    assert not is_there("test_this", "def test_this_one() -> None:\n")
    assert not is_there("test_this", "# def test_this(\n")
