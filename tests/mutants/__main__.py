"""`python -m tests.mutants MODULE ...`: which mistakes would no test notice?  See README.md beside this file."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.mutants.covering import Coverage, places_of
from tests.mutants.forking import Wanted, lines_of_functions
from tests.mutants.mutations import Mutant, mutants
from tests.mutants.results import KILLED, SURVIVED, Equivalents, Results, digest_of_files
from tests.mutants.runner import TESTS_FAILED, TOO_LATE, Child, preload, run_chosen, run_forking, run_traced
from tests.mutants.trees import Tree, copies_of

REPOSITORY: Final = Path(__file__).resolve().parents[2]

TRACED_S: Final = 1800.0
"""For the run of all tests that may cover something."""

LEAST_S: Final = 30.0
"""A mutant's tests may take so long, beside `SLOWER` times what they take without a mistake, on a busy machine."""

SLOWER: Final = 5.0

BROKEN: Final = (TESTS_FAILED, TOO_LATE, 2, 3, 4, 5, 70, -9, -11, -6)
"""Codes of children that noticed: tests that fail, hang, can't be collected, or take the process with them."""


@dataclass
class Subject:
    """A module, its mutants, and the tests that run it."""

    module: str
    name: str
    source: str
    paths: tuple[str, ...]
    coverage: Coverage
    tests: str
    survivors: list[Mutant] = field(default_factory=list)
    killed: int = 0
    equivalent: int = 0


def main() -> int:
    """Exit code 1 if there are survivors."""
    options = _options()
    preload()
    options.cache.mkdir(parents=True, exist_ok=True)
    (options.cache / ".gitignore").write_text("*\n")
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        trees = [Tree(path) for path in copies_of(options.repository, Path(name), options.jobs)]
        modules = [module for wanted in options.modules for module in _modules(options.repository, wanted)]
        subjects = _subjects(options, trees[0], modules)
        results = Results(options.cache / "results.jsonl")
        equivalents = Equivalents()
        for subject in subjects:
            _Run(options, subject, trees, results, equivalents).run()
    survived = sum(len(subject.survivors) for subject in subjects)
    for subject in subjects:
        total = subject.killed + subject.equivalent + len(subject.survivors)
        print(
            f"{subject.module}: {total} mutants, {subject.killed} killed, {subject.equivalent} equivalent, "
            f"{len(subject.survivors)} survived"
        )
    return 1 if survived else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="+", help="modules or packages, such as warren.core.access.permissions")
    parser.add_argument("--tests", nargs="+", help="where to look for tests, instead of what covering.py says")
    parser.add_argument("--jobs", type=int, default=1, help="how many mutants at a time")
    parser.add_argument("--lines", help="only mistakes on these lines, such as 10-40")
    parser.add_argument(
        "--functions", action="store_true", help="only mistakes inside functions, which are tried quickly"
    )
    parser.add_argument("--seconds", type=float, default=LEAST_S, help="a mutant may take so much longer than usual")
    parser.add_argument("--cache", type=_absolute, default=REPOSITORY / ".mutants", help="where verdicts are kept")
    parser.add_argument("--repository", type=Path, default=REPOSITORY, help=argparse.SUPPRESS)
    return parser.parse_args()


def _absolute(text: str) -> Path:
    """Tests run in copies of the repository, where a relative path would be another one."""
    return Path(text).absolute()


def _modules(repository: Path, wanted: str) -> list[str]:
    """A module, or all modules of a package."""
    place = repository / "src" / wanted.replace(".", "/")
    if place.is_dir():
        files = sorted(place.rglob("*.py"))
        return [
            ".".join([wanted, *file.relative_to(place).with_suffix("").parts]).removesuffix(".__init__")
            for file in files
        ]
    if not place.with_suffix(".py").exists():
        raise SystemExit(f"there is no module {wanted}")
    return [wanted]


def _subjects(options: argparse.Namespace, tree: Tree, modules: Iterable[str]) -> list[Subject]:
    """Those modules, with what tests run of each; tests that are looked at for several run once."""
    subjects: list[Subject] = []
    unknown: dict[tuple[str, ...], dict[str, Path]] = {}
    covered: list[Path] = []
    for module in modules:
        place = options.repository / "src" / module.replace(".", "/")
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        name = str(file.resolve().relative_to(options.repository.resolve()))
        paths = tuple(options.tests or places_of(module))
        digest = digest_of_files(options.repository, paths)
        cached = options.cache / f"{module}-{digest_of_files(options.repository, [name])[:12]}-{digest[:12]}-lines.json"
        if not cached.exists():
            unknown.setdefault(paths, {})[name] = cached
        subjects.append(Subject(module, name, file.read_text(), paths, Coverage({}, {}), digest))
        covered.append(cached)
    for paths, files in unknown.items():
        _trace(options, tree, paths, files)
    for subject, cached in zip(subjects, covered, strict=True):
        subject.coverage = Coverage.load(cached)
    return subjects


