"""How many rounds the crash test runs."""

from __future__ import annotations

import pytest

ROUNDS = 12

ROUND_S_MAX = 30
"""A round takes about three seconds on an idle machine."""


def rounds_of(config: pytest.Config) -> int:
    """What `--crash-rounds` says, or the usual number."""
    rounds: int = config.getoption("crash_rounds", None) or ROUNDS
    return rounds
