"""Which mistakes are made, and that each is one, in one place, and compiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.covering import Coverage, places_of
from tests.mutants.mutations import mutants
from tests.mutants.results import Equivalents, Results
from tests.support.warren_process import REPOSITORY

CASES = {
    "x = 1": ["x = 2"],
    "x = True": ["x = False"],
    "x = 'a'": ["x = ''", "x = 'mutanta'"],
    "x = ''": ["x = 'mutant'"],
    "x = b'a'": ["x = b'mutanta'"],
    "x = None": [],
    "x = a < b": ["x = a <= b"],
    "x = a < b <= c": ["x = a <= b <= c", "x = a < b < c"],
    "x = (a) == (b)": ["x = (a) != (b)"],
    "x = a is None": ["x = a is not None"],
    "x = a and b": ["x = a or b", "x = (b)", "x = (a)"],
    "x = not a": ["x = (a)"],
    "x = (a + b) * c": ["x = (a + b) // c", "x = (a - b) * c"],
    "x += y": ["x -= y", "pass"],
    "if x: f()": ["if (not (x)): f()", "if x: pass"],
    "x = a if b else c": ["x = a if (not (b)) else c"],
    "x = [a for a in b if a]": ["x = [a for a in b if (not (a))]"],
    "f(a, b)": ["f(b, a)", "pass"],
    "x = f(a=b, c=d)": ["x = f( c=d)", "x = f(a=b, )"],
    "x.y = z": ["pass"],
    "raise x": ["pass"],
    "def f():\n    return x": ["def f():\n    return None"],
    "def f():\n    return False": ["def f():\n    return True"],
    "while x: break": ["while (not (x)): break", "while x: pass"],
    "while x: continue": ["while (not (x)): continue", "while x: pass", "while x: break"],
    '"""What it is for: 1 < 2."""': [],
    "x: Literal['a']": [],
    "X_MAX: Final = 1": [],
    "X: TypeAlias = Literal['a']": [],
    "import a": [],
    "_log.info('%s', 1)": [],
    "if TYPE_CHECKING: f()": [],
    "class A:\n    __slots__ = ('a',)": [],
    "größe = 'ä' + b": ["größe = 'ä' - b", "größe = '' + b", "größe = 'mutantä' + b"],
}


@pytest.mark.parametrize("source", CASES)
def test_mistakes(source: str) -> None:
    assert sorted(mutant.source for mutant in mutants(source)) == sorted(CASES[source])


def test_each_mistake_is_in_its_line() -> None:
    source = (REPOSITORY / "core/access/permissions.py").read_text()
    lines = source.splitlines()
    found = mutants(source)
    assert len(found) > 60
    for mutant in found:
        changed = mutant.source.splitlines()
        assert lines[: mutant.line - 1] == changed[: mutant.line - 1]
        assert mutant.diff(source, "permissions.py").count("\n@@ ") == 1


def test_the_table_of_tests_names_what_is_there() -> None:
    for module in ("warren.core.access.permissions", "warren.gateway.configuration.load", "warren.adapters.stage"):
        assert all((REPOSITORY / path).exists() for path in places_of(module))
    with pytest.raises(KeyError):
        places_of("elsewhere")


def test_tests_for_a_line() -> None:
    coverage = Coverage({"slow": frozenset({1, 2}), "quick": frozenset({2, 3})}, {"slow": 2.0, "quick": 1.0})
    assert coverage.tests_for(2, 2) == ["quick", "slow"]
    assert coverage.tests_for(1, 1) == ["slow"]
    assert coverage.tests_for(9, 12) == ["quick", "slow"], "run at import, or never"


def test_verdicts_are_remembered(tmp_path: Path) -> None:
    first, second = mutants("x = 1\ny = 2")
    results = Results(tmp_path / "results")
    results.note("a.py", first, "tests", "killed")
    results.note("a.py", second, "tests", "survived")
    again = Results(tmp_path / "results")
    assert again.verdict("a.py", first, "tests") == "killed"
    assert again.verdict("a.py", first, "more tests") == "killed"
    assert again.verdict("a.py", second, "tests") == "survived"
    assert again.verdict("a.py", second, "more tests") is None
    assert again.verdict("b.py", first, "tests") is None


def test_equivalents_are_known_by_what_changes(tmp_path: Path) -> None:
    file = tmp_path / "equivalent.toml"
    file.write_text('[[equivalent]]\nmodule = "m"\nreason = "why"\nchanges = [["x = 1", "x = 2"]]\n')
    equivalents = Equivalents(file)
    source = "y = None\n\nx = 1"
    (mutant,) = mutants(source)
    assert equivalents.reason("m", mutant, source) == "why"
    assert equivalents.reason("n", mutant, source) is None


@pytest.mark.limits(seconds=600)  # six seconds, which a very busy machine may take minutes for
def test_every_equivalent_still_is_a_mutant() -> None:
    """One whose line has changed is left over."""
    equivalents = Equivalents()
    for module, before, after in equivalents.changes:
        file = REPOSITORY / "src" / (module.replace(".", "/") + ".py")
        source = file.read_text()
        assert (before, after) in {mutant.changed_lines(source) for mutant in mutants(source)}, (module, before, after)