def _trace(options: argparse.Namespace, tree: Tree, paths: tuple[str, ...], files: Mapping[str, Path]) -> None:
    log = options.cache / "traced.log"
    print(f"looking for tests that run {', '.join(files)} in {' '.join(paths)}", flush=True)
    code = run_traced(options.repository, tree.path, paths, files, log, TRACED_S).wait()
    if code != 0:
        for cached in files.values():
            cached.unlink(missing_ok=True)
        raise SystemExit(f"the tests fail without any mutant ({code}):\n{log.read_text()[-3000:]}")


class _Run:
    """All mutants of one module, as many at a time as there are trees."""

    def __init__(
        self,
        options: argparse.Namespace,
        subject: Subject,
        trees: list[Tree],
        results: Results,
        equivalents: Equivalents,
    ) -> None:
        self._options = options
        self._subject = subject
        self._free = list(trees)
        self._results = results
        self._equivalents = equivalents
        self._running: list[tuple[Child, Tree, Mutant]] = []

    def run(self) -> None:
        subject = self._subject
        first, last = _lines(self._options.lines)
        inside = lines_of_functions(subject.source)
        wanted: list[Mutant] = []
        for mutant in mutants(subject.source):
            if not first <= mutant.line <= last or (self._options.functions and mutant.line not in inside):
                continue
            if self._equivalents.reason(subject.module, mutant, subject.source) is not None:
                subject.equivalent += 1
                continue
            verdict = self._results.verdict(subject.name, mutant, subject.tests)
            if verdict is not None:
                self._book(mutant, verdict)
            else:
                wanted.append(mutant)
        wanted = self._run_forking(wanted)
        try:
            for mutant in wanted:
                while not self._free:
                    self._poll()
                self._start(mutant)
            while self._running:
                self._poll()
        finally:
            for child, tree, _ in self._running:
                child.kill()
                tree.mutate(subject.name, subject.source)

    def _run_forking(self, wanted: list[Mutant]) -> list[Mutant]:
        """Try those that are inside functions the quick way; gives those that have to take the long way."""
        subject, imported = self._subject, self._subject.coverage.imported
        inside = lines_of_functions(subject.source)
        quick: list[Mutant] = []
        for mutant in wanted:
            lines = set(range(mutant.line, _last_line(mutant, subject.source) + 1))
            if lines <= inside and not lines & imported and self._tests(mutant):
                quick.append(mutant)
        if not quick:
            return wanted
        tree, file = self._free[0], self._options.cache / "forked.jsonl"
        file.write_text("")
        tries = [Wanted(mutant.source, self._tests(mutant), self._seconds(self._tests(mutant))) for mutant in quick]
        log = self._options.cache / "forking.log"
        child = run_forking(self._options.repository, tree.path, subject.name, subject.source, tries, file, log)
        tried: set[int] = set()
        try:
            while child.poll() is None:
                time.sleep(0.05)
        finally:
            for line in file.read_text().splitlines():
                index, noticed = json.loads(line)
                if noticed is not None:
                    tried.add(id(quick[index]))
                    self._verdict(quick[index], KILLED if noticed else SURVIVED)
        return [mutant for mutant in wanted if id(mutant) not in tried]

    def _tests(self, mutant: Mutant) -> list[str]:
        return self._subject.coverage.tests_for(mutant.line, _last_line(mutant, self._subject.source))

    def _seconds(self, tests: list[str]) -> float:
        """So long they may take."""
        coverage = self._subject.coverage
        return float(self._options.seconds) + SLOWER * sum(coverage.seconds.get(test, 0.0) for test in tests)

    def _start(self, mutant: Mutant) -> None:
        subject = self._subject
        tests = self._tests(mutant)
        if not tests:
            self._verdict(mutant, SURVIVED)
            return
        seconds = self._seconds(tests)
        tree = self._free.pop()
        tree.mutate(subject.name, mutant.source)
        log = self._options.cache / f"mutant-{tree.path.name}.log"
        self._running.append((run_chosen(self._options.repository, tree.path, tests, log, seconds), tree, mutant))

    def _poll(self) -> None:
        time.sleep(0.01)
        for running in list(self._running):
            child, tree, mutant = running
            code = child.poll()
            if code is None:
                continue
            self._running.remove(running)
            tree.mutate(self._subject.name, self._subject.source)
            self._free.append(tree)
            if code != 0 and code not in BROKEN:
                print(f"(exit code {code})")
            self._verdict(mutant, KILLED if code else SURVIVED)

    def _verdict(self, mutant: Mutant, verdict: str) -> None:
        self._results.note(self._subject.name, mutant, self._subject.tests, verdict)
        self._book(mutant, verdict)

    def _book(self, mutant: Mutant, verdict: str) -> None:
        subject = self._subject
        if verdict == KILLED:
            subject.killed += 1
            return
        subject.survivors.append(mutant)
        print(f"\nsurvived: {mutant.kind}\n{mutant.diff(subject.source, subject.name)}", flush=True)


def _lines(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, sys.maxsize
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _last_line(mutant: Mutant, original: str) -> int:
    """Where the changed part ends in the original."""
    before, after = original.splitlines(), mutant.source.splitlines()
    same = 0
    while same < min(len(before), len(after)) - mutant.line + 1 and before[-1 - same] == after[-1 - same]:
        same += 1
    return max(mutant.line, len(before) - same)


if __name__ == "__main__":
    raise SystemExit(main())
