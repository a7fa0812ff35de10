"""docs/consuming.md: its programs are run, and print what it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT, blocks
from tests.support.warren_process import WarrenProcess, warren_process

PAGE = ROOT / "docs" / "consuming.md"

TIME_LIMIT_S = 60.0

DEFAULT = "pika.ConnectionParameters()"


@pytest.fixture(scope="module")
def warren() -> Iterator[WarrenProcess]:
    with warren_process(in_memory=True) as process:
        yield process


@pytest.mark.parametrize(
    ("number", "printed"),
    [(0, "us 300\neu 400\n"), (1, "['ann ordered', 'ann paid', 'ann sent']\n")],
    ids=["selectors", "groups"],
)
def test_its_programs(warren: WarrenProcess, number: int, printed: str) -> None:
    program = blocks(PAGE, "python")[number]
    assert program.count(DEFAULT) == 1
    program = program.replace(DEFAULT, f"pika.ConnectionParameters(port={warren.amqp_port})")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed
    assert all(line in PAGE.read_text("utf-8") for line in printed.splitlines())
