"""The help of every word: its arguments, options, columns and an example that is right."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from tests.support.warren_process import REPOSITORY
from warren.core.administration.listing.kinds import Listings
from warren.gateway.command_line.ctl_options import GENERAL, parse
from warren.gateway.command_line.meanings import ARGUMENTS, OPTIONS, metavars
from warren.gateway.command_line.word_help import columns_of, example_of, help_of
from warren.gateway.configuration.plugins import PLUGINS, load_plugin
from warren.gateway.control.word import Syntax, Word
from warren.gateway.control.words.built_in import WORDS

OF_PLUGINS = {word.name: word for name in PLUGINS for word in load_plugin(name)().words()}
ALL: dict[str, Word] = {**WORDS, **OF_PLUGINS}


@pytest.mark.parametrize("name", ALL)
def test_its_example_can_be_typed(name: str) -> None:
    word = ALL[name]
    program, typed, *_ = parts = shlex.split(example_of(word))
    assert (program, typed) == ("warren", name)
    parsed = parse(parts[1:], ALL.values())
    arguments = list(parsed.words[1:])
    if word.secret is not None and len(arguments) == word.secret:
        arguments.append("asked for")
    word.check(arguments, [each for each in parsed.of_word if word.takes(each)])
    assert set(parsed.options) <= {each.name for each in (*word.options, *GENERAL)}
    takes_something = word.usage or word.options
    assert word.example or not takes_something or word.usage.startswith("["), "it shows how that is written"


@pytest.mark.parametrize("name", ALL)
def test_everything_in_its_usage_has_a_meaning(name: str) -> None:
    word = ALL[name]
    shown = help_of(word)
    assert word.line in shown
    for each in metavars(word.usage):
        assert ARGUMENTS[each].about.split()[0] in shown
    for option in word.options:
        assert option.flag in shown
        assert OPTIONS[option.name].about.split()[0] in shown
    for value in ARGUMENTS["LEVEL"].values if "LEVEL" in word.usage.split() else ():
        assert value in shown


def test_no_meaning_is_left_over() -> None:
    used = {each for word in ALL.values() for each in metavars(word.usage)}
    assert set(ARGUMENTS) == used
    assert set(OPTIONS) == {each.name for word in ALL.values() for each in (*word.options, *GENERAL)}


@pytest.mark.parametrize("name", [name for name, word in ALL.items() if word.lists])
def test_it_says_what_its_columns_mean(name: str) -> None:
    columns = columns_of(ALL[name].lists)
    assert len(columns) > 1
    assert all(about for _, about in columns)
    shown = help_of(ALL[name])
    assert all(f"  {column}" in shown for column, _ in columns)
    listings = Listings()
    if ALL[name].lists in listings.names():
        assert {column for column, _ in columns} <= set(listings.column_names(ALL[name].lists))


def test_words_that_take_columns_say_which() -> None:
    without_listing = {"list_feature_flags", "list_deprecated_features", "list_unresponsive_queues"}
    without_listing |= {"list_stream_tracking", "list_stream_group_consumers"}
    assert {name for name, word in ALL.items() if "COLUMN" in word.usage and not word.lists} == without_listing


def test_a_stranger_s_word_is_told_without_meanings() -> None:
    assert "Example:\n  warren dig" in help_of(Syntax("dig", "DEPTH", "make a hole"))


def test_as_it_is_typed() -> None:
    command = [sys.executable, "-m", "warren", "list_queues", "--help"]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert found.startswith("usage: warren ctl list_queues [COLUMN]...")
    assert "messages_unacknowledged" in found
    assert found.index("Arguments:") < found.index("Options:") < found.index("Columns:") < found.index("Example:")
