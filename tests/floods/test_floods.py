"""Floods, smaller than by hand, and counted instead of timed: no step makes more than a bounded number of calls.

`python -m tests.floods` has them at full size, and measures time (docs/floods.md).
"""

from __future__ import annotations

import pytest

from tests.floods.every import FLOODS
from tests.floods.run import run

pytestmark = [
    pytest.mark.limits(seconds=300),
    pytest.mark.interpreted("counts calls, of which compiled code doesn't tell"),
]


@pytest.mark.parametrize("name", [name for name, flood in FLOODS.items() if flood.calls])
def test_no_step_makes_more_than_a_bounded_number_of_calls(name: str) -> None:
    flood = FLOODS[name]
    found = run(flood, flood.small, "calls")
    assert 0 < found.longest <= flood.calls, found
