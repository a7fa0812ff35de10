"""Code of other packages comes in by two doors: warren.adapters.interface and warren.gateway.plugin."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.import_rules import imports, is_within

ROOT = Path(__file__).resolve().parents[2]

DOORS = ("warren.adapters.interface", "warren.gateway.plugin")

PACKAGES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
"""The examples that are packages of their own."""


def past_the_doors(path: str, source: str) -> list[str]:
    """What a file of another package imports of adapters, gateway and plugins beside the doors."""
    names = [name for _, name in imports(path, ast.parse(source))]
    inside = [name for name in names if is_within(name, "warren") and not is_within(name, "warren.core")]
    return [name for name in inside if not any(is_within(name, door) for door in DOORS)]


def test_there_is_an_example_for_each_door() -> None:
    texts = [path.read_text() for package in PACKAGES for path in package.glob("*.py")]
    assert all(any(f"from {door} import" in text for text in texts) for door in DOORS)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_what_the_doors_offer_is_enough(package: Path) -> None:
    for path in package.glob("*.py"):
        assert past_the_doors(path.relative_to(ROOT).as_posix(), path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "from warren.gateway.server import Server",
        "import warren.gateway",
        "from warren.adapters.session import admission",
        "from warren.plugins import registry",
        "from warren import gateway",
    ],
)
def test_the_rule_can_fail(line: str) -> None:
    assert past_the_doors("examples/audit_plugin/a.py", line) != []
