"""What it costs to match: bounded, whatever the expression and the text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.warren_process import PYTHON_PATH
from warren.core.patterns.compiling import check_pattern
from warren.core.patterns.expression import RE2_WORK_MAX, compile_expression
from warren.core.patterns.program import INSTRUCTIONS_MAX
from warren.core.patterns.stepping import STEPS_MAX, TooManySteps, search

EXPONENTIAL = ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(a*)*b", "(?:a?){30}a{30}b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*,"]
"""What a backtracking engine needs exponential time for, on a text of so many a and an exclamation mark."""


@pytest.mark.parametrize("pattern", EXPONENTIAL)
@pytest.mark.parametrize("use_re2", [True, False])
def test_the_usual_traps_are_answered(pattern: str, *, use_re2: bool) -> None:
    expression = compile_expression(pattern, use_re2=use_re2)
    assert not expression.found_in("a" * 27 + "!")
    assert not expression.found_in("a" * 150 + "!")
    assert expression.unanswered == 0, "there was an answer"


@pytest.mark.parametrize("pattern", EXPONENTIAL)
def test_steps_grow_with_the_text_alone(pattern: str) -> None:
    program = compile_expression(pattern, use_re2=False).program()
    short, long = (steps(pattern, "a" * length + "!") for length in (50, 100))
    assert long < 3 * short
    assert long <= 2 * len(program.instructions) * 102


def steps(pattern: str, text: str) -> int:
    """The least bound within which there is an answer."""
    program = compile_expression(pattern, use_re2=False).program()
    low, high = 0, STEPS_MAX
    while low < high:
        middle = (low + high) // 2
        try:
            search(program, text, middle)
            high = middle
        except TooManySteps:
            low = middle + 1
    return low


@pytest.mark.parametrize("pattern", [r"(a*)(a*)(a*)(a*)(a*)\1\2b", r"(?:(a+)+\1)+b"])
def test_references_to_groups_come_to_an_end(pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    expression = compile_expression(pattern)
    assert not expression.found_in("a" * 255)
    assert expression.unanswered == 1
    assert "takes too long for a text of 255 characters" in caplog.text


def test_what_has_no_answer_is_told_at_every_doubling(caplog: pytest.LogCaptureFixture) -> None:
    expression = compile_expression(r"(a*)(a*)(a*)(a*)(a*)\1\2b")
    for _ in range(9):
        expression.found_in("a" * 255)
    assert expression.unanswered == 9
    assert [record.args[3] for record in caplog.records if record.args] == [1, 2, 4, 8]  # type: ignore[index]


def test_a_long_topic_is_matched_in_linear_time() -> None:
    pytest.importorskip("re2")
    expression = compile_expression(r".*\.state$")
    assert not expression.found_in("a." * 30_000)
    assert expression.found_in("a." * 30_000 + "state")
    assert expression.unanswered == 0


def test_a_large_expression_on_a_long_topic_has_no_answer() -> None:
    """RE2 is linear in both together, and falls back to tracking every part where it has to remember much."""
    pytest.importorskip("re2")
    expression = compile_expression("(?:a|b)*a(?:a|b){900}c")
    assert not expression.found_in("ab" * 100)
    assert expression.unanswered == 0
    assert not expression.found_in("ab" * (RE2_WORK_MAX // 900))
    assert expression.unanswered == 1


def test_without_re2_a_long_topic_has_no_answer_but_an_end() -> None:
    expression = compile_expression(r".*\.state$", use_re2=False)
    assert expression.found_in("a." * 500 + "state")
    assert expression.unanswered == 0
    assert not expression.found_in("a." * 30_000)
    assert expression.unanswered == 1


def test_one_that_is_too_large_is_refused_when_it_is_set_and_found_nowhere_otherwise() -> None:
    pattern = "(?:(?:a{100}){100}){100}"
    with pytest.raises(ValueError, match=f"more than {INSTRUCTIONS_MAX} steps"):
        check_pattern(pattern)
    kept = compile_expression(pattern)
    assert not kept.found_in("a")
    assert kept.unanswered == 1


def test_without_the_module() -> None:
    assert not compile_expression("a", use_re2=False).is_linear
    assert compile_expression("a", use_re2=False).found_in("bab")


@pytest.mark.parametrize("text", ["", "a", "\n", "\udcff", "a" * 100_000])
def test_what_is_found_in_anything_needs_no_engine(text: str) -> None:
    expression = compile_expression(".*")
    assert expression.found_in(text, steps_max=0)
    assert expression.is_linear


def test_the_module_is_imported_when_it_is_needed() -> None:
    """It takes 2.4 MiB, and most brokers' permissions are `.*` alone."""
    pytest.importorskip("re2")
    program = (
        "import sys; from warren.core.patterns.expression import compile_expression as made; "
        "print(made('.*').found_in('a'), 're2' in sys.modules, made('a+').found_in('a'), 're2' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": PYTHON_PATH}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True False True True\n"
