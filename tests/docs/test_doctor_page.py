"""docs/doctor.md names every finding, each by its own code."""

from __future__ import annotations

from collections import Counter

from tests.docs.doctor_page import PAGE, page
from warren.core.administration.diagnosing.catalogue import FAULTS


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.docs.doctor_page"


def test_codes_and_titles_are_their_own() -> None:
    assert [code for code, count in Counter(each.code for each in FAULTS).items() if count > 1] == []
    assert [title for title, count in Counter(each.title for each in FAULTS).items() if count > 1] == []
