"""The constants of the source that may be limits: numbers that are called like one, or that something is compared with.

A limit is a number with a reason, at the top of a file.  What counts as one is decided in limits_page.py; this finds
all that has to be decided about, and all names under which limits are counted when they do something.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("core", "adapters", "gateway")

CALLED_LIKE_A_LIMIT: Final = re.compile(
    r"MAX|MOST|LIMIT|LEAST|_MIN$|TIMEOUT|AT_ONCE|_PER_|BATCH|RESERVED|BACKLOG|_MS$|_S$|WAIT|AHEAD|KEPT|ROUNDS|RETRIES"
)

FORMATS: Final = (
    "/codec/",
    "core/storage/",
    "core/streams/batches.py",
    "core/streams/chunk.py",
    "core/messages/properties.py",
    "core/patterns/",
    "core/selectors/grammar.py",
    "/tls/certificate.py",
)
"""Where most numbers are a format's: what is compared with them isn't looked at, only what is called like a limit."""

COUNTING: Final = frozenset({"count", "warn", "limited", "_counted", "_limit_reached"})
"""Functions that are given the name of a limit that has done something (core/limit_hits.py)."""

LIMIT_NAME: Final = re.compile(r"[a-z][a-zA-Z0-9_ -]{6,}")


class Constant(NamedTuple):
    """One constant.  name: with its module: `core.broker.ROUNDS_MAX`."""

    name: str
    value: int | float


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Every file of the source, by its path from the root."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def constants(*, all_numbers: bool = False) -> dict[str, Constant]:
    """All that may be limits, by name; or all that are numbers."""
    return {each.name: each for each, may_be in _read(trees).numbers if all_numbers or may_be}


def counted_names() -> frozenset[str]:
    """The names under which the source counts that a limit has done something."""
    return _read(trees).counted


class _Found(NamedTuple):
    """What is in the source.  numbers: each with whether it may be a limit."""

    numbers: tuple[tuple[Constant, bool], ...]
    counted: frozenset[str]


@cache
def _read(source: Callable[[], Iterator[tuple[str, ast.Module]]]) -> _Found:
    """The source is parsed once for all who ask, which takes seconds."""
    numbers: list[tuple[Constant, bool]] = []
    counted: set[str] = set()
    for path, tree in source():
        numbers += _numbers(path, tree)
        counted |= _counted_names(tree)
    return _Found(tuple(numbers), frozenset(counted))


def _numbers(path: str, tree: ast.Module) -> Iterator[tuple[Constant, bool]]:
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    compared = set() if any(part in path for part in FORMATS) else _compared(tree)
    for statement in tree.body:
        target, value = _assigned(statement)
        number = _number(value) if value is not None else None
        if target and number is not None:
            may_be = bool(CALLED_LIKE_A_LIMIT.search(target)) or target in compared
            yield Constant(f"{module}.{target}", number), may_be


def _counted_names(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    texts = {
        target: value.value
        for target, value in map(_assigned, tree.body)
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_counting(node):
            found |= set(_texts(node, texts))
    return found


def _is_counting(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id in COUNTING
    if not isinstance(function, ast.Attribute) or function.attr not in COUNTING:
        return False
    return function.attr == "_limit_reached" or ast.unparse(function.value).endswith("limit_hits")


def _texts(call: ast.Call, texts: dict[str, str]) -> Iterator[str]:
    """The name of the limit: among the first two arguments, a text or a constant that holds one."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    for argument in call.args[1:2] if name in ("limited", "_counted") else call.args[:1]:
        for node in ast.walk(argument):
            text = node.value if isinstance(node, ast.Constant) else texts.get(getattr(node, "id", ""))
            if isinstance(text, str) and LIMIT_NAME.fullmatch(text):
                yield text


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return "", None
    return (target.id, statement.value) if isinstance(target, ast.Name) else ("", None)


def _compared(tree: ast.Module) -> set[str]:
    """Constants that something is compared with, as less or more."""
    return {
        name.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(each, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for each in node.ops)
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and name.id.strip("_").isupper()
    }


_OPERATIONS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
}


def _number(node: ast.expr) -> int | float | None:
    """What an expression of plain numbers comes to."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _number(node.left), _number(node.right)
        if left is not None and right is not None:
            result: int | float = _OPERATIONS[type(node.op)](left, right)
            return result
    return None
