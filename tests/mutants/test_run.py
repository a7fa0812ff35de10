"""A whole run, over a small repository of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.warren_process import PYTHON_PATH, REPOSITORY

SECONDS = "5"
"""For each mutant, of processor time: one that survives may not be taken for a loop."""

TIMEOUT_S = 600
pytestmark = pytest.mark.limits(seconds=2 * TIMEOUT_S)

MODULE = """
from functools import cache

LIMIT = 3

def _half(number: int) -> int:
    return number // 2

HALF = _half(2)

def is_small(number: int) -> bool:
    while number > 1000:
        number -= 1
    return number < LIMIT

@cache
def _known() -> frozenset[int]:
    return frozenset((7, 9))

def is_known(number: int) -> bool:
    return number in _known()
"""

TESTS = """
from warren.small import HALF, _half, is_known, is_small

def test_half_of_nothing():
    assert _half(0) == 0

def test_half_of_two():
    assert HALF == 1

def test_small():
    assert is_small(1)
    assert is_small(2)

def test_not_small():
    assert not is_small(4)
    assert not is_small(1002)

def test_unknown():
    assert not is_known(1)

def test_known():
    assert is_known(7)
    assert is_known(9)
"""

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--broker")
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = tmp_path / "repository"
    files = {
        "src/warren/__init__.py": "",
        "src/warren/small.py": MODULE,
        # Where Warren is installed pytest looks for its plugin, and finds this package instead.
        "src/warren/testing/__init__.py": "",
        "src/warren/testing/pytest_plugin.py": "",
        "tests/test_small.py": TESTS,
        "tests/conftest.py": CONFTEST,
    }
    for name, content in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(content)
    subprocess.run(["git", "init", "-q", str(made)], check=True)
    return made


def run(repository: Path, cache: Path) -> tuple[int, str]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.mutants", "warren.small", "--tests", "tests/test_small.py"),
            *("--repository", str(repository), "--cache", str(cache), "--seconds", SECONDS, "--jobs", "2"),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_survivors_are_shown_and_a_test_kills_them(repository: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    before = (repository / "src/warren/small.py").read_text()
    code, said = run(repository, cache)
    assert code == 1
    assert "-LIMIT = 3\n+LIMIT = 4\n" in said, "nobody has tried 3"
    assert "-    return number < LIMIT\n+    return number <= LIMIT\n" in said
    assert "+    return number * 2\n" not in said, "a test that runs nothing sees what importing has made"
    assert "+        number += 1\n" not in said, "a loop for ever counts as noticed"
    assert "frozenset" not in said, "what the first test has made known is found out by the second, too"
    assert (repository / "src/warren/small.py").read_text() == before
    with (repository / "tests/test_small.py").open("a") as file:
        file.write("\n\ndef test_the_limit():\n    assert not is_small(3)\n    assert not is_small(1000)\n")
    code, said = run(repository, cache)
    assert "LIMIT = 4" not in said
    assert "number <= LIMIT" not in said


def test_tests_that_fail_anyway_say_nothing_about_mistakes(repository: Path, tmp_path: Path) -> None:
    (repository / "tests/test_small.py").write_text("def test_it(): assert False\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.mutants", "warren.small", "--tests", "tests/test_small.py"),
            *("--repository", str(repository), "--cache", str(tmp_path / "cache")),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "the tests fail without any mutant" in done.stderr
