"""Pages of docs/reference that are made from the code are as the code is, and have all that there is of it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT
from tests.docs.reference.markdown import cell, code, prose, table
from tests.docs.reference.pages import COMMAND, MAKERS, path_of
from tests.docs.reference.source import described, documentation, find
from warren import gateway
from warren.gateway import plugin
from warren.gateway.control.words.built_in import WORDS
from warren.plugins.management.endpoints import ENDPOINTS
from warren.plugins.metrics.groups import GROUPS

HEADING = re.compile(r"^#+ `(.*)`$", re.MULTILINE)


def headings(name: str) -> list[str]:
    """What stands in backticks in headings of a page."""
    return HEADING.findall(path_of(name).read_text("utf-8"))


@pytest.mark.limits(seconds=600)
def test_they_are_as_the_code_is() -> None:
    command = [sys.executable, *COMMAND.split()[1:], "--stale"]
    stale = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert stale.returncode == 0, stale.stderr
    assert stale.stdout.split() == [], f"run: {COMMAND}"


@pytest.mark.parametrize("name", MAKERS)
def test_they_say_what_made_them(name: str) -> None:
    assert COMMAND in path_of(name).read_text("utf-8")


@pytest.mark.parametrize("name", ["http_api", "words"])
def test_each_heading_is_there_once(name: str) -> None:
    """So that a link within the page leads to the right one, on the site and where the repository is hosted."""
    lines = re.findall(r"^#+ (.*)$", path_of(name).read_text("utf-8"), re.MULTILINE)
    found = [re.sub(r"[^\w -]", "", line).strip().lower() for line in lines]
    assert sorted(set(found)) == sorted(found)


def test_every_word_is_there() -> None:
    assert WORDS.keys() <= set(headings("words"))


def test_every_endpoint_is_there() -> None:
    assert {f"{each.method} {each.path}" for each in ENDPOINTS} <= set(headings("http_api"))


def test_every_measure_is_there() -> None:
    page = path_of("metric_names").read_text("utf-8")
    assert [each.name for group in GROUPS for each in group.measures if f"`rabbitmq_{each.name}`" not in page] == []


def test_every_name_of_the_interfaces_is_there() -> None:
    assert set(gateway.__all__) <= set(headings("client"))
    assert set(plugin.__all__) <= {*headings("plugin_interface"), *headings("client")}


def test_names_are_found_where_they_are_defined() -> None:
    assert find("warren.gateway", "open_broker").dotted == "warren.gateway.embedding"
    with pytest.raises(LookupError):
        find("warren.gateway", "open_nothing")


def test_a_class_is_described_with_what_it_inherits() -> None:
    text = described("warren.gateway.plugin", "AmqpPeer")
    assert "#### `AmqpPeer.open_channel`" in text
    assert "#### `AmqpPeer.flush`" in text
    assert "self" not in re.findall(r"def open_channel\((.*)\)", text)[0]


def test_a_property_is_shown_as_an_attribute() -> None:
    assert "```python\nname: str\n```" in described("warren.gateway", "BrokerClient")


def test_docstrings_are_markdown() -> None:
    columns = "name     what it is\nother    what that is,\n         on two lines"
    text = documentation(f"One.\n\n    a = 1\n\n{columns}\n")
    assert text == f"One.\n\n```python\na = 1\n```\n\n```text\n{columns}\n```"


def test_texts_are_literal() -> None:
    assert prose("'.*' is all,\n'*' too, `a*b` and <b>") == "'.\\*' is all, '\\*' too, `a*b` and \\<b>"
    assert cell("a|b") == "a\\|b"
    assert code("a|b") == "`a\\|b`"
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"
    assert table(("a", "b"), []) == ""
