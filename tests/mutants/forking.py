"""The quick way for mistakes inside functions: all tests are collected once, and each mutant is a fork from there.

What a function does is its code object, so a mutant needs no import of its own: the forked process gives the functions
that there are the code of the mutated source, wherever they have been imported to, and runs the tests.  That costs
hundredths of a second.  What runs while modules are imported (constants, defaults, decorators, class bodies) can't be
exchanged so; such mutants take the long way (runner.py).
"""

from __future__ import annotations

import ast
import gc
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.caches import clearing_of
from tests.mutants.time_limit import TimeLimit

POLL_S: Final = 0.002

FAILED: Final = 1
"""Exit code of a fork whose tests failed."""

NOT_EXCHANGED: Final = 99
"""Exit code of a fork that found no function to exchange: the mutant has to take the long way."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mutant to try.  source: the whole module with it.  tests: in the order to run them.  seconds: it may take."""

    source: str
    tests: Sequence[str]
    seconds: float


def lines_of_functions(source: str) -> frozenset[int]:
    """The lines that belong to bodies of functions alone."""
    return frozenset(line for body in _bodies(ast.parse(source)) for line in body)


def _bodies(node: ast.AST) -> Iterator[range]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            last = child.end_lineno
            assert last is not None
            yield range(child.body[0].lineno, last + 1)
        elif not isinstance(child, ast.Lambda):
            yield from _bodies(child)


class Forking:
    """A pytest plugin that tries mutants instead of running the tests, and writes [index, verdict] lines to `file`.

    place: the module's file, as functions know it.  A verdict: True if the tests noticed, None for the long way.
    """

    def __init__(self, place: Path, original: str, mutants: Sequence[Wanted], file: Path) -> None:
        self._place = str(place.resolve())
        self._original = original
        self._mutants = mutants
        self._file = file

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        gc.collect()
        functions = self._functions()
        for clear in clearing_of({self._place}):
            clear()
        with self._file.open("a") as file:
            for index, wanted in enumerate(self._mutants):
                chosen = [items[test] for test in wanted.tests if test in items]
                code = self._try(wanted, functions, chosen)
                file.write(json.dumps([index, None if code == NOT_EXCHANGED else bool(code)]) + "\n")
                file.flush()
        return True

    def _functions(self) -> list[FunctionType]:
        """All that there are of the module."""
        found = [each for each in gc.get_objects() if isinstance(each, FunctionType)]
        return [each for each in found if str(Path(each.__code__.co_filename).resolve()) == self._place]

    def _try(self, wanted: Wanted, functions: Iterable[FunctionType], chosen: Sequence[pytest.Item]) -> int:
        pid = os.fork()
        if not pid:
            code = FAILED
            try:
                os.setpgid(0, 0)
                changed = _changed(self._original, wanted.source)
                code = _run(chosen) if changed and _exchange(functions, changed) else NOT_EXCHANGED
            finally:
                os._exit(code)
        limit = TimeLimit(pid, wanted.seconds)
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                _kill_group(pid)
                return os.waitstatus_to_exitcode(status)
            if limit.is_over():
                _kill_group(pid)
                os.waitpid(pid, 0)
                return FAILED
            time.sleep(POLL_S)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _changed(original: str, mutated: str) -> Mapping[str, CodeType]:
    """The code of the functions that differ, by qualified name; nothing where names don't tell which that are."""
    before, after = (list(_codes(compile(source, "module", "exec"))) for source in (original, mutated))
    if [name for name, _ in before] != [name for name, _ in after]:
        return {}
    changed = [name for (name, old), (_, new) in zip(before, after, strict=True) if old != new]
    count = Counter(name for name, _ in after)
    return {} if any(count[name] > 1 for name in changed) else {name: dict(after)[name] for name in changed}


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """Of all functions but those within functions, which come with these."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & CO_OPTIMIZED:
                yield constant.co_qualname, constant
            else:
                yield from _codes(constant)


def _exchange(functions: Iterable[FunctionType], changed: Mapping[str, CodeType]) -> bool:
    """Whether a function that there is got other code."""
    exchanged = False
    for function in functions:
        code = changed.get(function.__code__.co_qualname)
        if code is not None:
            try:
                function.__code__ = code.replace(co_filename=function.__code__.co_filename)
            except ValueError:
                return False
            exchanged = True
    return exchanged


def _run(chosen: Sequence[pytest.Item]) -> int:
    sys.dont_write_bytecode = True
    for item, next_item in zip(chosen, [*chosen[1:], None], strict=True):
        if any(report.failed for report in runtestprotocol(item, nextitem=next_item, log=False)):
            return FAILED
    return 0
