"""docs/reference/pytest.md: the fixtures of the plugin of pytest, and what they give."""

from __future__ import annotations

import ast

from tests.docs.pages import ROOT
from tests.docs.reference.markdown import cell, code, joined, table
from tests.docs.reference.source import described, documentation

PLUGIN = ROOT / "testing" / "pytest_plugin.py"

CLASSES = {
    "warren.testing.broker": ("WarrenBroker",),
    "warren.testing.rows": (
        *("QueueState", "QueuedMessage", "Published", "ConnectionState", "MqttAddress", "StompAddress", "Leftovers"),
    ),
    "warren.testing.link": ("Link",),
    "warren.testing.process": ("BrokerProcess",),
    "warren.gateway": ("EmbeddedBroker",),
}
"""What fixtures give, and what that gives, by module."""

INTRODUCTION = """
# Fixtures of pytest

What [Warren in tests](../testing.md) is made of, from the code. The plugin is found by pytest once Warren is
installed.
"""


def page() -> str:
    """The whole page; AssertionError for a fixture that gives something which isn't described."""
    fixtures = [node for node in ast.parse(PLUGIN.read_text("utf-8")).body if _is_fixture(node)]
    names = [name for members in CLASSES.values() for name in members]
    rows = []
    for node in fixtures:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        assert node.returns is not None
        given = ast.unparse(node.returns).removeprefix("Async").removeprefix("Iterator").strip("[]")
        assert given in (*names, "str", "None"), f"{given} of {node.name} isn't described"
        if given != "None":
            rows.append((code(node.name), code(given), _scope(node), cell(ast.get_docstring(node) or "")))
    parts = [INTRODUCTION.strip(), "## Fixtures", table(("fixture", "gives", "for each", "what it is"), rows)]
    parts += ["## Settings and the marker", documentation(_settings())]
    parts.append("## What they give")
    parts += [described(dotted, name, names) for dotted, members in CLASSES.items() for name in members]
    return joined(parts)


def _is_fixture(node: ast.stmt) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(ast.unparse(each).startswith("pytest.fixture") for each in decorators)


def _scope(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return "session" if "session" in "".join(map(ast.unparse, node.decorator_list)) else "test"


def _settings() -> str:
    """Lines of pytest.ini, with what the plugin says of them."""
    rows = []
    for node in ast.walk(ast.parse(PLUGIN.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "parser.addini":
            name, about = (ast.literal_eval(each) for each in node.args)
            default = next(ast.literal_eval(each.value) for each in node.keywords if each.arg == "default")
            rows.append((code(name), code(default) or "none", cell(about)))
    from warren.testing.pytest_plugin import MARKER

    marker, _, about = MARKER.partition(": ")
    rows.append((code(f"@pytest.mark.{marker}"), "", cell(about)))
    return table(("setting", "default", "what it says"), rows)
