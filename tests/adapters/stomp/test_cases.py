"""Bad input, each case in a data file: what is answered, and whether the connection stays open.

The lines of a case:

    == name                      begins a case
    settings name=value          of StompSettings
    > bytes                      sent, as in a Python bytes literal
    >* 100 bytes                 the same, a hundred times
    < COMMAND name=value; ...    an answer with these headers; `body=text`, and `name~text` for a part of either
    open | closed                the end
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_stomp import Answer
from warren.adapters.stomp.settings import StompSettings

CUTS = ["whole", "byte by byte", "seed 1", "seed 2"]

SIZE_MAX_BYTEWISE = 3000


@dataclass
class Case:
    name: str
    sent: bytes = b""
    expected: list[str] = field(default_factory=list)
    settings: dict[str, int] = field(default_factory=dict)
    closed: bool | None = None


def cases() -> Iterator[Case]:
    for path in sorted((Path(__file__).parent / "cases").glob("*.case")):
        case: Case | None = None
        for line in path.read_text().splitlines():
            if line.startswith("=="):
                case = Case(f"{path.stem}: {line[2:].strip()}")
            elif case is not None and line:
                read_line(case, line)
                if case.closed is not None:
                    yield case


def read_line(case: Case, line: str) -> None:
    word, _, rest = line.partition(" ")
    if word == ">":
        case.sent += literal(rest)
    elif word == ">*":
        count, _, repeated = rest.partition(" ")
        case.sent += literal(repeated) * int(count)
    elif word == "<":
        case.expected.append(rest)
    elif word == "settings":
        name, _, value = rest.partition("=")
        case.settings[name] = int(value)
    else:
        assert line in ("open", "closed"), line
        case.closed = line == "closed"


def literal(text: str) -> bytes:
    value = ast.literal_eval(f'b"{text}"')
    assert isinstance(value, bytes)
    return value


ALL = list(cases())


def test_there_are_cases_of_all_kinds() -> None:
    assert len(ALL) > 50
    assert {case.closed for case in ALL} == {True, False}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_bad_input(accept: Connect, case: Case, cut: str) -> None:
    if cut != "whole" and len(case.sent) > SIZE_MAX_BYTEWISE:
        pytest.skip("too long to be cut small")
    client = accept(StompSettings(**case.settings))  # type: ignore[arg-type]
    answers = client.send_bytes(case.sent, cut)
    assert [answer.command for answer in answers] == [expected.split()[0] for expected in case.expected]
    for answer, expected in zip(answers, case.expected, strict=True):
        check(answer, expected.partition(" ")[2])
    assert client.closed is case.closed


def check(answer: Answer, expected: str) -> None:
    for part in filter(None, expected.split("; ")):
        name = part[: min(at for at in (part.find("="), part.find("~")) if at >= 0)]
        wanted = literal(part[len(name) + 1 :]).decode()
        value = answer.body.decode() if name == "body" else answer[name]
        if part[len(name)] == "=":
            assert value == wanted, answer
        else:
            assert wanted in value, answer
    if answer.command == "ERROR":
        assert answer["version"] == "1.0,1.1,1.2"
        assert answer["content-type"] == "text/plain"
        assert answer["message"]
        assert len(answer["message"]) < 40
        assert int(answer["content-length"]) == len(answer.body)
