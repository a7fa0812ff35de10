"""The man page, which packages install: docs/man/warren.1 is what `warren man` prints."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.support.warren_process import REPOSITORY
from warren.gateway.command_line.manual import escaped, manual
from warren.gateway.command_line.names import COMMANDS
from warren.gateway.control.words.built_in import WORDS

PAGE = REPOSITORY / "docs" / "man" / "warren.1"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == manual(), "python -m warren man > docs/man/warren.1"


def test_every_command_and_word_is_in_it() -> None:
    text = PAGE.read_text().replace("\\-", "-")
    entries = re.findall(r"^\.TP\n\.B ([\w-]+)", text, re.MULTILINE)
    assert set(WORDS) <= set(entries)
    assert set(COMMANDS) <= set(entries)


FORMATTERS = [["groff", "-man", "-ww", "-z"]] if shutil.which("groff") else []


@pytest.mark.parametrize("formatter", [*FORMATTERS, ["cat"]], ids=" ".join)
def test_nothing_in_it_is_a_mistake(formatter: list[str]) -> None:
    found = subprocess.run([*formatter, str(PAGE)], capture_output=True, text=True, check=True)
    assert found.stderr == ""


def test_text_is_no_command_of_roff() -> None:
    assert escaped(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert escaped("'a' -b ^c \\d") == "\\(aqa\\(aq \\-b \\(hac \\ed"
