"""CI runs the tests with compiled modules and from their sources, by the commands that the README has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

CI: Final = (ROOT / ".ci" / "run").read_text("utf-8")

COMMANDS: Final = re.findall(r"^    (\S.* -m pytest .*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
"""The README's lines that run tests."""


def test_the_readme_has_a_command_for_each_form() -> None:
    compiled, interpreted = COMMANDS
    assert compiled.startswith("python3 -m venv ")
    assert "WARREN_" not in compiled, "what nobody asks for otherwise is the form that nothing has to be said for"
    assert interpreted.startswith("WARREN_FORM=interpreted .venv/bin/python -m pytest ")
    assert "--form interpreted --other-form" in interpreted


def test_ci_runs_both_by_the_readmes_commands() -> None:
    patterns = dict(re.findall(r"^(\w+)=\$\(sed -n 's/\^    \\\((.*)\\\)\$/", CI, re.MULTILINE))
    assert sorted(patterns) == ["other_form", "test_command"]
    for pattern, command in zip((patterns["test_command"], patterns["other_form"]), COMMANDS, strict=True):
        assert re.fullmatch(pattern, command)
    lines = CI.splitlines()
    assert 'WARREN_COMPILE=1 bash -c "${test_command% && *}"' in lines, "fails where it can't be compiled"
    assert 'bash -c "${test_command##* && } --form compiled $slowest" || result=$?' in lines
    assert 'bash -c "$other_form $slowest" || result=$?' in lines
    assert 'slowest="--durations=40 --durations-min=5"' in lines, "nothing else comes with the README's commands"
    assert lines[-1] == 'exit "$result"'


def test_what_nobody_says_anything_for_is_compiled_where_it_can_be() -> None:
    assert re.search(r'^DEFAULT = "auto"$', (ROOT / "setup.py").read_text("utf-8"), re.MULTILINE)


def test_the_compiler_is_the_one_that_the_tests_have() -> None:
    """Another version makes other mistakes."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    (mypy,) = (each for each in needed if each.startswith("mypy"))
    lock = (ROOT / "tests" / "requirements.lock").read_text("utf-8")
    assert re.search(rf"^{re.escape(mypy)} ", lock, re.MULTILINE)
