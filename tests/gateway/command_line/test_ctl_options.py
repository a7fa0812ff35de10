"""Options of `warren ctl`, before and behind the word."""

from __future__ import annotations

import pytest

from warren.gateway.command_line.ctl_options import GENERAL, SHORT, parse
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.word import Option, Syntax
from warren.gateway.control.words.built_in import WORDS

SOME = Syntax("some", "", "", options=(Option("if_empty"), Option("priority", "N")))


@pytest.mark.parametrize(
    ("arguments", "words", "options"),
    [
        ([], [], {}),
        (["-q", "some", "x"], ["some", "x"], {"quiet": True}),
        (["-p", "/", "some", "-qs"], ["some"], {"vhost": "/", "quiet": True, "silent": True}),
        (["-p/", "some"], ["some"], {"vhost": "/"}),
        (["-qp/", "some"], ["some"], {"vhost": "/", "quiet": True}),
        (["some", "--priority", "-3", "--if-empty", "y"], ["some", "y"], {"priority": "-3", "if_empty": True}),
        (["--priority=a=b", "some", "-"], ["some", "-"], {"priority": "a=b"}),
        (["some", "--priority=", ""], ["some", ""], {"priority": ""}),
        (["some", "--", "-q", "--if-empty", "--"], ["some", "-q", "--if-empty", "--"], {}),
        (["-n", "rabbit@host", "-l", "some"], ["some"], {"node": "rabbit@host", "longnames": True}),
    ],
)
def test_a_command_line_is_taken_apart(arguments: list[str], words: list[str], options: dict[str, object]) -> None:
    parsed = parse(arguments, [SOME])
    assert (list(parsed.words), parsed.options) == (words, options)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--other"], "no such option: --other"),
        (["--if"], "no such option: --if"),
        (["-x"], "no such option: -x"),
        (["-3"], "no such option: -3"),
        (["--priority"], "option --priority needs a value, N"),
        (["-t"], "option -t needs a value, SECONDS"),
        (["--if-empty=yes"], "option --if-empty takes no value"),
    ],
)
def test_mistakes(arguments: list[str], text: str) -> None:
    with pytest.raises(CommandFailedError) as caught:
        parse(["some", *arguments], [SOME])
    assert caught.value.exit_code == 64
    assert str(caught.value).startswith(text)


def test_unknown_options_are_overlooked_to_find_the_word() -> None:
    parsed = parse(["--other", "-xq", "word", "--more=1"], [SOME], lenient=True)
    assert parsed.words == ["word"]


@pytest.mark.parametrize(("given", "expected"), [("1.5", 1.5), ("0", None)])
def test_times(given: str, expected: float | None) -> None:
    assert parse(["-t", given], []).timeout_s == expected
    assert parse([], []).timeout_s == 60.0


@pytest.mark.parametrize("given", ["soon", "-1", "nan"])
def test_what_is_no_time(given: str) -> None:
    with pytest.raises(CommandFailedError, match="--timeout must be a number of seconds"):
        parse(["-t", given], []).timeout_s  # noqa: B018


def test_an_option_means_the_same_in_every_word() -> None:
    found: dict[str, Option] = {}
    for option in (*GENERAL, *(each for word in WORDS.values() for each in word.options)):
        assert found.setdefault(option.name, option).value == option.value, option
    assert set(SHORT.values()) <= {option.name for option in GENERAL}
