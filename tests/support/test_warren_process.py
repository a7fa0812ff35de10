"""Brokers from other working trees."""

from __future__ import annotations

from pathlib import Path

from tests.support.warren_process import REPOSITORY, program_of


def test_what_is_run_in_a_checkout(tmp_path: Path) -> None:
    assert program_of(REPOSITORY) == "warren"
    assert program_of(tmp_path) == "gateway"
