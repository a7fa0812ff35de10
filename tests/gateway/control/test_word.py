"""The declaration of a word: what it checks, and how it travels."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.warren_process import REPOSITORY
from warren.gateway.control.target import Answer, Control, Request, done
from warren.gateway.control.word import VHOST, Option, Syntax, word


@word(
    "WHAT [HOW]...",
    "count something",
    "Counting {0} in {vhost} ...",
    options=(VHOST, Option("at_most", "N"), Option("twice")),
    secret=1,
)
def count_things(control: Control, request: Request) -> Answer:
    return done(f"{request.arguments[0]} in {request.vhost}")


def test_the_name_is_the_functions() -> None:
    assert count_things.name == "count_things"
    assert count_things.line == "usage: warren ctl count_things WHAT [HOW]... [--at-most] [--twice] [--vhost]"


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ([], [], "not enough arguments; usage: warren ctl count_things"),
        (["x"] * 1001, [], "too many arguments; usage"),
        (["x"], ["vhost", "if_empty"], "count_things doesn't take --if-empty; usage"),
    ],
)
def test_what_is_refused(arguments: list[str], options: list[str], expected: str) -> None:
    count_things.check(["x"], ["at_most", "vhost", "twice"])
    with pytest.raises(ValueError, match="^" + expected):
        count_things.check(arguments, options)


def test_the_syntax_travels_as_json() -> None:
    sent = json.loads(json.dumps(count_things.described()))
    received = Syntax.from_description(sent)
    assert received.line == count_things.line
    assert (received.secret, received.options) == (1, count_things.options)
    assert received.described() == count_things.described()
    for broken in ({}, {**sent, "options": [{"x": 1}]}, {**sent, "options": 3}):
        with pytest.raises((KeyError, TypeError)):
            Syntax.from_description(broken)


LIGHT = {"warren.core", "warren.core.frozen"}
"""What a declaration is made with; it imports nothing of Warren."""


def test_a_declaration_takes_no_broker() -> None:
    """The client imports the same modules, and has to be quick."""
    program = (
        "import sys; import warren.gateway.control.word, warren.gateway.control.target; "
        "print(*[name for name in sys.modules if name.startswith(('warren.core', 'warren.adapters', 'trio'))])"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) <= LIGHT


def test_modules_of_words_import_no_broker() -> None:
    """All words that Warren brings: what they need to run is imported when they run."""
    program = (
        "import sys; from warren.gateway.control.words.built_in import WORDS; "
        "heavy = ('warren.core', 'warren.adapters', 'trio'); "
        "print(len(WORDS), *[name for name in sys.modules if name.startswith(heavy)])"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    count, *imported = found.stdout.split()
    assert int(count) >= 60
    assert set(imported) <= LIGHT
