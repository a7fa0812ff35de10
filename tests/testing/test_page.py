"""What docs/testing.md shows is what happens, and so does the example of a ladder of retries."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.testing.running import TIME_LIMIT_S, run_pytest
from warren.testing.broker import WarrenBroker

pytestmark = pytest.mark.limits(seconds=TIME_LIMIT_S + 30)

PAGE = ROOT / "docs" / "testing.md"


def test_its_tests_pass(tmp_path: Path) -> None:
    shown = blocks(PAGE, "python")
    for number, block in enumerate(shown):
        (tmp_path / f"test_{number}.py").write_text(block)
    run = run_pytest(tmp_path)
    count = sum("test_" in getattr(node, "name", "") for block in shown for node in ast.walk(ast.parse(block)))
    assert count > 5
    assert run.counts == {"passed": count}, run.output


def test_it_names_everything_there_is() -> None:
    text = PAGE.read_text("utf-8")
    public = {name for name in vars(WarrenBroker) if not name.startswith("_")}
    others = {"end", "import_definitions", "mqtt", "password", "stomp", "url", "user"}
    assert others < public
    assert [name for name in sorted(public - others) if f"`{name}" not in text] == []


def test_the_example(tmp_path: Path) -> None:
    for path in (ROOT / "examples" / "retry_ladder").glob("*.py"):
        shutil.copy(path, tmp_path)
    run = run_pytest(tmp_path)
    assert run.counts == {"passed": 2}, run.output
