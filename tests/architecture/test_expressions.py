"""Only one room compiles what users write: everything else that asks `re` for something names the pattern itself."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FUNCTIONS = {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}
ROOM = "core/patterns/"


def test_patterns_outside_of_their_room_are_constants() -> None:
    found = []
    for layer in ("core", "adapters", "gateway", "plugins", "testing"):
        for path in sorted((ROOT / layer).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not name.startswith(ROOM):
                found += [f"{name}:{call.lineno}" for call in calls(ast.parse(path.read_text())) if varies(call)]
    assert found == [], "compile users' expressions by core.patterns.compiling"


def calls(tree: ast.AST) -> list[ast.Call]:
    """The calls of functions of `re` that take a pattern."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in FUNCTIONS
    ]


def varies(call: ast.Call) -> bool:
    """Whether the pattern isn't written right there."""
    return not isinstance(call.args[0], ast.Constant)


def test_the_search_finds_something() -> None:
    tree = ast.parse("re.compile(x); re.sub('a', f, y); re.fullmatch(f'{a}', b); other.search(x)")
    assert [varies(call) for call in calls(tree)] == [True, False, True]
