"""The mutants of a module: its source with one small mistake each, as people make them.

A mutant is text: the span of one node of the syntax tree, replaced.  So a survivor can be shown as a diff against the
file as it stands.  Nothing is mutated that can't matter at run time: docstrings, annotations, imports, `__slots__`,
what the log says, and code for type checkers alone; nor a limit's own number (`..._MAX`), which tests take from here.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

COMPARISONS: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}

ARITHMETIC: Final[dict[type[ast.operator], str]] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}

LOGS: Final = ("_log", "logging", "warnings")
"""Calls on these only say something."""

OTHER_TEXT: Final = "mutant"
"""In place of a text."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """line: of the mistake, from 1.  kind: what sort of mistake.  source: the whole module with it."""

    line: int
    kind: str
    source: str

    def diff(self, original: str, name: str) -> str:
        """As `diff -u` would show it, without a head."""
        lines = difflib.unified_diff(original.splitlines(), self.source.splitlines(), name, name, lineterm="", n=1)
        return "\n".join(lines)

    def changed_lines(self, original: str) -> tuple[str, str]:
        """The lines that differ, before and after, without what is around them."""
        before, after = original.splitlines(), self.source.splitlines()
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        spans = [each for each in matcher.get_opcodes() if each[0] != "equal"]
        first, last = spans[0], spans[-1]
        return _text(before[first[1] : last[2]]), _text(after[first[3] : last[4]])


def _text(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)


def mutants(source: str) -> list[Mutant]:
    """All of them, in the order of lines; no two are the same text."""
    found: dict[str, Mutant] = {}
    for line, kind, text in _Mutator(source).all():
        if text != source and text not in found and _compiles(text):
            found[text] = Mutant(line, kind, text)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


class _Mutator:
    """Walks a module and yields (line, kind, source of the mutant)."""

    def __init__(self, source: str) -> None:
        self._source = source.encode()
        self._starts = [0]
        for line in self._source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._tree = ast.parse(source)

    def all(self) -> Iterator[tuple[int, str, str]]:
        yield from self._within(self._tree)

    def _within(self, node: ast.AST) -> Iterator[tuple[int, str, str]]:
        for name, child in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_params", "decorator_list", "format_spec"):
                continue
            for each in child if isinstance(child, list) else [child]:
                if isinstance(each, ast.AST) and not _is_left_alone(each):
                    yield from self._of(each)
                    yield from self._within(each)

    def _of(self, node: ast.AST) -> Iterator[tuple[int, str, str]]:
        match node:
            case ast.Constant():
                yield from self._constant(node)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                for before, operator, after in zip([left, *comparators], ops, comparators, strict=False):
                    yield self._between(before, after, "comparison", f" {COMPARISONS[type(operator)]} ")
            case ast.BoolOp(op=operator, values=values):
                other = " or " if isinstance(operator, ast.And) else " and "
                for before, after in pairwise(values):
                    yield self._between(before, after, "boolean operator", other)
                for value in values:
                    rest = [self._text_of(each) for each in values if each is not value]
                    joined = (" and " if isinstance(operator, ast.And) else " or ").join(rest)
                    yield self._instead(node, "dropped operand", f"({joined})")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield self._instead(node, "negation dropped", f"({self._text_of(operand)})")
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in ARITHMETIC:
                yield self._between(left, right, "arithmetic", f" {ARITHMETIC[type(operator)]} ")
            case ast.AugAssign(target=target, op=operator, value=value):
                if type(operator) in ARITHMETIC:
                    yield self._between(target, value, "arithmetic", f" {ARITHMETIC[type(operator)]}= ")
                yield self._instead(node, "statement deleted", "pass")
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield self._instead(test, "condition negated", f"(not ({self._text_of(test)}))")
            case ast.comprehension(ifs=conditions):
                for condition in conditions:
                    yield self._instead(condition, "condition negated", f"(not ({self._text_of(condition)}))")
            case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield()) | ast.Raise() | ast.Delete() | ast.Break():
                yield self._instead(node, "statement deleted", "pass")
            case ast.Continue():
                yield self._instead(node, "statement deleted", "pass")
                yield self._instead(node, "loop left", "break")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield self._instead(node, "statement deleted", "pass")
            case ast.Return(value=value) if value is not None and not _is_false(value):
                yield self._instead(node, "return value", "return None")
        if isinstance(node, ast.Call):
            yield from self._call(node)

    def _constant(self, node: ast.Constant) -> Iterator[tuple[int, str, str]]:
        match node.value:
            case bool():
                yield self._instead(node, "constant", str(not node.value))
            case int() | float():
                yield self._instead(node, "constant", repr(node.value + 1))
            case str():
                yield self._instead(node, "constant", repr("" if node.value else OTHER_TEXT))
                yield self._instead(node, "constant", repr(OTHER_TEXT + node.value))
            case bytes():
                yield self._instead(node, "constant", repr(OTHER_TEXT.encode() + node.value))

    def _call(self, node: ast.Call) -> Iterator[tuple[int, str, str]]:
        arguments = node.args
        for first, second in pairwise(arguments):
            if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
                swapped = self._replaced(
                    [(self._span(first), self._text_of(second)), (self._span(second), self._text_of(first))]
                )
                yield node.lineno, "arguments swapped", swapped
        for keyword in node.keywords:
            if keyword.arg is not None:
                start, stop = self._span(keyword)
                # With the comma behind it; before the closing parenthesis none is left over that matters.
                after = self._source[stop : stop + 1] == b","
                yield keyword.lineno, "argument dropped", self._replaced([((start, stop + after), "")])

    # Text

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _text_of(self, node: ast.AST) -> str:
        start, stop = self._span(node)
        return self._source[start:stop].decode()

    def _instead(self, node: ast.expr | ast.stmt, kind: str, text: str) -> tuple[int, str, str]:
        return node.lineno, kind, self._replaced([(self._span(node), text)])

    def _between(self, before: ast.AST, after: ast.AST, kind: str, text: str) -> tuple[int, str, str]:
        """Replaces the operator between two nodes; parentheses around either stay."""
        start, stop = self._span(before)[1], self._span(after)[0]
        gap = self._source[start:stop].decode()
        closing = gap[: len(gap) - len(gap.lstrip(") \n"))].count(")")
        opening = gap[len(gap.rstrip("( \n")) :].count("(")
        line = self._source[:start].count(b"\n") + 1
        return line, kind, self._replaced([((start, stop), ")" * closing + text + "(" * opening)])

    def _replaced(self, replacements: list[tuple[tuple[int, int], str]]) -> str:
        result = self._source
        for (start, stop), text in sorted(replacements, reverse=True):
            result = result[:start] + text.encode() + result[stop:]
        return result.decode()


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Global() | ast.Nonlocal():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__slots__" | "__all__")]):
            return True
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")) | ast.Subscript(value=ast.Name(id="Literal")):
            return True
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name.endswith("_MAX")
        case (
            ast.Call(func=ast.Attribute(value=ast.Name(id=name)))
            | ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name))))
        ):
            return name in LOGS
        case ast.Call(func=ast.Name(id="cast" | "TypeVar" | "NewType")):
            return True
    return False


def _is_false(node: ast.expr) -> bool:
    """None, or what callers can't tell from it."""
    return isinstance(node, ast.Constant) and not node.value
