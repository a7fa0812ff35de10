"""The table of differences names tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.differences import DIFFERENCES


@pytest.mark.parametrize("key", DIFFERENCES)
def test_entries_name_a_test(key: str) -> None:
    file, _, case = key.partition("::")
    name = case.partition("[")[0]
    assert f"def {name}(" in Path(__file__).with_name(file).read_text()
