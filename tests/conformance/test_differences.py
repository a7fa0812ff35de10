"""The tables of differences name tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.differences import AS_DECLARED, CLUSTER_DIFFERENCES, DIFFERENCES


@pytest.mark.parametrize("key", sorted({*DIFFERENCES, *CLUSTER_DIFFERENCES, *AS_DECLARED}))
def test_entries_name_a_test(key: str) -> None:
    file, _, case = key.partition("::")
    name = case.partition("[")[0]
    assert f"def {name}(" in Path(__file__).with_name(file).read_text()
